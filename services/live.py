"""The live reports of an editable server: the published ones, with those in place of them that changed since.

A version says up to which change of the live tables it goes (`live_revision` in its manifest). A report that is older
than that is answered as published. A later one is answered with what it brings itself as it is now, personal data taken
out of its texts as in a publication; what follows from a run stays as published where its place, its category and its
time did, and is null otherwise, but for the cell, which its place tells.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import shapely
from starlette.requests import Request

from services.editing import Editing
from services.site import Edition
from spatial.contracts import REPORTS
from spatial.hexgrid.grid import cells_of_points
from spatial.sources.redaction import redact
from spatial.sources.submitted import DERIVED
from spatial.store.edits import LiveReport, ReportStore
from spatial.store.index import LayerIndex, index_of, memory_index
from spatial.store.live_schema import DELIVERED
from spatial.store.overlaid import OverlaidIndex

_BROUGHT = tuple(name for name in REPORTS.names if name in DELIVERED)
_FREE_TEXTS = frozenset(column.name for column in REPORTS.columns if column.free_text)
_DECIDING = ("category", "requested_datetime")  # with the place: what a run makes of a report follows from these

Answer = dict[str, Any]


@dataclass(frozen=True, eq=False, slots=True)
class _State:
    """What the live tables are for one version, up to the change `last`; the reports that differ from it, by id.

    Reports of a change up to `published_at` are as the version has them.
    """

    version_id: str
    published_at: int
    last: int
    edited: Mapping[str, tuple[LiveReport, Answer]]
    gone: frozenset[str]
    table: OverlaidIndex


class Live:
    """The live reports of one server, and who may edit them. Safe to use from several threads."""

    def __init__(self, store: ReportStore, editing: Editing) -> None:
        self.store, self.editing = store, editing
        self._state: _State | None = None
        self._refreshing = threading.Lock()

    def table(self, edition: Edition) -> OverlaidIndex:
        """Return the live reports as they are now, as a table to ask. Raises StoreError."""
        with self._refreshing:
            self._state = self._current(edition, self._state)
            return self._state.table

    def index_with(self, edition: Edition, report: LiveReport) -> LayerIndex:
        """Return an index that holds a live report as it is answered: the published one, or one of its own."""
        state = self._state
        if state is None or state.version_id != edition.version.id:
            with self._refreshing:
                state = self._state = self._current(edition, self._state)
        base = index_of(edition.version, REPORTS)
        if report.revision <= state.published_at and base.row(report.report_id) is not None:
            return base
        return _index([(report, self.answer(edition, report))])

    def answer(self, edition: Edition, report: LiveReport) -> Answer:
        """Return the properties of a live report as its readers see them."""
        base = index_of(edition.version, REPORTS)
        row = base.row(report.report_id)
        cell = cells_of_points([report.lon], [report.lat], edition.manifest["city"]["resolution"])[0]
        derived = dict.fromkeys(DERIVED) | {"cell": cell}
        own = {name: redact(report.values[name]) if name in _FREE_TEXTS else report.values[name] for name in _BROUGHT}
        if row is not None:
            published = _properties(base, row)
            point = base.geometries(np.array([row]))[0]
            if (point.x, point.y) == (report.lon, report.lat) and all(published[n] == own[n] for n in _DECIDING):
                derived = {name: published[name] for name in DERIVED}
        return {name: own[name] if name in own else derived[name] for name in REPORTS.names}

    def published(self, edition: Edition, report_id: str) -> Answer:
        """Return the properties that the served version has for a report, none where it does not have it."""
        base = index_of(edition.version, REPORTS)
        row = base.row(report_id)
        return {} if row is None else _properties(base, row)

    def _current(self, edition: Edition, held: _State | None) -> _State:
        """Return the state with all changes; what was held is brought up to date where that can be done."""
        published_at = edition.manifest.get("live_revision") or 0
        kept = held if held is not None and held.version_id == edition.version.id else None
        changes = self.store.changes(published_at if kept is None else kept.last)
        if kept is not None and changes.last == kept.last:
            return kept
        if changes.last < published_at:  # the tables were made anew: their changes are counted from the start
            published_at, changes = 0, self.store.changes(0)
        base = index_of(edition.version, REPORTS)
        edited = {} if kept is None or changes.whole else dict(kept.edited)
        gone = set() if kept is None or changes.whole else set(kept.gone)
        gone |= changes.deleted
        if changes.whole:
            there = {report.report_id for report in changes.reports}
            gone |= {identifier for identifier in base.ids if identifier not in there}
        for report in changes.reports:
            if not (changes.whole and report.revision <= published_at and base.row(report.report_id) is not None):
                edited[report.report_id] = report, self.answer(edition, report)
        for report_id in changes.deleted:
            edited.pop(report_id, None)
        gone -= edited.keys()
        table = _laid_over(base, edited.values(), [*edited, *gone])
        return _State(edition.version.id, published_at, changes.last, edited, frozenset(gone), table)


def live_of(edition: Edition, request: Request) -> Live | None:
    """Return the server's live reports; None where it is read-only, or the served version withholds small counts."""
    live: Live | None = request.app.state.live
    withheld = edition.manifest.get("parameters", {}).get("privacy", {}).get("min_count", 0)
    return None if withheld else live


def _properties(index: LayerIndex, row: int) -> Answer:
    properties: Answer = orjson.loads(bytes(index.features(np.array([row]))[0]))["properties"]
    return properties


def _index(reports: Sequence[tuple[LiveReport, Answer]]) -> LayerIndex:
    points = [shapely.Point(report.lon, report.lat).wkb for report, _ in reports]
    return memory_index(REPORTS, [answer for _, answer in reports], points)


def _laid_over(base: LayerIndex, edited: Iterable[tuple[LiveReport, Answer]], changed: list[str]) -> OverlaidIndex:
    hidden = [row for row in map(base.row, changed) if row is not None]
    return OverlaidIndex(base, _index(list(edited)), np.array(sorted(hidden), dtype=np.int64))
