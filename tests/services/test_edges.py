"""The API on a store made by hand: exact answers at every edge, and a clear refusal of everything else."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spatial.contracts import REPORTS
from spatial.registry import LAYER_BY_NAME
from spatial.store.versions import Versions
from tests.services import handmade
from tests.services.handmade import DEPTHS, FIRST, ODD, ODD_ID, SECOND
from tests.services.running import get, served

ROOT = Path(__file__).parents[2]
LAYERS = list(handmade.tables())  # as an older program would have published them
NAMES = [layer.name for layer in LAYERS]
TABLES: dict[str, gpd.GeoDataFrame] = {
    layer.name: table.sort_values(layer.id_column) for layer, table in handmade.tables().items()
}


@pytest.fixture(scope="module")
def hand_city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hand") / "city"
    handmade.publish(folder)
    return folder


@pytest.fixture(scope="module")
def hand(hand_city: Path) -> Iterator[str]:
    with served(hand_city) as url:
        yield url


def ids(url: str, name: str, **parameters: object) -> list[str]:
    status, _, page = get(f"{url}/collections/{name}/items", **{"limit": 10000} | parameters)
    assert status == 200, page
    found = [feature["id"] for feature in page["features"]]
    assert page["numberMatched"] == page["numberReturned"] == len(found)
    return found


def with_header(url: str, name: str, value: str) -> tuple[int, str, bytes]:
    request = urllib.request.Request(url, headers={name: value})
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.status, response.headers["Content-Type"], response.read()


# Boxes with corners on the features' own coordinates, often without width or height; west > east now and then.
CORNER = st.integers(-4, 28).map(lambda quarter: quarter / 4)
BOXES = st.tuples(CORNER, CORNER, CORNER, CORNER).map(lambda b: (b[0], min(b[1], b[3]), b[2], max(b[1], b[3])))
MOMENTS = st.sampled_from(
    [
        "2025-01-01",
        "2025-01-02",
        "0900-01-01",
        "2025-06-01T12:00:00Z",
        "2025-01-01T23:59:59.999Z",
        "2025-01-02T08:00:00+08:00",
        "2025-06-01T12:00:00.4999Z",
        "2025-06-01T12:00:00.5005Z",
        "1969-07-20T20:17:40z",
    ]
)
WHEN = st.none() | MOMENTS | MOMENTS.map(lambda m: f"{m}/..") | MOMENTS.map(lambda m: f"/{m}")


def touches(box: tuple[float, float, float, float], geometry: gpd.GeoSeries) -> pd.Series:
    west, south, east, north = box
    if west > east:
        return touches((west, south, 180, north), geometry) | touches((-180, south, east, north), geometry)
    shape = shapely.box(*box)
    if west == east or south == north:
        shape = shapely.Point(west, south) if box[:2] == box[2:] else shapely.LineString([box[:2], box[2:]])
    return geometry.distance(shape) == 0


def happened(times: pd.Series, when: str) -> pd.Series:
    first, last = when.split("/") if "/" in when else (when, when)
    keep = pd.Series(True, index=times.index)
    if first not in ("", ".."):
        keep &= times >= _time(first)
    if last not in ("", ".."):
        day = pd.Timedelta(days=1) if len(last) == 10 else pd.Timedelta(0)
        keep &= (times < _time(last) + day) if day else (times <= _time(last))
    return keep | times.isna()


def _time(text: str) -> pd.Timestamp:
    moment = pd.Timestamp(text)
    return moment if moment.tzinfo else moment.tz_localize("UTC")


@pytest.mark.filterwarnings("ignore:Geometry is in a geographic CRS")
@settings(max_examples=150)
@given(st.sampled_from(NAMES), st.none() | BOXES, WHEN, st.sampled_from([None, *DEPTHS]))
@example("roads", (0.5, 0.5, 0.5, 0.5), None, None)  # a point on a slanted road
@example("hexagons", (0.5, 0.5, 0.5, 0.5), None, None)  # in four diamonds' boxes, in no diamond
@example("reports", (179, 0, -179, 1), None, None)
@example("reports", None, "0900-01-01/..", None)
def test_answers_are_the_oracles(hand: str, name: str, box, when, depth) -> None:
    table, layer = TABLES[name], LAYER_BY_NAME[name]
    keep = pd.Series(True, index=table.index)
    asked: dict[str, object] = {}
    if box is not None:
        asked["bbox"] = ",".join(map(str, box))
        keep &= touches(box, table.geometry)
    if when is not None:
        asked["datetime"] = when
        keep &= happened(table[layer.temporal], when) if layer.temporal else True
    if depth is not None and name == "reports":
        asked["depth_m"] = depth
        keep &= table["depth_m"] == depth
    assert ids(hand, name, **asked) == table.loc[keep, layer.id_column].tolist()


@settings(max_examples=25)
@given(st.sampled_from(NAMES), st.integers(1, 30), st.none() | st.just("0,0,1,1"))
def test_paging_brings_every_feature_once_for_any_limit(hand: str, name: str, limit: int, bbox: str | None) -> None:
    query = f"limit={limit}" + (f"&bbox={bbox}" if bbox else "")
    address: str | None = f"{hand}/collections/{name}/items?{query}"
    seen: list[str] = []
    while address:
        page = get(address)[2]
        assert len(page["features"]) == min(limit, page["numberMatched"] - len(seen))
        seen += [feature["id"] for feature in page["features"]]
        address = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
        assert address is None or f"version={FIRST}" in address
    assert seen == ids(hand, name, **({"bbox": bbox} if bbox else {}))


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("reports_total", "3", ["c03", "c07", "c11", "c15", "c19"]),
        ("reports_total", "+3", ["c03", "c07", "c11", "c15", "c19"]),
        ("flood_score", repr(2 / 19), ["c02"]),
        ("flood_score", "1e0", ["c19"]),
        ("kelurahan", "", []),
    ],
)
def test_property_filters_keep_to_the_type(hand: str, column: str, value: str, expected: list[str]) -> None:
    assert ids(hand, "hexagons", **{column: value}) == expected


def test_a_time_is_equal_in_any_offset(hand: str) -> None:
    for text in ("2025-01-01T00:00:00Z", "2025-01-01T08:00:00+08:00", "2024-12-31T23:00:00.000-01:00"):
        assert ids(hand, "reports", requested_datetime=text) == [ODD_ID, "r07", "r14", "r21"]
    assert ids(hand, "reports", requested_datetime="2025-01-01T00:00:00.0004Z") == []


REFUSED = [
    ("reports_total", "5.0"),
    ("reports_total", "1_0"),
    ("reports_total", "١"),
    ("reports_total", "9" * 30),
    ("flood_score", "nan"),
    ("flood_score", "inf"),
    ("flood_score", "1e999"),
    ("flood_score", " 1"),
    ("limit", "-1"),
    ("limit", "NaN"),
    ("limit", ""),
    ("bbox", ""),
    ("bbox", "inf,0,1,1"),
    ("bbox", "1,0,1,-1"),
    ("datetime", ""),
    ("datetime", "0001-01-01T00:00:00+14:00"),
    ("datetime", "9999-12-31T23:59:59-14:00"),
    ("datetime", "2025-W01-1"),
    ("datetime", "2025-01"),
    ("datetime", "2025-02-30"),
    ("datetime", "a/b/c"),
    ("datetime", "2025-01-01T00:00:00.002Z/2025-01-01T00:00:00.001Z"),
    ("resulttype", ""),
    ("skipGeometry", "banana"),
    ("lang", "xx"),
    ("f", "jsonld"),
    ("geometry", "x"),
    ("fid", "1"),
]


@pytest.mark.parametrize(("name", "value"), REFUSED, ids=[f"{n}={v[:12]}" for n, v in REFUSED])
def test_a_value_that_cannot_be_is_a_400_that_names_it(hand: str, name: str, value: str) -> None:
    layer = "hexagons" if name in LAYER_BY_NAME["hexagons"].names else "reports"
    status, kind, body = get(f"{hand}/collections/{layer}/items", **{name: value})
    assert (status, kind) == (400, "application/json")
    assert body["code"]
    words = {"bbox": "bbox|minx|miny"}.get(name, re.escape(name))
    assert re.search(words, body["description"])


def test_a_date_is_no_instant_of_a_property(hand: str) -> None:
    assert get(f"{hand}/collections/reports/items", requested_datetime="2025-01-01")[0] == 400


def test_a_limit_above_the_largest_is_lowered(hand: str) -> None:
    assert len(ids(hand, "reports", limit=10**6)) == len(TABLES["reports"])


def test_errors_are_json_everywhere(hand: str) -> None:
    for path, status in (("/nothing", 404), ("/collections/none", 404), ("/static/none.css", 404)):
        found, kind, body = get(hand + path)
        assert (found, kind) == (status, "application/json")
        assert body["code"] == "NotFound"
        assert body["description"]
    request = urllib.request.Request(f"{hand}/collections/reports/items", method="DELETE")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)
    with refused.value as error:
        assert (error.code, json.loads(error.read())["code"]) == (405, "InvalidRequest")


def test_only_served_formats_are_given(hand: str) -> None:
    """pygeoapi answered `Accept: image/png` with JSON called PNG, JSON-LD with 500, and a weight of 0 with 500."""
    for accept in ("application/ld+json", "image/png", "text/html;q=0", "application/json;q=0.5, text/html;q=0.1", ""):
        for path in ("/", "/collections", "/collections/reports", "/conformance"):
            assert with_header(hand + path, "Accept", accept)[:2] == (200, "application/json"), (accept, path)
        items = with_header(f"{hand}/collections/reports/items", "Accept", accept)
        assert items[:2] == (200, "application/geo+json")
    for path in ("/", "/collections", "/conformance", "/collections/reports/items"):
        kind = with_header(hand + path, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")[1]
        assert kind.startswith("text/html")
    for page in ("/collections", "/collections/reports", f"/collections/reports/items/{quote(ODD_ID, safe='')}"):
        assert get(hand + page, f="csv")[0] == 400


@pytest.mark.parametrize(
    ("header", "title"),
    [("en-US", "Citizen reports"), ("fr, en;q=0.5", "Citizen reports"), ("en;q=0", "Laporan warga")],
)
def test_the_language_is_the_readers(hand: str, header: str, title: str) -> None:
    body = with_header(f"{hand}/collections/reports", "Accept-Language", header)[2]
    assert json.loads(body)["title"] == f"[SINTETIS / SYNTHETIC] {title}"


def test_descriptions_tell_what_is_missing_in_both_languages(hand: str) -> None:
    for lang, words in (
        ("id", ("catatan", "tanpa elevasi", "p_value: belum dihitung")),
        ("en", ("a note", "no elevation was given", "p_value: not computed yet")),
    ):
        told = get(f"{hand}/collections/flood_zones", lang=lang)[2]["description"]
        assert all(word in told for word in words), told


def test_hostile_text_is_text_in_every_format(hand: str) -> None:
    path = f"{hand}/collections/reports/items/{quote(ODD_ID, safe='')}"
    assert get(path)[2]["properties"]["description"] == ODD
    for page in (path, f"{hand}/collections/reports/items"):
        body = get(page, f="html")[2]
        assert b"alert(1)" in body
        assert b"<script>alert(1)" not in body
    assert b"Kota <Tangan>" not in get(hand + "/", f="html")[2]
    assert ids(hand, "reports", description=ODD) == [ODD_ID]
    assert ids(hand, "reports", description="a&b=c") == ["r02"]
    assert ids(hand, "reports", description="") == ["r03"]


def test_a_collection_without_features(hand: str) -> None:
    described = get(f"{hand}/collections/lighting_zones")[2]
    assert described["extent"]["spatial"]["bbox"] == [[-180, 0, 180, 6]]
    for query in ({}, {"bbox": "0,0,1,1"}, {"datetime": "2025-01-01/.."}, {"resulttype": "hits"}):
        assert ids(hand, "lighting_zones", **query) == []
    for form in ("html", "csv"):
        assert get(f"{hand}/collections/lighting_zones/items", f=form)[0] == 200


def test_many_readers_at_once(hand: str) -> None:
    def read(number: int) -> list[str]:
        return ids(hand, NAMES[number % 4], bbox="0,0,1,1")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(read, range(160)))
    assert all(answers[i] == answers[i % 4] for i in range(160))


def test_the_api_document_is_what_is_served(hand: str) -> None:
    """It stands alone, each of its parameters is taken, and it names every parameter of items."""
    document = get(f"{hand}/openapi")[2]
    assert document["info"]["version"] == "9.8.7"
    references = re.findall(r'"\$ref": "([^"]+)"', json.dumps(document))
    assert {reference.split("/")[0] for reference in references} == {"#"}
    for reference in references:
        part = document
        for key in reference.split("/")[1:]:
            part = part[key]
    for path, operations in document["paths"].items():
        if "get" not in operations:
            continue
        address = hand + re.sub(r"\{[^}]*\}", "none", path)
        tiled = path.startswith(("/tiles", "/styles/"))  # the hand-made city has no tiles
        assert get(address)[0] in ((400, 404) if "{" in path or tiled else (200,)), path
        for parameter in operations["get"].get("parameters", ()):
            if parameter["in"] == "query":
                status = get(address, **_example(parameter, path))[0]
                assert status in ((404, 400) if "{" in path or tiled else (200,)), (path, parameter)
    told = {p["name"] for p in document["paths"]["/collections/reports/items"]["get"]["parameters"]}
    ours = (
        "f lang bbox bbox-crs crs datetime filter filter-crs filter-lang limit offset properties resulttype "
        "skipGeometry sortby version"
    )
    assert told == {*ours.split(), *REPORTS.names}


def _example(parameter: dict, path: str) -> dict[str, str]:
    """A query that uses the parameter as the document describes it."""
    name, schema = parameter["name"], parameter["schema"]
    fixed = {"bbox": "0,0,1,1", "datetime": "2025-01-01", "version": FIRST}
    if "/items" in path:
        own = LAYER_BY_NAME[path.split("/")[2]].names[1]
        fixed |= {"properties": own, "sortby": f"-{own}", "filter": f"{own} IS NULL"}
    if name.endswith(("_datetime", "_report")):
        fixed[name] = "2025-01-01T00:00:00Z"
    by_type = {"integer": "1", "number": "1", "boolean": "true"}.get(schema["type"], "x")
    value = fixed.get(name, schema.get("items", schema).get("enum", [by_type])[0])
    beside = {"bbox-crs": ("bbox",), "filter-crs": ("filter",), "filter-lang": ("filter",)}.get(name, ())
    return {name: value} | {other: fixed[other] for other in beside}


def test_a_new_version_is_served_at_once_and_the_old_one_on_request(tmp_path: Path) -> None:
    city = tmp_path / "city"
    handmade.publish(city)
    with served(city) as url:
        page = get(f"{url}/collections/flood_zones/items", limit=2)[2]
        following = next(link["href"] for link in page["links"] if link["rel"] == "next")
        grown = handmade.tables() | {LAYER_BY_NAME["flood_zones"]: handmade.zones("flood", 9)}
        handmade.publish(city, SECOND, grown)
        new = get(f"{url}/collections/flood_zones")[2]
        assert new["hexakota"]["version"] == SECOND
        assert new["extent"]["spatial"]["bbox"] == [[0, 0, 8.5, 0.5]]
        assert len(ids(url, "flood_zones")) == 9
        assert get(following)[2]["numberMatched"] == 7
        old = get(f"{url}/collections/flood_zones", version=FIRST)[2]
        assert (old["hexakota"]["version"], old["hexakota"]["rows"]) == (FIRST, 7)
        assert old["extent"]["spatial"]["bbox"] == [[0, 0, 6.5, 0.5]]
        items = [link["href"] for link in old["links"] if link["rel"] == "items" and "json" in link["type"]]
        assert get(items[0])[2]["numberMatched"] == 7
        assert get(f"{url}/collections/flood_zones/items/flood-8")[0] == 200
        assert get(f"{url}/collections/flood_zones/items/flood-8", version=FIRST)[0] == 404
        for path in ("", "/items", "/items/flood-1"):
            assert get(f"{url}/collections/flood_zones{path}", version="none")[0] == 404
        Versions(city / "var").serve(FIRST)
        assert len(ids(url, "flood_zones")) == 7


def test_a_version_of_an_older_program_lacks_layers_and_columns(tmp_path: Path) -> None:
    """SQLite reads the quoted name of a column that is not there as a text: it must not be served as a value."""
    city = tmp_path / "city"
    path = handmade.publish(city).layers
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for name in ("hexagons", "reports"):
            found = connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (name,)
            )
            for (trigger,) in found.fetchall():
                connection.execute(f'DROP TRIGGER "{trigger}"')
        connection.execute("ALTER TABLE hexagons DROP COLUMN gfi_mean")
        connection.execute("ALTER TABLE hexagons DROP COLUMN flood_class")
        connection.execute("ALTER TABLE reports DROP COLUMN requested_datetime")
    with served(city) as url:
        for feature in get(f"{url}/collections/hexagons/items")[2]["features"]:
            assert (feature["properties"]["gfi_mean"], feature["properties"]["flood_class"]) == (None, None)
        one = get(f"{url}/collections/hexagons/items/c01")[2]["properties"]
        assert (one["gfi_mean"], one["flood_score"]) == (None, 1 / 19)
        assert ids(url, "hexagons", flood_class="flood_class") == []
        assert len(ids(url, "hexagons")) == 20
        count = len(TABLES[REPORTS.name])
        assert len(ids(url, "reports", datetime="2025-01-01T00:00:00Z/..")) == count  # without a time all match
        missing = f"{url}/collections/depressions"
        assert get(missing)[0] == 404
        handmade.publish(city, SECOND, {LAYER_BY_NAME["depressions"]: _no_depressions()} | handmade.tables())
        assert get(f"{missing}/items")[2]["numberMatched"] == 0
        for where in (missing, f"{missing}/items", f"{missing}/items/d"):
            status, _, told = get(where, version=FIRST)
            assert status == 404, told
            assert "depressions" in told["description"]


def _no_depressions() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"depression_id": []}, geometry=[], crs="EPSG:4326")


def test_a_broken_store_is_told_in_json_and_the_server_lives_on(tmp_path: Path) -> None:
    city = tmp_path / "city"
    handmade.publish(city)
    with served(city) as url:
        current = city / "var/current"
        current.write_text("gone")
        assert get(f"{url}/collections")[0] == 503
        broken = city / f"var/versions/{SECOND}"
        broken.mkdir()
        broken.joinpath("manifest.json").write_text((city / f"var/versions/{FIRST}/manifest.json").read_text())
        broken.joinpath("layers.gpkg").write_bytes(b"no database" * 1000)
        current.write_text(SECOND)
        status, kind, body = get(f"{url}/collections/reports/items")
        assert (status, kind) == (503, "application/json")
        assert "layers.gpkg: cannot be read" in body["description"]
        current.write_text(FIRST)
        assert len(ids(url, "reports")) == len(TABLES["reports"])


def test_a_port_in_use_is_refused_in_one_line(hand_city: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = subprocess.run(
            [sys.executable, "-m", "services.cli", "serve", str(hand_city), "--port", port],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert f"127.0.0.1:{port}" in result.stderr
    assert "in use" in result.stderr


def test_links_start_with_the_address_that_clients_use(hand_city: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = "https://peta.example.org/ogc"
    monkeypatch.setenv("HEXAKOTA_URL", outside)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with served(hand_city, port) as told:
        assert told == outside
        for path in ("/", "/collections/reports", "/collections/reports/items?limit=1"):
            links = [link["href"] for link in get(f"http://127.0.0.1:{port}{path}")[2]["links"]]
            assert links
            assert all(link.startswith(outside) for link in links), links


def test_stock_pygeoapi_takes_the_configuration(hand_city: Path, tmp_path: Path) -> None:
    """`pygeoapi openapi generate` loads the providers by their names, as `pygeoapi serve` does."""
    document = tmp_path / "openapi.yml"
    command = Path(sys.executable).with_name("pygeoapi")
    subprocess.run(
        [str(command), "openapi", "generate", str(ROOT / "pygeoapi-config.yml"), "--output-file", str(document)],
        check=True,
        capture_output=True,
        timeout=120,
        env=os.environ | {"HEXAKOTA_CITY": str(hand_city), "PYTHONPATH": str(ROOT)},
    )
    assert "/collections/lighting_zones/items" in document.read_text("utf-8")
