"""Pages of live reports while reports come, go and change: none that was there all the time is lost or repeated."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from services.crs import CRS84
from services.keyset import after_of, page_after
from services.parameters import BadRequestError
from services.question import Question, question_of
from spatial.contracts import REPORTS
from tests.store.test_overlaid import IDS, Row, laid_over, reports, tables

SHALLOW = "depth_m IS NULL OR depth_m < 1"
SORTS = (None, "depth_m", "-depth_m", "description,-category", "-requested_datetime,depth_m", "-report_id", "category")


def asked(limit: int, sort: str | None, text: str | None) -> Question:
    given = {"limit": str(limit)} | ({"sortby": sort} if sort else {}) | ({"filter": text} if text else {})
    return question_of(given, REPORTS, (CRS84,))


class Paging(RuleBasedStateMachine):
    """A reader turns pages while others edit."""

    @initialize(base=tables)
    def publish(self, base: dict[str, Row]) -> None:
        self.base, self.now = base, dict(base)
        self.token: str | None = None
        self.question: Question | None = None

    @rule(
        limit=st.integers(1, 4),
        sort=st.sampled_from(SORTS),
        text=st.sampled_from([None, SHALLOW]),
    )
    def begin(self, limit: int, sort: str | None, text: str | None) -> None:
        self.question, self.token = asked(limit, sort, text), None
        self.steady = dict(self.now)
        self.seen: list[str] = []
        self.turn()

    @rule(report_id=st.sampled_from(IDS), row=reports)
    def put(self, report_id: str, row: Row) -> None:
        self.now[report_id] = row
        self._unsettle(report_id)

    @rule(report_id=st.sampled_from(IDS))
    def delete(self, report_id: str) -> None:
        self.now.pop(report_id, None)
        self._unsettle(report_id)

    def _unsettle(self, report_id: str) -> None:
        if self.question is not None:
            self.steady.pop(report_id, None)

    @rule()
    def turn(self) -> None:
        if self.question is None:
            return
        index = laid_over(self.base, self.now)
        after = after_of({} if self.token is None else {"after": self.token})
        matched, rows, following = page_after(index, self.question, after)
        page = [index.identifier(int(row)) for row in rows]
        assert set(page) <= self.now.keys()
        assert len(page) <= min(self.question.limit, matched)
        assert following is None or len(page) == self.question.limit
        self.seen += page
        self.token = following
        if following is None:
            self._ended()

    def _ended(self) -> None:
        wanted = [
            k for k, row in self.steady.items() if self.question.expression is None or not (row["depth_m"] or 0) >= 1
        ]
        assert [self.seen.count(key) for key in wanted] == [1] * len(wanted)
        self.question = None


Paging.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestPaging = Paging.TestCase


def rows_of(index: Any, question: Question) -> list[str]:
    """Return the ids of all pages, one after the other."""
    found, token = [], None
    while True:
        _, rows, token = page_after(index, question, after_of({} if token is None else {"after": token}))
        found += [index.identifier(int(row)) for row in rows]
        if token is None:
            return found


def test_pages_one_after_the_other_are_the_whole_answer_in_its_order() -> None:
    depths = [0.5, None, 0.25, 0.5, None, 1.0]
    plain = {"category": "road", "description": None, "requested_datetime": None, "x": 117.5}
    index = laid_over({}, {f"r{i}": plain | {"depth_m": depth} for i, depth in enumerate(depths)})
    assert rows_of(index, asked(2, "depth_m", None)) == ["r2", "r0", "r3", "r5", "r1", "r4"]
    assert rows_of(index, asked(2, "-depth_m", None)) == ["r5", "r0", "r3", "r2", "r1", "r4"]
    assert rows_of(index, asked(1, None, None)) == [f"r{i}" for i in range(6)]
    assert page_after(index, replace(asked(2, None, None), hits=True), None)[1].tolist() == []


def token(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    ["", "x", "%%%", "é", token({}), token([]), token([[], [], 5]), token([["+depth_m"], [], "a"]), token([1, 2, 3]),
     token([["+depth_m"], [{}], "a"]), token([["+depth_m"], ["x"], "a"]), token([["-depth_m"], [1], "a"]),
     token([[], [], "a"]), token([["+depth_m", "+category"], [1, "a"], "a"]), "A" * 10_000],
)  # fmt: skip
def test_a_token_that_is_none_of_ours_is_refused(text: str) -> None:
    row = {"category": "road", "description": None, "requested_datetime": None, "x": 117.5, "depth_m": 0.5}
    index = laid_over({}, {"a": row, "b": row})
    with pytest.raises(BadRequestError, match="after"):
        page_after(index, asked(1, "depth_m", None), after_of({"after": text}))


def test_a_token_and_an_offset_exclude_each_other() -> None:
    with pytest.raises(BadRequestError, match="offset"):
        after_of({"after": token([[], [], "a"]), "offset": "1"})
