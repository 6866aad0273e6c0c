"""An editable server beside runs: who may start one, what a run makes of edits, and a run that holds the lock."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.editing import Editing, editing_of
from spatial import pipeline
from spatial.config import load_place
from spatial.errors import InputError
from spatial.store.opening import open_live
from spatial.store.versions import Versions
from tests.services.editor import Editor, report
from tests.services.running import served

TOKEN = "a-token-of-this-test-only"


@pytest.mark.parametrize(
    ("options", "token", "told"),
    [
        ((True, False, "127.0.0.1"), None, "HEXAKOTA_TOKEN"),
        ((True, False, "127.0.0.1"), "short", "16 or more"),
        ((True, False, "127.0.0.1"), "with a space in the middle", "16 or more"),
        ((True, True, "0.0.0.0"), None, "from elsewhere"),
        ((True, True, "::"), None, "from elsewhere"),
        ((True, True, "kota.example"), None, "from elsewhere"),
        ((True, True, "127.0.0.1"), TOKEN, "HEXAKOTA_TOKEN is set"),
        ((False, True, "127.0.0.1"), None, "--editable"),
    ],
)
def test_a_server_that_anybody_could_edit_is_not_started(
    city: Path, monkeypatch: pytest.MonkeyPatch, options: Any, token: str | None, told: str
) -> None:
    monkeypatch.delenv("HEXAKOTA_TOKEN", raising=False)
    if token is not None:
        monkeypatch.setenv("HEXAKOTA_TOKEN", token)
    with pytest.raises(InputError, match=told) as caught:
        editing_of(city, *options)
    assert token is None or token not in str(caught.value)


def test_a_token_or_this_machine_alone_lets_edit(city: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEXAKOTA_TOKEN", TOKEN)
    assert editing_of(city, True, False, "0.0.0.0") == Editing(TOKEN)
    assert TOKEN not in repr(editing_of(city, True, False, "0.0.0.0"))
    assert editing_of(city, False, False, "0.0.0.0") is None
    monkeypatch.delenv("HEXAKOTA_TOKEN")
    for host in ("127.0.0.1", "::1", "localhost"):
        assert editing_of(city, True, True, host) == Editing(None)


def test_a_city_that_withholds_small_counts_is_not_edited(
    city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEXAKOTA_TOKEN", TOKEN)
    text = (city / "city.toml").read_text("utf-8")
    (tmp_path / "city.toml").write_text(f"{text}\n[privacy]\nmin_count = 5\n", "utf-8")
    with pytest.raises(InputError, match="min_count = 5"):
        editing_of(tmp_path, True, False, "127.0.0.1")


@pytest.fixture(scope="module")
def edited(city: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published city once more, for tests that change it."""
    return shutil.copytree(city, tmp_path_factory.mktemp("edited") / "city")


@pytest.fixture(scope="module")
def editor(edited: Path) -> Iterator[Editor]:
    """A client of a server that this machine alone may edit."""
    with served(edited, 0, "--editable", "--no-token", HEXAKOTA_TOKEN="") as url:
        yield Editor(url)


def test_without_a_token_only_requests_to_this_machine_edit(editor: Editor) -> None:
    foreign = editor.create(report(), Host="evil.example")  # a name that was turned to this address
    assert (foreign.status, "own machine" in foreign.told) == (403, True)
    assert editor.create(report(), Host="localhost:5000").status == 201


def test_an_edit_waits_for_a_run_and_then_says_when_to_try_again(editor: Editor, edited: Path) -> None:
    location = editor.create(report(status="open")).headers["location"]
    with open_live(load_place(edited)):  # as a run does
        busy = editor.ask("PATCH", location, {"status": "closed"}, "application/merge-patch+json")
        assert editor.ask("GET", location).json["properties"]["status"] == "open"
        assert editor.items(limit=3).status == 200
    assert (busy.status, busy.headers["retry-after"]) == (503, "5")
    assert editor.ask("PATCH", location, {"status": "closed"}, "application/merge-patch+json").status == 204


def test_servers_of_one_city_see_each_others_edits_and_their_tags(editor: Editor, edited: Path) -> None:
    with served(edited, 0, "--editable", "--no-token", HEXAKOTA_TOKEN="") as url:
        other = Editor(url)
        location = editor.create(report(description="satu")).headers["location"]
        report_id = location.rsplit("/", 1)[1]
        read = other.get(report_id)
        assert read.json["properties"]["description"] == "satu"
        assert other.update(report_id, {"description": "dua"}, If_Match=read.headers["etag"]).status == 204
        assert editor.update(report_id, {"description": "tiga"}, If_Match=read.headers["etag"]).status == 412
        assert editor.get(report_id).json["properties"]["description"] == "dua"
        assert [f["properties"]["description"] for f in editor.items(report_id=report_id).json["features"]] == ["dua"]


def test_a_run_publishes_the_edits_and_accounts_for_them(editor: Editor, edited: Path) -> None:
    made = editor.create(report(117.5093, -3.3111, category="flood", description="banjir lagi")).headers["location"]
    report_id = made.rsplit("/", 1)[1]
    assert editor.update("reports:w3", {"category": "tree"}).status == 204
    assert editor.delete("reports:w4").status == 204
    before = editor.get(report_id)
    assert before.json["properties"]["kelurahan"] is None
    version = pipeline.run(edited).version
    live = {f["id"]: f for f in editor.items(limit=1000).json["features"]}
    published = {f["id"]: f for f in editor.items(limit=1000, version=version.id).json["features"]}
    assert live == published
    assert published["reports:w3"]["properties"]["category"] == "tree"
    assert "reports:w4" not in published
    after = editor.get(report_id)
    assert after.json["properties"]["kelurahan"] == "Uji"
    assert after.headers["etag"] != before.headers["etag"]  # what it stands for reads otherwise now
    assert (
        editor.update(report_id, {"status": "open"}, If_Match=before.headers["etag"]).status == 204
    )  # and is the same
    account = version.manifest["reports"]
    upserts = account["upsert"].values()
    assert account["upsert"]["reports.csv"]["edited_by_api"] >= 2
    assert account["upsert"]["reports.csv"]["deleted_by_api"] == 1
    alone = [u["edited_by_api"] for name, u in account["upsert"].items() if "API" in name]
    deleted = sum(u["deleted_by_api"] for u in upserts)
    assert account["stored"] == account["rows_used"] - deleted + sum(alone) + account["kept_from_earlier_deliveries"]
    assert account["stored"] == len(published)


def test_another_version_that_is_served_keeps_later_edits(editor: Editor, edited: Path) -> None:
    versions = Versions(edited / "var")
    newest = versions.current()
    before = {f["id"]: f for f in editor.items(limit=1000).json["features"]}
    versions.serve(newest.manifest["previous"])
    after = {f["id"]: f for f in editor.items(limit=1000).json["features"]}
    assert after.keys() == before.keys()
    own = ("category", "description", "status", "requested_datetime", "depth_m")
    for report_id, feature in after.items():
        assert feature["geometry"] == before[report_id]["geometry"]
        assert {n: feature["properties"][n] for n in own} == {n: before[report_id]["properties"][n] for n in own}
    assert after["reports:w3"]["properties"]["incident_id"] is None  # was another category then
    versions.serve(newest.id)
    assert {f["id"]: f for f in editor.items(limit=1000).json["features"]} == before


def test_rows_that_a_run_forgets_are_gone_at_once(editor: Editor, edited: Path) -> None:
    lines = (edited / "reports.csv").read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(("w10,", "w11,"))]
    (edited / "reports.csv").write_text("".join(kept), "utf-8")
    count = editor.items(resulttype="hits").json["numberMatched"]
    assert editor.get("reports:w10").status == 200
    with open_live(load_place(edited)) as live:
        table = live.snapshot()
        file = table[table["report_id"].isin([f"reports:{line.split(',')[0]}" for line in kept])]
        assert live.upsert(file, "reports.csv", True).missing == 0
    assert editor.get("reports:w10").status == 404
    gone = count - editor.items(resulttype="hits").json["numberMatched"]
    assert gone == 2
    assert editor.items(report_id="reports:w11").json["numberMatched"] == 0
