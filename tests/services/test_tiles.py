"""OGC API – Tiles over HTTP: the abstract tests of 20-057, Annex A, on the running server, and what they leave open."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from spatial.contracts import SEVERITIES
from spatial.registry import LAYERS
from spatial.store.styles import FLOOD, qml
from spatial.store.tiles import FOLDER
from spatial.store.versions import Versions
from tests.services.running import get
from tests.store.tiles import decoded, unit_m

MVT = "application/vnd.mapbox-vector-tile"
REL = "http://www.opengis.net/def/rel/ogc/1.0"
SPEC = "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf"
MERCATOR = "http://www.opengis.net/def/crs/EPSG/0/3857"
REGISTERED = "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad"
QUAD = "WebMercatorQuad"
MIDDLE = (8342, 13539)  # row and column at zoom 14 of 117.509 E, 3.311 S


def ask(address: str, **headers: str) -> tuple[int, Message, bytes]:
    """Return status, headers and the body as it came."""
    request = urllib.request.Request(address, headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def links(page: dict, rel: str) -> list[dict]:
    return [row for row in page["links"] if row["rel"] == rel]


def resources(url: str, store) -> list[tuple[str, str]]:
    """The list of tile sets of the city, and of every collection that has features: address and name."""
    return [(f"{url}/tiles", "")] + [
        (f"{url}/collections/{name}/tiles", name) for name, table in store.items() if len(table)
    ]


def fill(template: str, z: object, row: object, col: object) -> str:
    for key, value in (("{tileMatrix}", z), ("{tileRow}", row), ("{tileCol}", col)):
        assert key in template
        template = template.replace(key, str(value))
    return template


def item(url: str, path: str) -> str:
    return links(get(f"{url}{path}/{QUAD}")[2], "item")[0]["href"]


def test_core_conformance(url: str) -> None:
    told = get(f"{url}/conformance")[2]["conformsTo"]
    classes = ("core", "tileset", "tilesets-list", "dataset-tilesets", "geodata-tilesets", "collections-selection")
    assert {f"{SPEC}/{name}" for name in (*classes, "mvt", "oas30")} <= set(told)


def test_core_tc_op_and_success(url: str, store) -> None:
    """A.2–A.6: every tile that a tile set's limits hold is there or empty; what is in it lies in the tile."""
    for address, name in resources(url, store):
        tiles = get(f"{address}/{QUAD}")[2]
        template = links(tiles, "item")[0]["href"]
        seen = set()
        for limits in tiles["tileMatrixSetLimits"]:
            zoom = int(limits["tileMatrix"])
            status, headers, body = ask(fill(template, zoom, limits["minTileRow"], limits["minTileCol"]))
            assert status in (200, 204)
            if status == 204:
                assert body == b""
                continue
            assert headers["Content-Type"] == MVT
            layers = decoded(body)
            assert set(layers) == {name} if name else layers
            seen |= set(layers)
            for layer in layers.values():
                for feature in layer["features"]:
                    for x, y in points(feature["geometry"]["coordinates"]):
                        assert -128 <= x <= 4096 + 128
                        assert -128 <= y <= 4096 + 128
        assert seen


def points(coordinates: list):
    if isinstance(coordinates[0], int | float):
        yield coordinates
    else:
        for part in coordinates:
            yield from points(part)


@pytest.mark.parametrize("path", ["/tiles", "/collections/hexagons/tiles"])
def test_core_tc_error(url: str, path: str) -> None:
    """A.7: out of range is 404, or 400 where it is no number; within the limits and empty is 204."""
    tiles = get(f"{url}{path}/{QUAD}")[2]
    template = links(tiles, "item")[0]["href"]
    for limits in tiles["tileMatrixSetLimits"]:
        z = limits["tileMatrix"]
        for row, col in (
            (limits["minTileRow"] - 1, limits["minTileCol"]),
            (limits["maxTileRow"] + 1, limits["minTileCol"]),
            (limits["minTileRow"], limits["minTileCol"] - 1),
            (limits["minTileRow"], limits["maxTileCol"] + 1),
        ):
            assert ask(fill(template, z, row, col))[0] == 404, (z, row, col)
    for z, row, col in ((4, 8, 13), (15, *MIDDLE), (99, 0, 0), (14, 2**14, 2**14), ("9" * 30, 0, 0), (14, -1, 0)):
        assert ask(fill(template, z, row, col))[0] in (400, 404)
    for z, row, col in (("x", 1, 1), (14, "1.5", 1), (14, 1, "٣"), (14, 1, "%20")):
        status, _, body = ask(fill(template, z, row, "%D9%A3" if col == "٣" else col))
        assert status == 400
        assert b"expected a whole number" in body


def test_an_empty_tile_within_the_limits_is_204(url: str) -> None:
    """The report at 118.2 E makes the limits wide; there is nothing between it and the city."""
    tiles = get(f"{url}/tiles/{QUAD}")[2]
    template = links(tiles, "item")[0]["href"]
    status, headers, body = ask(fill(template, 14, MIDDLE[0], MIDDLE[1] + 10), Accept_Encoding="gzip")
    assert (status, body) == (204, b"")
    assert "Content-Encoding" not in headers


def test_tileset_description(url: str, store) -> None:
    """/conf/tileset/description, by the schema of 17-083r4: required members, registered URI, links."""
    for address, name in resources(url, store):
        tiles = get(f"{address}/{QUAD}")[2]
        assert (tiles["dataType"], tiles["crs"], tiles["tileMatrixSetURI"]) == ("vector", MERCATOR, REGISTERED)
        assert [row["href"] for row in links(tiles, f"{REL}/tiling-scheme")] == [f"{url}/tileMatrixSets/{QUAD}"]
        (template,) = links(tiles, "item")
        assert template["templated"] is True
        assert template["type"] == MVT
        assert re.search(r"/\{tileMatrix\}/\{tileRow\}/\{tileCol\}\?", template["href"])
        assert get(links(tiles, "self")[0]["href"])[2] == tiles
        assert get(links(tiles, "alternate")[0]["href"])[2]["tilejson"] == "3.0.0"
        assert not name or [layer["id"] for layer in tiles["layers"]] == [name]
        assert all(row["href"].startswith(url) for row in tiles["links"])
        for layer in tiles["layers"]:
            assert 5 <= int(layer["minTileMatrix"]) <= int(layer["maxTileMatrix"]) == 14
            assert get(layer["links"][0]["href"])[2]["id"] == layer["id"]


def test_tilesets_list_and_links_that_lead_there(url: str, store) -> None:
    """/conf/tilesets-list/tileset-links, /conf/dataset-tilesets/landingpage, /conf/geodata-tilesets/desc-links."""
    landing = get(url + "/")[2]
    assert [row["href"] for row in links(landing, f"{REL}/tilesets-vector")] == [f"{url}/tiles"]
    assert [row["href"] for row in links(landing, f"{REL}/tiling-schemes")] == [f"{url}/tileMatrixSets"]
    for name, table in store.items():
        told = links(get(f"{url}/collections/{name}")[2], f"{REL}/tilesets-vector")
        assert [row["href"] for row in told] == ([f"{url}/collections/{name}/tiles"] if len(table) else [])
        if not len(table):
            status, _, body = get(f"{url}/collections/{name}/tiles")
            assert status == 404
            assert "no features" in body["description"]
    for address, _ in resources(url, store):
        page = get(address)[2]
        (listed,) = page["tilesets"]
        assert {"dataType", "crs", "tileMatrixSetURI"} <= set(listed)
        assert links(listed, f"{REL}/tiling-scheme")
        own = links(listed, "self")[0]["href"]
        assert own == f"{address}/{QUAD}"
        whole = get(own)[2]
        assert all(whole[key] == listed[key] for key in listed if key != "links")


def test_the_matrix_set_is_the_registered_one(url: str) -> None:
    """17-083r4, Annex D.1: its figures for WebMercatorQuad."""
    page = get(f"{url}/tileMatrixSets")[2]
    assert [row["id"] for row in page["tileMatrixSets"]] == [QUAD]
    told = get(page["tileMatrixSets"][0]["links"][0]["href"])[2]
    assert (told["uri"], told["crs"]) == (REGISTERED, MERCATOR)
    assert [row["id"] for row in told["tileMatrices"]] == [str(z) for z in range(25)]
    published = {0: (559082264.028717, 156543.033928041), 14: (34123.6733415964, 9.55462853564703)}
    published |= {24: (33.3238997476528, 0.0093306919293428)}
    for zoom, (scale, cell) in published.items():
        matrix = told["tileMatrices"][zoom]
        assert matrix["scaleDenominator"] == pytest.approx(scale, rel=1e-11)
        assert matrix["cellSize"] == pytest.approx(cell, rel=1e-11)
        assert matrix["pointOfOrigin"] == pytest.approx([-20037508.3427892, 20037508.3427892])
        assert matrix["matrixWidth"] == matrix["matrixHeight"] == 2**zoom
        assert matrix["tileWidth"] == matrix["tileHeight"] == 256
    assert get(f"{url}/tileMatrixSets/Other")[0] == 404
    assert get(f"{url}/tiles/Other")[0] == get(f"{url}/tiles/Other/5/16/26")[0] == 404


def test_collections_selection(url: str) -> None:
    """/conf/collections-selection: of tile sets and tiles, by id or by address, the first first."""
    wanted = f"roads,{url}/collections/hexagons"
    tiles = get(f"{url}/tiles/{QUAD}", collections=wanted)[2]
    assert [layer["id"] for layer in tiles["layers"]] == ["roads", "hexagons"]
    address = fill(links(tiles, "item")[0]["href"], 14, *MIDDLE)
    status, _, body = ask(address)
    assert status == 200
    assert list(decoded(body)) == ["roads", "hexagons"]
    plain = decoded(ask(fill(item(url, "/tiles"), 14, *MIDDLE))[2])
    assert decoded(body) == {name: plain[name] for name in ("roads", "hexagons")}
    one = ask(f"{url}/tiles/{QUAD}/14/8342/13539?collections=hexagons", Accept_Encoding="gzip")
    own = ask(f"{url}/collections/hexagons/tiles/{QUAD}/14/8342/13539", Accept_Encoding="gzip")
    assert one[2] == own[2]
    assert ask(f"{url}/tiles/{QUAD}/14/8342/13539?collections=scenario_cells")[0] == 204
    for bad in ("nope", "", "roads,roads", "city", "roads,"):
        status, _, told = get(f"{url}/tiles/{QUAD}/14/8342/13539", collections=bad)
        assert status == 400
        assert told["description"].startswith(f"collections={bad}")
    assert get(f"{url}/collections/roads/tiles/{QUAD}", collections="roads")[0] == 400


def test_oas30_operations_are_described(url: str) -> None:
    document = get(f"{url}/openapi", f="json")[2]
    told = {
        operation["get"].get("operationId"): path for path, operation in document["paths"].items() if "get" in operation
    }
    for owner, start in (("dataset", ""), ("collection", "/collections/{collectionId}")):
        assert told[f".{owner}.vector.getTileSetsList"] == f"{start}/tiles"
        assert told[f".{owner}.vector.getTileSet"] == f"{start}/tiles/{{tileMatrixSetId}}"
        path = told[f".{owner}.vector.getTile"]
        assert path == f"{start}/tiles/{{tileMatrixSetId}}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}"
        parameters = {p["name"]: p for p in document["paths"][path]["get"]["parameters"]}
        assert all(parameters[name]["required"] for name in ("tileMatrixSetId", "tileMatrix", "tileRow", "tileCol"))
    assert {"getTileMatrixSetsList", "getTileMatrixSet"} <= set(told)


def test_mvt_places_features_by_the_grid_of_the_tile(url: str, store) -> None:
    """/conf/mvt/content: (0, 0) is the tile's upper left corner, y grows southwards, linearly in EPSG:3857."""
    zoom, (row, col) = 14, MIDDLE
    body = ask(fill(item(url, "/collections/facilities/tiles"), zoom, row, col))[2]
    seen = {f["properties"]["facility_id"]: f for f in decoded(body)["facilities"]["features"]}
    metres = store["facilities"].to_crs("EPSG:3857").set_index("facility_id").geometry
    assert set(seen) == set(metres.index)
    west, north = col * 4096 * unit_m(zoom) - 20037508.342789244, 20037508.342789244 - row * 4096 * unit_m(zoom)
    for name, point in metres.items():
        x, y = seen[name]["geometry"]["coordinates"]
        assert west + x * unit_m(zoom) == pytest.approx(point.x, abs=unit_m(zoom))
        assert north - y * unit_m(zoom) == pytest.approx(point.y, abs=unit_m(zoom))


def test_gzip_goes_through_to_those_who_take_it(url: str, city: Path) -> None:
    address = fill(item(url, "/tiles"), 14, *MIDDLE)
    status, headers, packed = ask(address, Accept_Encoding="br;q=1, gzip;q=0.5")
    assert (status, headers["Content-Encoding"], headers["Vary"]) == (200, "gzip", "Accept-Encoding")
    for accepted in ("identity", "gzip;q=0", "br"):
        status, plain_headers, body = ask(address, Accept_Encoding=accepted)
        assert "Content-Encoding" not in plain_headers
        assert body == gzip.decompress(packed)
        assert plain_headers["ETag"] != headers["ETag"]


def test_tiles_are_kept_by_clients(url: str) -> None:
    pinned = fill(item(url, "/tiles"), 14, *MIDDLE)
    _, headers, _ = ask(pinned)
    assert "immutable" in headers["Cache-Control"]
    free = pinned.split("?")[0]
    assert ask(free)[1]["Cache-Control"] == "no-cache"
    assert ask(free, If_None_Match=headers["ETag"])[0] == 304
    assert ask(free, If_None_Match='"other"')[0] == 200
    assert ask(free.replace("13539", "13540"), If_None_Match=headers["ETag"])[0] == 200


def test_tilejson_tells_what_is_in_the_tiles(url: str, store) -> None:
    told = get(f"{url}/collections/hexagons/tiles/{QUAD}", f="tilejson")[2]
    assert told["tiles"][0].startswith(f"{url}/collections/hexagons/tiles/{QUAD}/{{z}}/{{y}}/{{x}}?")
    assert told["bounds"] == pytest.approx(store["hexagons"].total_bounds, abs=1e-6)
    assert (told["minzoom"], told["maxzoom"]) == (5, 14)
    (layer,) = told["vector_layers"]
    assert layer["fields"]["flood_score"] == "Skor banjir / Flood score"
    assert layer["fields"]["road_length_m"].endswith("[m]")
    seen = set()
    for zoom, row, col in ((14, *MIDDLE), (6, 32, 52)):
        address = told["tiles"][0].replace("{z}", str(zoom)).replace("{y}", str(row)).replace("{x}", str(col))
        for feature in decoded(ask(address)[2])["hexagons"]["features"]:
            seen |= set(feature["properties"])
    assert {"cell", "flood_class", "cell_count"} <= seen <= set(layer["fields"])
    assert "explanation_parts" not in layer["fields"]


def test_a_tile_of_the_whole_city_at_zoom_6_is_small(url: str) -> None:
    body = ask(fill(item(url, "/tiles"), 6, 32, 52), Accept_Encoding="gzip")[2]
    assert len(body) < 50_000
    cells = decoded(gzip.decompress(body))["hexagons"]["features"]
    assert {f["properties"]["resolution"] for f in cells} == {5}


def test_unknown_things_are_refused(url: str) -> None:
    tile = f"{url}/tiles/{QUAD}/14/8342/13539"
    assert get(tile, f="png")[0] == get(tile, bbox="1,2,3,4")[0] == get(f"{url}/tiles", datetime="..")[0] == 400
    assert get(tile, version="0000000000000000")[0] == get(tile, version="../x")[0] == 404
    assert get(f"{url}/collections/nope/tiles")[0] == get(f"{url}/collections/city/tiles")[0] == 404


def test_a_version_without_tiles_says_why(city: Path, url: str) -> None:
    versions = Versions(city / "var")
    old = versions.var / "versions" / "00000000deadbeef"
    shutil.copytree(versions.current().path, old, ignore=shutil.ignore_patterns(FOLDER))
    try:
        for path in ("/tiles", f"/tiles/{QUAD}/14/8342/13539", f"/collections/roads/tiles/{QUAD}"):
            status, _, told = get(url + path, version="00000000deadbeef")
            assert status == 404
            assert "earlier release" in told["description"]
    finally:
        shutil.rmtree(old)


def test_links_keep_the_version_that_was_asked_for(city: Path, url: str) -> None:
    version = Versions(city / "var").current().id
    page = get(f"{url}/tiles", version=version)[2]
    own = links(page["tilesets"][0], "self")[0]["href"]
    assert urlsplit(own).query == f"version={version}"
    assert f"version={version}" in links(get(own)[2], "alternate")[0]["href"]


def test_styles_have_the_colours_of_the_geopackage(url: str, store) -> None:
    for start, kinds in [("", 1)] + [(f"/collections/{layer.name}", 2) for layer in LAYERS]:
        home = get(url + (start or "/"))[2]
        (address,) = links(home, f"{REL}/styles")
        (listed,) = get(address["href"])[2]["styles"]
        empty = start and not len(store[start.split("/")[2]])
        assert len(links(listed, "stylesheet")) == (1 if empty else kinds)
        for sheet in links(listed, "stylesheet"):
            status, media, _ = get(sheet["href"])
            assert (status, media.split(";")[0]) == (200, sheet["type"])
    told = json.loads(ask(f"{url}/collections/flood_zones/styles/hexakota")[2])
    (zones,) = [row for row in told["layers"] if row["id"] == "flood_zones"]
    match = zones["paint"]["fill-color"]
    assert dict(zip(match[2:-1:2], match[3:-1:2], strict=True)) == {
        s: "#{:02x}{:02x}{:02x}".format(*FLOOD[s]) for s in SEVERITIES
    }
    layer = next(layer for layer in LAYERS if layer.name == "reports")
    assert ask(f"{url}/collections/reports/styles/hexakota?f=qml")[2].decode() == qml(layer)
    assert get(f"{url}/styles/other")[0] == get(f"{url}/collections/nope/styles")[0] == 404
    assert get(f"{url}/styles/hexakota", f="qml")[0] == 400


def test_a_style_asks_for_nothing_from_elsewhere(url: str) -> None:
    text = ask(f"{url}/styles/hexakota")[2].decode()
    style = json.loads(text)
    assert style["version"] == 8
    assert not {"glyphs", "sprite"} & set(style)
    assert {urlsplit(a).netloc for a in re.findall(r'https?://[^"\\ ]+', text)} == {urlsplit(url).netloc}
    assert not [row for row in style["layers"] if row["type"] == "symbol"]


def test_tiles_of_the_city_hold_every_layer_that_has_features(url: str, store) -> None:
    told = get(f"{url}/tiles/{QUAD}")[2]["layers"]
    assert {layer["id"] for layer in told} == {name for name, table in store.items() if len(table)}
    body = ask(fill(item(url, "/tiles"), 14, *MIDDLE))[2]
    reports = {f["properties"]["report_id"]: f["properties"] for f in decoded(body)["reports"]["features"]}
    odd = next(row for name, row in reports.items() if name.endswith("odd1"))
    table = store["reports"].set_index("report_id")
    assert odd["description"] == table.loc[odd["report_id"], "description"]
    assert "🌊 𝔘" in odd["description"]
