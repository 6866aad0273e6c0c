"""The live tables lose nothing: the same tests on both stores."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spatial.errors import StoreError
from spatial.store.opening import LIVE_FILE, open_live
from spatial.store.place import Place
from tests.store.places import STORES, execute, in_postgis


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "geopackage":
        return Place(tmp_path / "var")
    return in_postgis(tmp_path / "var", request.getfixturevalue("postgis"))


def delivered(ids: list[str], **columns: object) -> gpd.GeoDataFrame:
    names = ("category_raw", "category_basis", "description", "status", "updated_datetime", "resolved_datetime")
    times = pd.to_datetime(["2024-05-06T07:08:09.010Z"] * len(ids), utc=True)
    given_columns = {"report_id": ids, "source": "x", "category": "flood"} | {name: None for name in names}
    given_columns |= {"requested_datetime": times, "depth_m": 0.25, "decimals": 5} | columns
    return gpd.GeoDataFrame(
        given_columns, crs="EPSG:4326", geometry=shapely.points([(100.0 + i, -3.0) for i in range(len(ids))])
    )


def test_live_reports_are_upserted_by_id_and_edits_win(place: Place) -> None:
    with open_live(place) as live:
        first = live.upsert(delivered(["a", "b", "c"]), "x.csv", False)
        assert (first.new, first.changed, first.unchanged) == (3, 0, 0)
    execute(place, "UPDATE reports SET origin = 'api', category = 'road' WHERE report_id = 'a'")
    execute(place, "UPDATE reports SET origin = 'api', deleted = 1 WHERE report_id = 'b'")
    with open_live(place) as live:
        again = live.upsert(delivered(["a", "b", "d"], depth_m=0.5), "x.csv", False)
        assert (again.new, again.changed, again.unchanged, again.edited, again.missing) == (1, 0, 0, 2, 1)
        table = live.snapshot().set_index("report_id")
    assert table.index.tolist() == ["a", "c", "d"]
    assert table["category"].tolist() == ["road", "flood", "flood"]
    assert table["requested_datetime"].iloc[0] == pd.Timestamp("2024-05-06T07:08:09.010Z")
    assert table.geometry.iloc[1].equals(shapely.Point(102, -3))
    with open_live(place) as live:
        live.upsert(delivered(["d"], depth_m=0.5), "x.csv", True)
        assert live.snapshot()["report_id"].tolist() == ["a", "d"]


def test_what_a_file_changed_is_counted(place: Place) -> None:
    with open_live(place) as live:
        live.upsert(delivered(["a", "b", "c"]), "x.csv", False)
        moved = delivered(["a", "b", "c"]).set_geometry(shapely.points([(100, -3), (101, -3.5), (102, -3)]))
        changed = live.upsert(moved.assign(status=["open", None, None]), "x.csv", False)
        assert (changed.new, changed.changed, changed.unchanged) == (0, 2, 1)
        again = live.upsert(moved.assign(status=["open", None, None]), "y.csv", False)  # another file holds them now
        assert (again.new, again.changed, again.unchanged) == (0, 3, 0)
        twice = pd.concat([delivered(["e"], status="open"), delivered(["e"], status="closed")])
        assert live.upsert(twice, "y.csv", False).new == 1
        assert live.snapshot().set_index("report_id")["status"].fillna("?").to_dict() == {
            "a": "open", "b": "?", "c": "?", "e": "closed"
        }  # fmt: skip
        assert live.orphans(["y.csv"], False) == 0
        assert live.orphans(["x.csv"], False) == 4
        assert live.orphans(["x.csv"], True) == 4
        assert live.snapshot().empty


def test_live_tables_of_an_earlier_release_get_the_new_column(tmp_path: Path) -> None:
    place = Place(tmp_path / "var")
    with open_live(place) as live:
        live.upsert(delivered(["a", "b"], category_basis="text"), "x.csv", False)
    execute(place, "ALTER TABLE reports DROP COLUMN category_basis")
    with open_live(place) as live:
        assert live.snapshot()["category_basis"].isna().all()
        live.upsert(delivered(["b"], category_basis="source"), "x.csv", False)
        assert live.snapshot()["category_basis"].fillna("?").tolist() == ["?", "source"]


def test_an_error_leaves_the_live_tables_as_they_were(place: Place) -> None:
    def interrupted() -> None:
        with open_live(place) as live:
            live.upsert(delivered(["a"]), "x.csv", False)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        interrupted()
    with open_live(place) as live:
        assert live.snapshot().empty


def test_what_is_held_elsewhere_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spatial.store.postgis.LOCK_WAIT", "100ms")
    connect = sqlite3.connect
    monkeypatch.setattr("sqlite3.connect", lambda path, **more: connect(path, **(more | {"timeout": 0.1})))
    with open_live(place), pytest.raises(StoreError, match=r"under way|close the program"), open_live(place):
        pass


def test_quarantine_is_replaced(place: Place) -> None:
    row = {"file": "x.csv", "row": 7, "report_id": None, "field": "lat", "reason": "missing", "value": None}
    rows = pd.DataFrame([row | {"raw": "{}"}])
    with open_live(place) as live:
        live.replace_quarantine(rows)
        live.replace_quarantine(rows)
    held = execute(place, 'SELECT file, "row", report_id, field, reason, value, raw FROM quarantine')
    assert held == [("x.csv", 7, None, "lat", "missing", None, "{}")]


def test_gdal_reads_the_file(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with open_live(place) as live:
        live.upsert(delivered(["a"]), "x.csv", False)
    assert gpd.read_file(tmp_path / LIVE_FILE, layer="reports").geometry.iloc[0].equals(shapely.Point(100, -3))
    assert gpd.read_file(tmp_path / LIVE_FILE, layer="quarantine").empty


def test_releases_come_back_in_order(place: Place) -> None:
    rows = pd.DataFrame(
        {
            "report_id": ["b", "a"], "cell": ["8928308280fffff"] * 2, "category": "flood", "batch": [2, 1],
            "day": pd.to_datetime(["2024-01-02", None], utc=True), "min_count": 5, "resolution": 9,
        }
    )  # fmt: skip
    with open_live(place) as live:
        assert live.releases().empty
        live.add_releases(rows)
        live.add_releases(rows.assign(report_id=["d", "c"]))
        held = live.releases()
    assert held["report_id"].tolist() == ["b", "a", "d", "c"]
    assert held["batch"].tolist() == [2, 1, 2, 1]
    assert held["day"].dt.strftime("%F").fillna("?").tolist() == ["2024-01-02", "?"] * 2


texts = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), max_size=20)
odd = st.sampled_from(
    ["\\.", "\\N", '"', ",", "", " ", "\r\n", "NULL", "'; DROP TABLE reports; --", "%s", "\ufeff", "𝔘🌊"]
)
awkward = st.lists(texts | odd, max_size=3).map("".join)
quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(st.dictionaries(awkward.filter(bool), st.none() | awkward, min_size=1, max_size=8))
def test_any_text_survives(place: Place, rows: dict[str, str | None]) -> None:
    with open_live(place) as live:
        live.upsert(delivered(list(rows), description=pd.Series(list(rows.values()), dtype="str")), "x.csv", False)
        table = live.snapshot()
        live.orphans([], True)
    assert table["report_id"].tolist() == sorted(rows)  # by code point
    back = table["description"].astype(object).where(table["description"].notna(), None)
    assert dict(zip(table["report_id"], back, strict=True)) == rows


times = st.datetimes(pd.Timestamp("1902-01-01"), pd.Timestamp("2200-01-01")).map(
    lambda t: pd.Timestamp(t, tz="UTC").floor("ms")
)


@quick
@given(st.lists(st.tuples(st.none() | times, st.none() | st.floats(0, 1e9)), min_size=1, max_size=6))
def test_both_stores_give_the_same_snapshot(tmp_path: Path, postgis: str, rows: list[tuple[object, object]]) -> None:
    ids = [f"r{i}" for i in range(len(rows))]
    requested = pd.to_datetime(pd.Series([t for t, _ in rows]), utc=True)
    table = delivered(ids, requested_datetime=requested, depth_m=pd.Series([d for _, d in rows], dtype=float))
    snapshots = []
    for place in (Place(tmp_path / "var"), Place(tmp_path / "other", postgis, "t_same_snapshot", "Kota Uji")):
        with open_live(place) as live:
            live.orphans([], True)
            live.upsert(table, "x.csv", False)
            snapshots.append(live.snapshot())
    assert_geodataframe_equal(*snapshots)
    assert snapshots[0].to_csv() == snapshots[1].to_csv()  # a version's id is made of it


def test_a_city_that_gets_a_database_takes_its_live_tables_there(tmp_path: Path, postgis: str) -> None:
    disk, both = Place(tmp_path / "var"), in_postgis(tmp_path / "var", postgis)
    with open_live(disk) as live:
        live.upsert(delivered(["a", "b", "c"], description=["x", None, 'y"\n']), "x.csv", False)
        live.releases()
    execute(disk, "UPDATE reports SET origin = 'api', deleted = 1 WHERE report_id = 'b'")
    execute(disk, "INSERT INTO releases (report_id, cell, category, batch, day, min_count, resolution) "
                  "VALUES ('a', '8928308280fffff', 'flood', 1, '2024-01-02T00:00:00.000Z', 5, 9)")  # fmt: skip
    with open_live(disk) as live:
        before = live.snapshot()
    with open_live(both) as live:
        assert_geodataframe_equal(live.snapshot(), before)
        assert live.releases()["report_id"].tolist() == ["a"]
        again = live.upsert(delivered(["a", "b"]), "x.csv", False)
        assert (again.edited, again.missing) == (1, 1)
    with open_live(both) as live:
        assert live.snapshot()["report_id"].tolist() == ["a", "c"]  # not taken over again
    with pytest.raises(StoreError, match=rf"live tables are in postgresql://.*{both.schema}"), open_live(disk):
        pass


def test_the_tables_of_both_stores_have_the_same_columns(tmp_path: Path, postgis: str) -> None:
    disk, database = Place(tmp_path / "a"), in_postgis(tmp_path / "b", postgis)
    for place in (disk, database):
        with open_live(place) as live:
            live.releases()
    for name in ("reports", "quarantine", "releases"):
        ours = [row[1] for row in execute(disk, f"PRAGMA table_info({name})")]
        theirs = execute(
            database,
            "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() "
            f"AND table_name = '{name}' ORDER BY ordinal_position",
        )
        assert [row[0] for row in theirs] == ours, json.dumps(theirs)
