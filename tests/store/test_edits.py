"""Edits of live reports: one transaction each, never lost, and they win over files."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from spatial.errors import BusyError, StoreError
from spatial.store.edits import LiveReport, ReportStore
from spatial.store.live_schema import DELIVERED
from spatial.store.opening import open_live, open_reports
from spatial.store.place import Place
from tests.store.places import STORES, execute, in_postgis
from tests.store.test_live import delivered

TIMES = {"requested_datetime": "2025-01-31T08:00:00.000Z", "updated_datetime": None, "resolved_datetime": None}
Made = tuple[ReportStore, Callable[[gpd.GeoDataFrame, bool], object]]


def report(report_id: str, **values: object) -> LiveReport:
    plain = dict.fromkeys(DELIVERED) | TIMES | {"source": "api", "category": "road", "decimals": 5}
    return LiveReport(plain | {"report_id": report_id} | values, 117.5, -3.25)


def told(report: LiveReport) -> tuple[object, ...]:
    return report.values, report.lon, report.lat, report.revision


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where the live tables of a test's city are, in each store."""
    if request.param == "geopackage":
        return Place(tmp_path / "var")
    return in_postgis(tmp_path / "var", request.getfixturevalue("postgis"))


@pytest.fixture
def made(place: Place) -> Iterator[Made]:
    """A store of live reports, and what a run does: put a file's rows in."""

    def run(rows: gpd.GeoDataFrame, drop_missing: bool = False) -> object:
        with open_live(place) as live:
            return live.upsert(rows, "x.csv", drop_missing)

    store = open_reports(place)
    yield store, run
    store.close()


def test_a_report_is_made_read_replaced_and_deleted(made: Made) -> None:
    store, _ = made
    with store.editing() as edit:
        assert edit.is_new("a")
        edit.put(report("a", description="pohon 🌳 𝔘 ' \" ; DROP TABLE reports"))
    first = store.get("a")
    assert first.values == dict(report("a", description="pohon 🌳 𝔘 ' \" ; DROP TABLE reports").values)
    assert (first.lon, first.lat) == (117.5, -3.25)
    with store.editing() as edit:
        edit.put(report("a", depth_m=0.5))
    second = store.get("a")
    assert second.revision > first.revision
    assert (second.values["depth_m"], second.values["description"]) == (0.5, None)
    with store.editing() as edit:
        edit.delete("a")
        assert edit.get("a") is None
        assert not edit.is_new("a")
    assert store.get("a") is None


def test_an_error_undoes_an_edit(made: Made) -> None:
    store, _ = made
    before = store.changes(0).last

    def stopped() -> None:
        with store.editing() as edit:
            edit.put(report("a"))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stopped()
    assert store.get("a") is None
    assert store.changes(0).last == before


def test_edits_win_over_files_and_a_deleted_id_stays_deleted(made: Made) -> None:
    store, run = made
    run(delivered(["a", "b", "c"]))
    with store.editing() as edit:
        edit.put(report("a", category="waste"))
        edit.delete("b")
    upsert = run(delivered(["a", "b", "c"], depth_m=0.75))
    assert (upsert.changed, upsert.edited, upsert.deleted) == (1, 2, 1)
    assert store.get("a").values["category"] == "waste"
    assert store.get("b") is None
    assert store.get("c").values["depth_m"] == 0.75


def test_a_run_changes_the_number_of_those_rows_only_that_it_changes(made: Made) -> None:
    store, run = made
    run(delivered(["a", "b"], depth_m=[0.1, 0.2]))
    before = {key: store.get(key).revision for key in "ab"}
    run(delivered(["a", "b"], depth_m=[0.1, 0.2]))
    assert {key: store.get(key).revision for key in "ab"} == before
    run(delivered(["a", "b"], depth_m=[0.1, 0.3]))
    assert store.get("a").revision == before["a"]
    assert store.get("b").revision > before["b"]


def test_what_changed_since_a_number_is_told_deletions_too(made: Made) -> None:
    store, run = made
    run(delivered(["a", "b"]))
    start = store.changes(0)
    assert [(r.report_id, r.lon, r.lat) for r in start.reports] == [("a", 100.0, -3.0), ("b", 101.0, -3.0)]
    assert (store.changes(start.last).reports, store.changes(start.last).last) == ((), start.last)
    with store.editing() as edit:
        edit.put(report("c"))
        edit.delete("a")
    since = store.changes(start.last)
    assert not since.whole
    assert ([r.report_id for r in since.reports], since.deleted) == (["c"], {"a"})


def test_after_rows_were_taken_away_for_good_the_whole_table_is_told(made: Made) -> None:
    store, run = made
    run(delivered(["a", "b"]))
    last = store.changes(0).last
    run(delivered(["a"]), True)
    since = store.changes(last)
    assert since.whole
    assert [r.report_id for r in since.reports] == ["a"]
    assert not store.changes(since.last).whole


def test_tables_of_an_earlier_release_can_be_edited(tmp_path: Path) -> None:
    place = Place(tmp_path / "var")
    with open_live(place) as live:
        live.upsert(delivered(["a"]), "x.csv", False)
    for statement in ("DROP INDEX reports_revision", "ALTER TABLE reports DROP revision", "DROP TABLE revisions"):
        execute(place, statement)
    with closing(open_reports(place)) as store:
        assert [r.report_id for r in store.changes(0).reports] == ["a"]
        with store.editing() as edit:
            edit.put(report("b"))
        assert store.get("b").revision > store.get("a").revision


def test_a_writer_that_waits_too_long_is_told_and_readers_do_not_wait(made: Made, place: Place) -> None:
    store, _ = made
    store.close()
    store._wait_s = 0.05
    with store.editing() as edit:
        edit.put(report("a"))
    with open_live(place):  # as a run does
        assert store.get("a") is not None
        assert len(store.changes(0).reports) == 1
        with pytest.raises(BusyError, match="try again"), store.editing():
            pass
    with store.editing() as edit:
        edit.put(report("b"))


def test_a_file_in_place_of_the_old_one_is_read_and_none_is_told(tmp_path: Path) -> None:
    places = [Place(tmp_path / name) for name in ("old", "new")]
    stores = [open_reports(place) for place in places]
    for store, report_id in zip(stores, "ab", strict=True):
        with store.editing() as edit:
            edit.put(report(report_id))
    assert stores[0].get("a") is not None
    stores[1].close()  # its log goes into the file
    old, new = (place.var / "live.gpkg" for place in places)
    for suffix in ("-wal", "-shm"):
        Path(f"{old}{suffix}").unlink()
    new.replace(old)
    assert stores[0].get("b") is not None
    old.unlink()
    with pytest.raises(StoreError, match="run the city again"):
        stores[0].get("b")
    assert not old.exists()


def _count_up(place: Place, times: int) -> None:
    store = open_reports(place)
    store._wait_s = 60
    for _ in range(times):
        with store.editing() as edit:
            held = edit.get("n")
            edit.put(report("n", depth_m=held.values["depth_m"] + 1.0))
    store.close()


def test_no_edit_is_lost_among_processes_and_threads(made: Made, place: Place) -> None:
    """Each reads a number and writes the next one: any lost edit leaves the sum too small."""
    store, _ = made
    with store.editing() as edit:
        edit.put(report("n", depth_m=0.0))
    process = multiprocessing.get_context("spawn").Process(target=_count_up, args=(place, 20))
    threads = [threading.Thread(target=_count_up, args=(place, 20)) for _ in range(3)]
    process.start()
    for thread in threads:
        thread.start()
    for worker in (*threads, process):
        worker.join()
    assert store.get("n").values["depth_m"] == 80.0


def test_the_snapshot_of_a_run_holds_the_edits(made: Made, place: Place) -> None:
    store, run = made
    run(delivered(["a", "b"]))
    with store.editing() as edit:
        edit.put(report("c"))
        edit.delete("a")
    with open_live(place) as live:
        table = live.snapshot().set_index("report_id")
        assert live.through_api({"a", "b"}) == 1
        assert live.revision() == store.changes(0).last
    assert table.index.tolist() == ["b", "c"]
    assert table.geometry["c"].equals(shapely.Point(117.5, -3.25))
    assert table["requested_datetime"]["c"] == pd.Timestamp("2025-01-31T08:00:00Z")


def test_a_city_that_gets_a_database_takes_its_edits_there(tmp_path: Path, postgis: str) -> None:
    file = Place(tmp_path / "var")
    with open_live(file) as live:
        live.upsert(delivered(["a", "b"]), "x.csv", False)
    with closing(open_reports(file)) as store:
        with store.editing() as edit:
            edit.put(report("c", description="pohon 🌳"))
            edit.delete("a")
        before = store.changes(0)
    with closing(open_reports(in_postgis(tmp_path / "var", postgis))) as store:
        after = store.changes(0)
        assert [told(r) for r in after.reports] == [told(r) for r in before.reports]
        assert after.deleted == before.deleted == {"a"}
        assert store.changes(before.last).whole  # whoever held a copy reads it anew
        with store.editing() as edit:
            assert not edit.is_new("a")
            edit.put(report("d"))
        assert store.get("d").revision > before.last


def test_a_connection_that_broke_is_made_anew(place: Place, made: Made) -> None:
    store, _ = made
    with store.editing() as edit:
        edit.put(report("a"))
    if place.url is not None:
        with store._pool.taken() as database:
            database.connection.close()
    assert store.get("a") is not None
