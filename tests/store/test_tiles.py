"""Vector tiles of layers: every feature, every attribute, nothing that pretends to be more than it is."""

from __future__ import annotations

import gzip
import hashlib
import math
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import h3
import mapbox_vector_tile
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPolygon, Point, box

from spatial.contracts import CLASSES, FLOOD_ZONES, HEXAGONS, REPORTS, ROADS, checked
from spatial.errors import NotFoundError, StoreError
from spatial.hexgrid.grid import cell_polygons
from spatial.registry import LAYERS
from spatial.store import cutting
from spatial.store.levels import MAX_ZOOM, MIN_ZOOM, PLANS, enlarged, resolution_at, shown_from
from spatial.store.maplibre import style
from spatial.store.mbtiles import deflated, gzipped, layers_of, open_tiles, write_mbtiles
from spatial.store.parents import RULES, parent_cells
from spatial.store.styles import look
from spatial.store.tiles import CITY, tile_set, write_tiles
from tests.store.tiles import TO_METRES, counted, features, stored, unit_m

KOTA = {"name": "Kota <Uji>", "synthetic": True, "attribution": ["© uji"]}
CENTRE = h3.latlng_to_cell(-3.31, 117.58, 9)
CELLS = sorted(h3.grid_disk(CENTRE, 6))
CELL_COLUMNS = {
    *("cell", "resolution", "kelurahan", "kecamatan", "report_rate", "road_length_m", "lamps_total", "silence"),
    *("reports_total", "reports_flood", "reports_drainage", "reports_street_light"),
    *("incidents_flood", "incidents_lighting", "elevation_mean_m", "hand_min_m", "depression_depth_max_m"),
    *("flood_susceptibility", "flood_evidence", "flood_score", "flood_class", "flood_emergence"),
    *("lighting_score", "lighting_class", "lighting_emergence"),
}


def hexagons(cells: list[str], **columns: object) -> gpd.GeoDataFrame:
    rows = {"cell": cells, "resolution": h3.get_resolution(cells[0]), **columns}
    return checked(HEXAGONS, gpd.GeoDataFrame(rows, geometry=cell_polygons(cells), crs="EPSG:4326"))


def city() -> dict:
    """Cells, reports inside and far away, a road across tiles and one of a metre, zones from 30 m to 3 km."""
    rng = np.random.default_rng(1)
    score = rng.uniform(0, 1, len(CELLS))
    classes = np.array(CLASSES)[np.digitize(score, [1 / 3, 2 / 3])]
    cells = hexagons(CELLS, flood_score=score, flood_class=classes, reports_total=rng.integers(0, 9, len(CELLS)))
    points = [Point(x, y) for x, y in rng.uniform((117.56, -3.33), (117.60, -3.29), (50, 2))] + [Point(106.8, -6.2)]
    reports = {
        "report_id": [f"r{i:02d}" for i in range(51)],
        "source": "uji",
        "category": ["flood", "waste", "tree"] * 17,
        "description": ["<b>&amp; 'kutip' 🌊 𝔘", None, "12"] * 17,
        "requested_datetime": pd.to_datetime(
            ["1969-07-20T20:17:40Z", None, "2025-01-01T00:00:00.25Z"] * 17, format="ISO8601"
        ),
        "depth_m": [0.1, np.nan, 3.0] * 17,
    }
    lines = [LineString([(117.5, -3.31), (117.7, -3.30)]), LineString([(117.58, -3.3), (117.580004, -3.3)])]
    roads = {"road_id": ["way/1", "way/2"], "highway": ["primary_link", "residential"], "length_m": [22000.0, 0.4]}
    squares = [box(117.58, -3.31, 117.58 + side, -3.31 + side) for side in (0.0003, 0.003, 0.03)]
    zones = {"zone_id": ["a", "b", "c"], "zone_type": "flood", "severity": ["low", "medium", "high"], "version": "v"}
    return {
        HEXAGONS: cells,
        REPORTS: gpd.GeoDataFrame(reports, geometry=points, crs="EPSG:4326"),
        ROADS: gpd.GeoDataFrame(roads, geometry=[shapely.multilinestrings([line]) for line in lines], crs="EPSG:4326"),
        FLOOD_ZONES: gpd.GeoDataFrame(zones, geometry=[MultiPolygon([s]) for s in squares], crs="EPSG:4326"),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("version") / "tiles"
    write_tiles(path, city(), KOTA)
    return path


def same(seen: object, wanted: object) -> bool:
    """Equal, numbers as 32-bit floats."""
    if isinstance(wanted, float | np.floating):
        return float(np.float32(wanted)) == pytest.approx(seen, rel=1e-7)
    return seen == wanted


def plain(value: object) -> object:
    return value.isoformat(timespec="milliseconds")[:23] + "Z" if isinstance(value, pd.Timestamp) else value


@pytest.mark.parametrize("layer", [HEXAGONS, REPORTS, ROADS, FLOOD_ZONES], ids=lambda layer: layer.name)
def test_every_feature_is_in_the_highest_zoom_as_it_is(folder: Path, layer) -> None:
    table = checked(layer, city()[layer])
    seen = features(folder / f"{layer.name}.mbtiles", layer.name, layer.id_column, MAX_ZOOM)
    assert sorted(seen) == sorted(table[layer.id_column])
    told = set(layer.names) - {"explanation_parts"} if layer != HEXAGONS else CELL_COLUMNS
    for row in table.to_dict("records"):
        attributes, geometry = seen[row[layer.id_column]]
        wanted = {k: plain(v) for k, v in row.items() if k in told and pd.notna(v)}
        assert set(attributes) == set(wanted)
        assert all(same(attributes[name], wanted[name]) for name in wanted), (attributes, wanted)
        metres = shapely.transform(row["geometry"], TO_METRES.transform, interleaved=False)
        if metres.length == 0 or metres.length > 4 * unit_m(MAX_ZOOM):
            assert shapely.hausdorff_distance(geometry, metres) < 1.5 * unit_m(MAX_ZOOM)
        else:  # the road of 0.4 m
            assert shapely.distance(geometry, metres) < 2 * unit_m(MAX_ZOOM)


def test_cells_tile_without_gaps_at_the_highest_zoom(folder: Path) -> None:
    seen = features(folder / "hexagons.mbtiles", "hexagons", "cell", MAX_ZOOM)
    parts = [geometry for _, geometry in seen.values()]
    whole = shapely.union_all(parts)
    outline = shapely.union_all(shapely.transform(cell_polygons(CELLS), TO_METRES.transform, interleaved=False))
    assert shapely.get_num_geometries(whole) == 1
    assert shapely.get_num_interior_rings(whole) == 0
    assert sum(shapely.area(parts)) == pytest.approx(whole.area, rel=1e-9)  # no overlaps
    assert whole.area == pytest.approx(outline.area, rel=1e-3)


@pytest.mark.parametrize("zoom", range(MIN_ZOOM, MAX_ZOOM + 1))
def test_sums_hold_at_every_zoom(folder: Path, zoom: int) -> None:
    tables = city()
    cells = {k: a for k, (a, _) in features(folder / "hexagons.mbtiles", "hexagons", "cell", zoom).items()}
    whole = zoom >= 12  # 348 m at 38 m a pixel are 9 pixels; at 76 m a pixel less than 6
    assert sum(a["reports_total"] for a in cells.values()) == tables[HEXAGONS]["reports_total"].sum()
    assert sum(a.get("cell_count", 1) for a in cells.values()) == len(CELLS)
    assert all(("cell_count" in a) == (not whole) for a in cells.values())
    assert {h3.get_resolution(cell) for cell in cells} == {a["resolution"] for a in cells.values()}
    assert max(a["flood_score"] for a in cells.values()) == pytest.approx(tables[HEXAGONS]["flood_score"].max())
    points = counted(folder / "reports.mbtiles", "reports", zoom)
    told = pd.Series([p["category"] for p in points for _ in range(p.get("point_count", 1))]).value_counts()
    assert told.to_dict() == {"flood": 17, "waste": 17, "tree": 17}
    assert all(("report_id" in p) == (zoom >= 13) == ("point_count" not in p) for p in points)
    assert len(features(folder / "flood_zones.mbtiles", "flood_zones", "zone_id", zoom)) == 3
    roads = features(folder / "roads.mbtiles", "roads", "road_id", zoom)
    assert len(roads) == (0 if zoom < 8 else 1 if zoom < 12 else 2)


@pytest.mark.parametrize("zoom", [5, 6, 9, 14])
def test_the_tile_set_of_all_holds_what_the_others_hold(folder: Path, zoom: int) -> None:
    apart: dict = {}
    for path in folder.glob("*.mbtiles"):
        if path.stem != CITY:
            for address, layers in stored(path, zoom):
                apart.setdefault(address, {}).update(layers)
    assert dict(stored(folder / "city.mbtiles", zoom)) == apart


@settings(max_examples=60)
@given(st.data())
def test_parents_tell_of_their_children(data: st.DataObject) -> None:
    cells = data.draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=30, unique=True))
    coarse = data.draw(st.integers(4, 8))
    counts = data.draw(st.lists(st.none() | st.integers(0, 50), min_size=len(cells), max_size=len(cells)))
    scores = data.draw(st.lists(st.none() | st.floats(0, 1), min_size=len(cells), max_size=len(cells)))
    classes = data.draw(st.lists(st.none() | st.sampled_from(CLASSES), min_size=len(cells), max_size=len(cells)))
    names = data.draw(
        st.lists(st.none() | st.sampled_from(["Utara", "Selatan"]), min_size=len(cells), max_size=len(cells))
    )
    table = hexagons(
        cells, reports_total=counts, flood_score=scores, flood_class=classes, kelurahan=names, silence=scores,
        report_rate=scores, road_length_m=[100.0 * (i % 3) for i in range(len(cells))],
    )  # fmt: skip
    seen = parent_cells(HEXAGONS, table, coarse).set_index("cell")
    children: dict[str, list[int]] = {}
    for i, cell in enumerate(cells):
        children.setdefault(h3.cell_to_parent(cell, coarse), []).append(i)
    assert sorted(seen.index) == list(seen.index) == sorted(children)
    for parent, rows in children.items():
        told = seen.loc[parent]
        assert told["cell_count"] == len(rows)
        assert told["resolution"] == coarse
        known = [counts[i] for i in rows if counts[i] is not None]
        assert (told["reports_total"] == sum(known)) if known else pd.isna(told["reports_total"])
        best = [scores[i] for i in rows if scores[i] is not None]
        assert (told["flood_score"] == max(best)) if best else pd.isna(told["flood_score"])
        worst = [CLASSES.index(classes[i]) for i in rows if classes[i] is not None]
        assert (told["flood_class"] == CLASSES[max(worst)]) if worst else pd.isna(told["flood_class"])
        alike = {names[i] for i in rows}
        assert (
            (told["kelurahan"] == alike.pop()) if len(alike) == 1 and None not in alike else pd.isna(told["kelurahan"])
        )
        for column, weight in (("silence", lambda i: h3.cell_area(cells[i])), ("report_rate", lambda i: i % 3)):
            pairs = [(scores[i], weight(i)) for i in rows if scores[i] is not None]
            if sum(w for _, w in pairs) > 0:
                mean = sum(v * w for v, w in pairs) / sum(w for _, w in pairs)
                assert told[column] == pytest.approx(mean, rel=1e-3)
            else:
                assert pd.isna(told[column])
        outline = [(lng, lat) for lat, lng in h3.cell_to_boundary(parent)]
        assert shapely.equals_exact(told["geometry"].normalize(), shapely.Polygon(outline).normalize(), 1e-9)


def test_each_column_of_a_cell_in_the_tiles_has_its_rule() -> None:
    assert {c.name for c in cutting.tile_columns(HEXAGONS)} == CELL_COLUMNS
    assert set(RULES["hexagons"]) == CELL_COLUMNS - {"cell", "resolution"}
    assert look(HEXAGONS).attribute in CELL_COLUMNS


def test_every_layer_has_a_plan_and_a_place_on_the_map() -> None:
    assert set(PLANS) | set(RULES) == {layer.name for layer in LAYERS}
    tiles = dict.fromkeys(("tiles", "bounds", "minzoom", "maxzoom", "attribution", "scheme"))
    drawn = style("x", tiles, LAYERS, (0.0, 0.0))["layers"]
    assert {row["id"] for row in drawn} == {"background"} | {layer.name for layer in LAYERS}
    hexes = next(row for row in drawn if row["id"] == "hexagons")
    colours = [part for part in hexes["paint"]["fill-color"] if isinstance(part, str) and part.startswith("#")]
    assert colours == ["#%02x%02x%02x" % colour for _, _, colour in look(HEXAGONS).steps]  # noqa: UP031


@pytest.mark.parametrize(("zoom", "wanted"), [(5, 4), (6, 5), (8, 6), (9, 7), (10, 8), (12, 9), (13, 10)])
def test_a_cell_is_at_least_six_pixels_wide(zoom: int, wanted: int) -> None:
    """By H3's published mean areas, km²: resolution 4 1770, 5 253, 6 36.1, 7 5.16, 8 0.737, 9 0.105, 10 0.0150."""
    area = {4: 1770.3, 5: 252.9, 6: 36.13, 7: 5.161, 8: 0.7373, 9: 0.1053, 10: 0.01505, 11: 0.00215}
    pixels = {r: 1000 * math.sqrt(a * 2 / math.sqrt(3)) / (156543.034 / 2**zoom) for r, a in area.items()}
    assert pixels[wanted] >= 6 > pixels[wanted + 1]
    assert resolution_at(zoom, 6) == wanted


def test_what_is_too_small_is_drawn_larger() -> None:
    """A unit is 360/4096/2ᶻ degrees: a square of 1e-5 degrees has 1.9 units at zoom 14, one of 1 degree 11.4 at zoom 0,
    and a strip of 1 by 1e-5 degrees is 2 units thick from zoom 15 on."""
    square, wide, strip = box(0, 0, 1e-5, 1e-5), box(0, 0, 1, 1), box(0, 0, 1, 1e-5)
    shapes = np.array([square, wide, strip], dtype=object)
    assert shown_from(shapes, 2).tolist() == [15, 0, 15]
    assert shown_from(shapes, 32).tolist() == [19, 2, 15]  # 11.4 · 2² = 45.5 units
    drawn = enlarged(np.array([square, LineString([(0, 0), (1e-6, 0)])], dtype=object), 14, 2)
    unit = 360 / 4096 / 2**14
    assert shapely.bounds(drawn[0])[2] - shapely.bounds(drawn[0])[0] == pytest.approx(2 * unit)
    assert shapely.length(drawn[1]) == pytest.approx(2 * unit)
    assert shapely.covers(drawn[0], square)


def test_the_same_layers_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = write_tiles(tmp_path / "elsewhere", {k: v.sample(frac=1, random_state=3) for k, v in city().items()}, KOTA)
    for path in folder.iterdir():
        assert (tmp_path / "elsewhere" / path.name).read_bytes() == path.read_bytes()
        told = again["sets"][path.stem]
        assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert told["bytes"] == path.stat().st_size
    assert (
        sorted(again["sets"]) == sorted(p.stem for p in folder.iterdir()) == sorted(("city", *(k.name for k in city())))
    )


def test_layers_of_another_version_are_taken_over(folder: Path, tmp_path: Path) -> None:
    fewer = {ROADS: city()[ROADS].iloc[:1], FLOOD_ZONES: city()[FLOOD_ZONES].iloc[:0]}
    write_tiles(tmp_path / "tiles", fewer, KOTA, folder)
    assert sorted(p.stem for p in (tmp_path / "tiles").iterdir()) == ["city", "hexagons", "reports", "roads"]
    assert (tmp_path / "tiles/hexagons.mbtiles").read_bytes() == (folder / "hexagons.mbtiles").read_bytes()
    assert len(features(tmp_path / "tiles/roads.mbtiles", "roads", "road_id", 14)) == 1
    assert {name for _, layers in stored(tmp_path / "tiles/city.mbtiles", 14) for name in layers} == {
        "hexagons", "reports", "roads",
    }  # fmt: skip


def test_a_version_without_tiles_says_why(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="earlier release"):
        tile_set(tmp_path)
    with pytest.raises(NotFoundError, match="no features"):
        tile_set(folder.parent, "streams")
    assert write_tiles(tmp_path / "none", {ROADS: city()[ROADS].iloc[:0]}, KOTA)["sets"] == {}


def test_metadata_names_the_city_and_its_sources(folder: Path) -> None:
    told = open_tiles(folder / "city.mbtiles").metadata
    assert told["name"].startswith("[SINTETIS / SYNTHETIC] Kota <Uji>")
    assert told["attribution"] == "© uji"
    assert {v["id"]: v["minzoom"] for v in told["json"]["vector_layers"]} == {
        "flood_zones": 5, "hexagons": 5, "reports": 5, "roads": 8,
    }  # fmt: skip


def test_a_failure_of_tippecanoe_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cutting, "_OPTIONS", ("--no-such-option",))
    with pytest.raises(StoreError, match="tippecanoe"):
        write_tiles(tmp_path / "tiles", {ROADS: city()[ROADS]}, KOTA)
    assert list((tmp_path / "tiles").iterdir()) == []


names = st.lists(st.text(min_size=1, max_size=200), min_size=1, max_size=4, unique=True)


@given(names)
def test_a_tile_is_cut_into_its_layers(names: list[str]) -> None:
    point = {"geometry": "POINT(1 2)", "properties": {"x": "y" * 300, "n": 7}}
    tile = mapbox_vector_tile.encode([{"name": name, "features": [point]} for name in names])
    pieces = layers_of(tile)
    assert list(pieces) == names
    assert b"".join(pieces.values()) == tile
    for name, piece in pieces.items():
        assert list(mapbox_vector_tile.decode(piece)) == [name]


@given(st.lists(st.binary(max_size=2000) | st.builds(lambda b, n: b * n, st.binary(max_size=9), st.integers(0, 9000))))
def test_pieces_packed_apart_are_one_gzip_member(parts: list[bytes]) -> None:
    packed = gzipped([deflated(part) for part in parts])
    assert gzip.decompress(packed) == b"".join(parts)
    one = zlib.decompressobj(wbits=31)
    assert one.decompress(packed) == b"".join(parts)
    assert one.eof
    assert one.unused_data == b""  # browsers read the first member alone


def test_rows_are_counted_from_the_north(tmp_path: Path) -> None:
    """MBTiles 1.3: tile_row is TMS, from the south: at zoom 5, row 0 from the north is 31."""
    write_mbtiles(tmp_path / "a.mbtiles", {(5, 0, 3): [deflated(b"a")], (5, 31, 3): [deflated(b"b")]}, {
        "bounds": "-145,80,-144,84", "minzoom": "5", "maxzoom": "5", "json": {},
    })  # fmt: skip
    with closing(sqlite3.connect(tmp_path / "a.mbtiles")) as connection:
        rows = dict(connection.execute("SELECT tile_row, tile_data FROM tiles"))
    assert {row: gzip.decompress(data) for row, data in rows.items()} == {31: b"a", 0: b"b"}
    tiles = open_tiles(tmp_path / "a.mbtiles")
    assert gzip.decompress(tiles.tile((5, 0, 3))) == b"a"
    assert tiles.tile((5, 1, 3)) is None
