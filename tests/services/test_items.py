"""Items over HTTP: any combination of parameters against geopandas, and the manners of the answers."""

from __future__ import annotations

import csv
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial.registry import LAYER_BY_NAME
from tests.services.asking import (
    BOXES,
    CRS84,
    DAYS,
    EPSG,
    LATITUDE_FIRST,
    NAMES,
    SYSTEMS,
    UTM,
    box_in,
    in_box,
    in_interval,
    predicates,
    told_in,
)
from tests.services.running import get, served

WHEN = st.none() | DAYS | st.tuples(DAYS, DAYS).map(lambda d: "/".join(sorted(d))) | DAYS.map(lambda d: f"{d}/..")


def ask(
    url: str, *, body: bytes | None = None, media_type: str = "application/cql2+json", headers: Any = (), **asked: Any
) -> tuple[int, dict[str, str], Any]:
    """Return status, headers and body; a body makes it a POST."""
    address = f"{url}?{urlencode(asked)}" if asked else url
    request = urllib.request.Request(address, data=body, headers=dict(headers))
    if body is not None:
        request.add_header("Content-Type", media_type)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            status, found, content = response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            status, found, content = error.code, error.headers, error.read()
    found = {name.lower(): value for name, value in found.items()}
    return status, found, json.loads(content) if "json" in found.get("content-type", "") else content


def oracle(table: gpd.GeoDataFrame, name: str, asked: dict[str, Any]) -> gpd.GeoDataFrame:
    """Return the rows that a question matches, in its order, by geopandas."""
    layer = LAYER_BY_NAME[name]
    table = table.sort_values(layer.id_column)
    keep = pd.Series(True, index=table.index)
    if asked["box"] is not None:
        keep &= in_box(table, asked["box"], asked["box_crs"])
    if asked["when"] is not None and layer.temporal:
        keep &= in_interval(table[layer.temporal], asked["when"])
    if asked["predicate"] is not None:
        keep &= asked["predicate"].mask(table).fillna(False).astype(bool)
    if asked["equal"] is not None:
        column, value = asked["equal"]
        keep &= (table[column] == value).fillna(False).astype(bool)
    table = table[keep]
    for column, falls in reversed(asked["sort"]):
        table = table.sort_values(column, ascending=not falls, na_position="last", kind="stable")
    return table


@st.composite
def questions(draw: st.DrawFn, name: str, table: gpd.GeoDataFrame) -> dict[str, Any]:
    names = [c.name for c in LAYER_BY_NAME[name].columns]
    box, box_crs = draw(st.none() | BOXES), draw(st.sampled_from(list(SYSTEMS)))
    texts = [c.name for c in LAYER_BY_NAME[name].columns if c.kind == "string" and c.name != "version"]
    column = draw(st.sampled_from(texts))
    equal = draw(st.none() | st.sampled_from([*table[column].dropna().unique(), "none"]).map(lambda v: (column, v)))
    return {
        "box": None if box is None else box_in(box, box_crs),
        "box_crs": box_crs,
        "when": draw(WHEN),
        "predicate": draw(st.none() | predicates(name, table)),
        "by": draw(st.sampled_from(["text", "json", "post"])),
        "equal": equal,
        "sort": draw(st.lists(st.tuples(st.sampled_from(names), st.booleans()), max_size=2, unique_by=lambda k: k[0])),
        "crs": draw(st.sampled_from(list(SYSTEMS))),
        "select": draw(st.none() | st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)),
        "skip": draw(st.booleans()),
        "limit": draw(st.integers(1, 60)),
        "offset": draw(st.just(0) | st.integers(0, 60)),
    }


def parameters(asked: dict[str, Any]) -> tuple[dict[str, Any], bytes | None]:
    """Return a question as parameters and as the body of a POST, or None."""
    told: dict[str, Any] = {"limit": asked["limit"], "offset": asked["offset"], "crs": asked["crs"]}
    if asked["box"] is not None:
        told |= {"bbox": told_in(asked["box"], asked["box_crs"]), "bbox-crs": asked["box_crs"]}
    if asked["when"] is not None:
        told["datetime"] = asked["when"]
    if asked["equal"] is not None:
        told[asked["equal"][0]] = asked["equal"][1]
    if asked["sort"]:
        told["sortby"] = ",".join(("-" if falls else "+") + column for column, falls in asked["sort"])
    if asked["select"] is not None:
        told["properties"] = ",".join(asked["select"])
    if asked["skip"]:
        told["skipGeometry"] = "true"
    if asked["predicate"] is None:
        return told, None
    if asked["by"] == "post":
        return told, json.dumps(asked["predicate"].json).encode()
    text = asked["predicate"].text if asked["by"] == "text" else json.dumps(asked["predicate"].json)
    return told | {"filter": text, "filter-lang": f"cql2-{asked['by']}"}, None


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_any_question_has_the_oracles_answer(url: str, store, name: str, data: st.DataObject) -> None:
    asked = data.draw(questions(name, store[name]))
    told, body = parameters(asked)
    status, headers, page = ask(f"{url}/collections/{name}/items", body=body, **told)
    assert status == 200, page
    expected = oracle(store[name], name, asked)
    rows = expected.iloc[asked["offset"] : asked["offset"] + asked["limit"]]
    assert (page["numberMatched"], page["numberReturned"]) == (len(expected), len(rows))
    assert [f["id"] for f in page["features"]] == rows[LAYER_BY_NAME[name].id_column].tolist()
    assert headers["content-crs"] == f"<{asked['crs']}>"
    names = [n for n in LAYER_BY_NAME[name].names if asked["select"] is None or n in asked["select"]]
    moved = rows.geometry.to_crs(SYSTEMS[asked["crs"]])
    for feature, shape in zip(page["features"], moved, strict=True):
        assert list(feature["properties"]) == names
        assert_there(feature["geometry"], None if asked["skip"] else shape, asked["crs"])
    assert ("next" in {link["rel"] for link in page["links"]}) == (asked["offset"] + asked["limit"] < len(expected))


def assert_there(told: Any, shape: Any, crs: str) -> None:
    """Hold a GeoJSON geometry against shapely's: exactly in CRS84, else within a micrometre, in its axis order."""
    if shape is None:
        assert told is None
        return
    found = shapely.geometry.shape(told)
    if crs == LATITUDE_FIRST:
        found = shapely.transform(found, lambda c: c[:, ::-1])
    assert found.equals_exact(shape, 0 if crs == CRS84 else 1e-11 if crs == LATITUDE_FIRST else 1e-6)


def test_one_item_in_every_system(url: str, store) -> None:
    row = store["roads"].iloc[0]
    for crs, code in SYSTEMS.items():
        status, headers, item = ask(f"{url}/collections/roads/items/{row['road_id']}", crs=crs)
        assert (status, headers["content-crs"]) == (200, f"<{crs}>")
        assert_there(item["geometry"], store["roads"].geometry.to_crs(code).iloc[0], crs)


def test_the_collection_names_its_systems(url: str) -> None:
    for collection in get(f"{url}/collections")[2]["collections"]:
        if collection["itemType"] == "coverage":
            continue
        assert collection["crs"] == [CRS84, EPSG + "4326", EPSG + "3857", EPSG + UTM]
        assert collection["storageCrs"] == CRS84


def test_heights_in_a_box_decide_nothing(url: str, store) -> None:
    west, south, east, north = store["reports"].total_bounds
    flat = get(f"{url}/collections/reports/items", bbox=f"{west},{south},{east},{north}", resulttype="hits")[2]
    for low, high in ((-9, 9), (1000, 2000)):
        box = f"{west},{south},{low},{east},{north},{high}"
        assert get(f"{url}/collections/reports/items", bbox=box, resulttype="hits")[2] | {
            "links": 0,
            "timeStamp": 0,
        } == flat | {"links": 0, "timeStamp": 0}
    assert flat["numberMatched"] == len(store["reports"])


def test_a_page_over_the_largest_is_cut_and_one_of_none_refused(url: str, store) -> None:
    page = get(f"{url}/collections/hexagons/items", limit=10**9)[2]
    assert page["numberReturned"] == min(10_000, len(store["hexagons"]))
    for limit in ("0", "-1", "1.5", "1_0", " 1"):
        assert get(f"{url}/collections/hexagons/items", limit=limit)[0] == 400


def test_a_posted_filter(url: str) -> None:
    items = f"{url}/collections/reports/items"
    wanted = json.dumps({"op": "=", "args": [{"property": "category"}, "flood"]}).encode()
    by_text = get(items, filter="category = 'flood'", limit=3)[2]
    for kind in ("application/cql2+json", "application/query-cql-json", "application/json; charset=utf-8"):
        status, headers, page = ask(items, body=wanted, media_type=kind, limit=3)
        assert (status, page["numberMatched"]) == (200, by_text["numberMatched"])
        assert page["features"] == by_text["features"]
        assert "etag" not in headers
    following = next(link for link in page["links"] if link["rel"] == "next")
    seen = [f["id"] for f in page["features"]]
    while following:
        page = get(following["href"])[2]
        seen += [f["id"] for f in page["features"]]
        following = next((link for link in page["links"] if link["rel"] == "next"), None)
    assert len(seen) == len(set(seen)) == by_text["numberMatched"]


def test_the_next_page_of_a_long_filter_is_a_post(url: str) -> None:
    values = [f"id {i}" for i in range(2000)] + ["flood", "waste"]
    wanted = json.dumps({"op": "in", "args": [{"property": "category"}, values]}).encode()
    items = f"{url}/collections/reports/items"
    first = ask(items, body=wanted, limit=2)[2]
    link = next(link for link in first["links"] if link["rel"] == "next")
    assert link["method"] == "POST"
    second = ask(link["href"], body=wanted)[2]
    both = ask(items, body=wanted, limit=4)[2]
    assert first["features"] + second["features"] == both["features"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "named"),
    [
        (b"{}", "text/plain", 415, "text/plain"),
        (b"{}", "", 400, "Content-Type"),
        (b"{", "application/json", 400, "filter"),
        (b"", "application/json", 400, "filter"),
        (b"\xff", "application/json", 400, "filter"),
        (b"[1]", "application/cql2+json", 400, "filter"),
        (b'{"op":"=","args":[{"property":"colour"},1]}', "application/cql2+json", 400, "colour"),
        (b" " * 1_000_001, "application/cql2+json", 413, "body"),
    ],
)
def test_a_body_that_cannot_be_is_refused(url: str, body: bytes, kind: str, status: int, named: str) -> None:
    found, _, told = ask(f"{url}/collections/reports/items", body=body, media_type=kind)
    assert found == status
    assert named in told["description"]


def test_a_filter_is_in_the_body_or_in_the_address(url: str) -> None:
    body = b'{"op":"=","args":[{"property":"category"},"flood"]}'
    assert ask(f"{url}/collections/reports/items", body=body, filter="status='open'")[0] == 400


def test_an_unescaped_plus_sorts_upwards(url: str, store) -> None:
    """A + in an address that nobody escaped arrives as a space."""
    items = f"{url}/collections/hexagons/items"
    up = get(f"{items}?sortby=+reports_total&limit=10000")[2]
    assert up["features"] == get(items, sortby="reports_total", limit=10000)[2]["features"]
    totals = [f["properties"]["reports_total"] for f in up["features"]]
    assert totals == sorted(store["hexagons"]["reports_total"])


def test_what_did_not_change_is_a_304(url: str) -> None:
    for path in ("/collections/reports/items", "/collections/reports/items/reports:odd1"):
        status, headers, _ = ask(url + path, f="json")
        assert (status, headers["cache-control"]) == (200, "no-cache")
        tag = headers["etag"]
        assert ask(url + path, f="json", headers={"If-None-Match": tag})[0] == 304
        assert ask(url + path, f="json", headers={"If-None-Match": f'"x", {tag}'})[:3:2] == (304, b"")
        assert ask(url + path, f="json", headers={"If-None-Match": '"x"'})[0] == 200
        others = [
            ask(url + path, f="json", lang="en")[1]["etag"],
            ask(url + path, f="json", crs=LATITUDE_FIRST)[1]["etag"],
        ]
        assert len({tag, *others}) == 3
        version = get(f"{url}/collections/reports")[2]["hexakota"]["version"]
        assert "immutable" in ask(url + path, version=version)[1]["cache-control"]
    items = f"{url}/collections/reports/items"
    assert ask(f"{items}?limit=3&offset=1")[1]["etag"] == ask(f"{items}?offset=1&limit=3")[1]["etag"]


def test_links_lead_to_the_same_features(url: str) -> None:
    page = get(f"{url}/collections/reports/items", f="json", limit=5, offset=10, sortby="-depth_m", lang="en")[2]
    links = {(link["rel"], link["type"]): link["href"] for link in page["links"]}
    assert set(links) == {
        ("self", "application/geo+json"),
        ("alternate", "text/html"),
        ("alternate", "text/csv"),
        ("alternate", "application/vnd.ogc.fg+json"),
        ("prev", "application/geo+json"),
        ("next", "application/geo+json"),
        ("collection", "application/json"),
    }
    assert get(links["self", "application/geo+json"])[2]["features"] == page["features"]
    ids = [feature["id"] for feature in page["features"]]
    lines = csv.DictReader(get(links["alternate", "text/csv"])[2].decode().splitlines(keepends=True))
    assert [line["report_id"] for line in lines] == ids
    assert all(identifier.encode() in get(links["alternate", "text/html"])[2] for identifier in ids)
    before = get(links["prev", "application/geo+json"])[2]["features"]
    after = get(links["next", "application/geo+json"])[2]["features"]
    whole = get(f"{url}/collections/reports/items", limit=15, offset=5, sortby="-depth_m")[2]["features"]
    assert before + page["features"] + after == whole
    assert get(links["collection", "application/json"])[2]["id"] == "reports"


def test_sortables_and_functions(url: str) -> None:
    for name in NAMES:
        described = get(f"{url}/collections/{name}")[2]
        address = next(link["href"] for link in described["links"] if link["rel"].endswith("/sortables"))
        status, kind, schema = get(address)
        assert (status, kind, schema["$id"]) == (200, "application/schema+json", address)
        assert list(schema["properties"]) == list(LAYER_BY_NAME[name].names)
        for column in schema["properties"]:
            assert get(f"{url}/collections/{name}/items", sortby=f"-{column}", limit=1)[0] == 200
    landing = get(url + "/")[2]
    page = get(next(link["href"] for link in landing["links"] if link["rel"].endswith("/functions")))[2]
    assert {row["name"] for row in page["functions"]} == {"cell_to_parent", "in_grid_disk"}


def test_hostile_questions_end_soon(url: str) -> None:
    items = f"{url}/collections/reports/items"
    for text in ("x' OR '1'='1", "'; DROP TABLE reports; --"):
        quoted = text.replace("'", "''")
        assert get(items, filter=f"description = '{quoted}'")[2]["numberMatched"] == 0
        body = json.dumps({"op": "=", "args": [{"property": "description"}, text]}).encode()
        assert ask(items, body=body)[2]["numberMatched"] == 0
        assert get(items, filter=f"{text} = 1")[0] == 400
        assert get(items, sortby=text)[0] == 400
    deep = "NOT (" * 1000 + "status = 'open'" + ")" * 1000
    assert get(items, filter=deep)[0] == 400
    many = "&".join(f"p{i}=1" for i in range(3000))
    assert get(f"{items}?{many}")[0] == 400


def test_a_version_without_an_index_answers_alike(city, url: str, tmp_path) -> None:
    folder = shutil.copytree(city, tmp_path / "city")
    (version,) = (folder / "var/versions").iterdir()
    shutil.rmtree(version / "index")
    with served(folder) as older:
        for query in ("limit=7&sortby=-depth_m", "filter=category='flood'", "bbox=117.5,-3.4,117.52,-3.3"):
            page = get(f"{older}/collections/reports/items?{query}")[2]
            assert page["features"] == get(f"{url}/collections/reports/items?{query}")[2]["features"]
        assert get(f"{older}/collections/reports/items/reports:odd1")[0] == 200
    assert [path.name for path in (folder / "var/cache").iterdir()] == [f"index-{version.name}"]


@pytest.fixture(scope="module")
def stock(city, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """pygeoapi's own server on our configuration, as an office would run it."""
    folder = tmp_path_factory.mktemp("stock")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    root = Path(__file__).parents[2]
    own = {
        "HEXAKOTA_CITY": str(city),
        "HEXAKOTA_URL": f"http://127.0.0.1:{port}",
        "PYGEOAPI_CONFIG": str(root / "pygeoapi-config.yml"),
        "PYGEOAPI_OPENAPI": str(folder / "openapi.yml"),
        "PYTHONPATH": str(root),
    }
    command = [str(Path(sys.executable).with_name("pygeoapi")), "openapi", "generate", own["PYGEOAPI_CONFIG"]]
    subprocess.run(
        [*command, "--output-file", own["PYGEOAPI_OPENAPI"]], env=os.environ | own, check=True, capture_output=True
    )
    serve = [sys.executable, "-m", "uvicorn", "pygeoapi.starlette_app:APP", "--port", str(port), "--log-level", "error"]
    with subprocess.Popen(serve, env=os.environ | own, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(240):
                try:
                    get(f"http://127.0.0.1:{port}/conformance")
                    break
                except urllib.error.URLError:
                    time.sleep(0.25)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def test_stock_pygeoapi_answers_alike(url: str, stock: str, store) -> None:
    west, south, east, north = store["reports"].total_bounds
    box = (west, south, (west + east) / 2, north)
    for asked in (
        {},
        {"bbox": told_in(box, CRS84)},
        {"bbox": told_in(box, LATITUDE_FIRST), "bbox-crs": LATITUDE_FIRST},
        {"datetime": "2025-01-01/2025-06-01", "category": "flood"},
        {"sortby": "-depth_m,report_id", "offset": 3},
        {"properties": "category,status", "skipGeometry": "true"},
        {"crs": LATITUDE_FIRST},
        {"crs": EPSG + "3857"},
        {"resulttype": "hits", "status": "open"},
    ):
        query = {"limit": 30, "f": "json"} | asked
        ours, theirs = (get(f"{base}/collections/reports/items", **query)[2] for base in (url, stock))
        for key in ("numberMatched", "numberReturned", "features"):
            assert theirs[key] == ours[key], asked
    item = "/collections/reports/items/reports:odd2"
    for key in ("id", "geometry", "properties"):
        assert get(stock + item, f="json")[2][key] == get(url + item)[2][key]
    for refused in ({"filter": "category = 'flood'"}, {"q": "x"}, {"colour": "red"}, {"depth_m": "deep"}):
        assert get(f"{stock}/collections/reports/items", f="json", **refused)[0] == 400, refused
