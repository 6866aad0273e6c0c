"""The index of a layer against its GeoPackage as geopandas reads it."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point

from spatial.contracts import DEPRESSIONS, FLOOD_ZONES, HEXAGONS, LIGHTING_ZONES, REPORTS, ROADS, Layer
from spatial.errors import NotFoundError, StoreError
from spatial.store import index as module
from spatial.store.geopackage import read_layer, write_layers
from spatial.store.index import LayerIndex, index_of
from spatial.store.indexing import write_index
from spatial.store.versions import Version, Versions
from tests.services import handmade

LAYERS = [REPORTS, HEXAGONS, ROADS, FLOOD_ZONES, LIGHTING_ZONES]


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return handmade.publish(tmp_path_factory.mktemp("index") / "city")


def parsed(index: LayerIndex, rows: object = None, **more: object) -> list[dict]:
    rows = np.arange(index.n) if rows is None else rows
    return list(json.loads(b"[%b]" % b",".join(index.features(rows, **more))))


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_features_are_the_rows_in_the_order_of_ids(version: Version, layer: Layer) -> None:
    index, table = index_of(version, layer), read_layer(version.layers, layer.name).sort_values(layer.id_column)
    features = parsed(index)
    assert [f["id"] for f in features] == table[layer.id_column].tolist()
    assert index.n == len(index) == len(table)
    for feature, row in zip(features, table.to_dict("records"), strict=True):
        assert list(feature) == ["type", "id", "geometry", "properties"]
        assert list(feature["properties"]) == list(layer.names)
        assert shapely.geometry.shape(feature["geometry"]).equals_exact(row["geometry"], 0)
        for column in layer.columns:
            told, stored = feature["properties"][column.name], row[column.name]
            if column.kind == "datetime" and not pd.isna(stored):
                assert (
                    told
                    == stored.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%S.") + f"{stored.microsecond // 1000:03}Z"
                )
            else:
                assert told == (None if pd.isna(stored) else stored)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_columns_and_boxes_are_the_rows(version: Version, layer: Layer) -> None:
    index, table = index_of(version, layer), read_layer(version.layers, layer.name).sort_values(layer.id_column)
    assert np.array_equal(np.column_stack(index.boxes), shapely.bounds(table.geometry.to_numpy()))
    assert list(index.geometries(np.arange(index.n))) == list(table.geometry)
    for column in layer.columns:
        assert index.has(column.name)
        stored = table[column.name]
        if column.kind in ("string", "json"):
            codes, words = index.strings(column.name)
            assert list(words) == sorted({word for word in stored if not pd.isna(word)})
            assert [None if code < 0 else words[code] for code in codes] == [None if pd.isna(v) else v for v in stored]
            continue
        values, known = index.instants(column.name) if column.kind == "datetime" else index.numbers(column.name)
        known = np.ones(index.n, dtype=bool) if known is None else known
        assert known.tolist() == stored.notna().tolist()
        found = [v / 1000 if column.kind == "datetime" else v for v in values[known].tolist()]
        assert found == [v.timestamp() if column.kind == "datetime" else v for v in stored[stored.notna()]]
    assert not index.has("fid")


def test_an_id_leads_to_its_row(version: Version) -> None:
    index = index_of(version, REPORTS)
    ids = [feature["id"] for feature in parsed(index)]
    assert [index.row(identifier) for identifier in ids] == list(range(index.n))
    assert [index.row(text) for text in ("", "zzz", "r", "r99", ids[0] + "\x00", "\U0010ffff")] == [None] * 6


def test_parts_of_features(version: Version) -> None:
    index = index_of(version, REPORTS)
    rows = np.array([7, 0, 7, 26])
    whole = parsed(index, rows)
    assert [f["id"] for f in whole] == [parsed(index)[row]["id"] for row in rows]
    for select in (None, ("depth_m", "report_id"), ("description",)):
        names = [name for name in REPORTS.names if select is None or name in select]
        for skip in (False, True):
            for part, feature in zip(parsed(index, rows, skip_geometry=skip, select=select), whole, strict=True):
                geometry = None if skip else feature["geometry"]
                assert part == feature | {
                    "geometry": geometry,
                    "properties": {n: feature["properties"][n] for n in names},
                }
                assert list(part["properties"]) == names
        shape = '{"type":"Point","coordinates":[1.5,2]}'
        for part, feature in zip(index.with_geometries(rows, [shape] * 4, select), whole, strict=True):
            own = {n: feature["properties"][n] for n in names}
            assert json.loads(part) == feature | {"geometry": json.loads(shape), "properties": own}
    assert index.features(np.array([], dtype=np.int64)) == []
    assert [len(index.features(np.array(rows))) for rows in ([3], [3, 4, 5], [3, 5, 6], [6, 5, 5])] == [1, 1, 2, 3]


def test_the_same_tables_give_the_same_bytes(version: Version, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_index(version.layers, LAYERS, tmp_path / folder)
    for layer in LAYERS:
        one, two = (tmp_path / folder / f"{layer.name}.arrow" for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
        with pa.ipc.open_file(one) as reader:
            assert reader.num_record_batches == 1


TEXTS = st.none() | st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=8)
# GDAL 3.12 writes the milliseconds of times before 1970 wrong ("00:01:00.''(Z"): whole seconds there
MOMENTS = st.none() | st.datetimes(datetime(101, 1, 1), datetime(9900, 1, 1)).map(
    lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000 if t.year >= 1970 else 0)
)
NUMBERS = st.none() | st.floats(0, 1e300)
ROWS = st.lists(st.tuples(TEXTS, MOMENTS, NUMBERS, st.floats(-180, 180), st.floats(-90, 90)), max_size=12)


@settings(max_examples=25, deadline=None)
@given(ROWS)
def test_any_value_survives(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple]) -> None:
    folder = tmp_path_factory.mktemp("any")
    texts, moments, depths, x, y = zip(*rows, strict=True) if rows else ([],) * 5
    frame = gpd.GeoDataFrame(
        {
            "report_id": [f"é{i}" for i in range(len(rows))],
            "source": ["s"] * len(rows),
            "category": ["flood"] * len(rows),
            "description": list(texts),
            "requested_datetime": pd.Series(moments, dtype="datetime64[ms]").dt.tz_localize("UTC"),
            "depth_m": list(depths),
        },
        geometry=[Point(pair) for pair in zip(x, y, strict=True)],
        crs="EPSG:4326",
    )
    write_layers(folder / "layers.gpkg", {REPORTS: frame}, pd.DataFrame({"zone_id": [], "member": []}))
    write_index(folder / "layers.gpkg", [REPORTS], folder)
    index = LayerIndex.opened(folder / "reports.arrow", REPORTS)
    found = {feature["id"]: feature for feature in parsed(index)}
    assert len(found) == len(rows)
    for i, (text, moment, depth, lon, lat) in enumerate(rows):
        feature = found[f"é{i}"]
        own = feature["properties"]
        assert (own["description"], own["depth_m"]) == (text, depth)
        assert own["requested_datetime"] == (
            None if moment is None else moment.isoformat(timespec="milliseconds") + "Z"
        )
        assert feature["geometry"]["coordinates"] == [lon, lat]


def test_a_version_without_an_index_gets_one_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    version = handmade.publish(tmp_path / "city")
    index = index_of(version, ROADS)
    assert index.path.parent == version.cache
    assert "published without this release's index" in caplog.text
    before = index.path.stat().st_mtime_ns
    module._opened.clear()
    assert parsed(index_of(version, ROADS)) == parsed(index)
    assert index.path.stat().st_mtime_ns == before
    assert [p.name for p in version.cache.iterdir()] == [f"roads.{module.form_of(ROADS)}.arrow"]
    write_index(version.layers, [ROADS], version.path / "index")
    module._opened.clear()
    assert index_of(version, ROADS).path == version.path / "index/roads.arrow"
    assert index_of(version, ROADS).path.read_bytes() == index.path.read_bytes()


def test_an_index_of_other_columns_is_made_anew(tmp_path: Path) -> None:
    """A later contract has another column: it is null, as in a version without an index."""
    version = handmade.publish(tmp_path / "city")
    earlier = replace(ROADS, columns=ROADS.columns[:-1])
    write_index(version.layers, [earlier], version.path / "index")
    assert module.form_of(earlier) != module.form_of(ROADS)
    index = index_of(version, ROADS)
    assert index.path.parent == version.cache
    assert all(list(feature["properties"]) == list(ROADS.names) for feature in parsed(index))


def test_many_threads_open_one_index(tmp_path: Path) -> None:
    version = handmade.publish(tmp_path / "city")
    found: list[list[dict]] = []
    threads = [threading.Thread(target=lambda: found.append(parsed(index_of(version, REPORTS)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(rows == found[0] for rows in found)


def test_opened_indexes_are_few(version: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT", 2)
    module._opened.clear()
    for layer in (REPORTS, HEXAGONS, ROADS, REPORTS):
        assert index_of(version, layer).n == len(handmade.tables()[layer])
        assert len(module._opened) <= 2
    assert index_of(version, REPORTS) is index_of(version, REPORTS)


def test_what_cannot_be_had_is_told(tmp_path: Path) -> None:
    version = handmade.publish(tmp_path / "city")
    with pytest.raises(NotFoundError, match="no depressions"):
        index_of(version, DEPRESSIONS)
    shutil.rmtree(version.cache.parent)
    version.cache.parent.write_text("in the way of the folder")
    with pytest.raises(StoreError, match="cannot be written"):
        index_of(version, ROADS)
    version.cache.parent.unlink()
    version.layers.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match="cannot be read"):
        index_of(version, ROADS)


def test_a_pruned_version_takes_its_cache_along(tmp_path: Path) -> None:
    city = tmp_path / "city"
    old = handmade.publish(city)
    index_of(old, ROADS)
    handmade.publish(city, handmade.SECOND)
    assert old.cache.is_dir()
    assert Versions(city / "var").prune(0) == [old.id]
    assert not old.cache.exists()
