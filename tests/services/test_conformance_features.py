"""The abstract tests of OGC API Features, ported: each test names those that it stands for.

Part 1: Core (17-069r4, Annex A), Part 2: CRS by Reference (18-058r1), Part 3: Filtering (19-079r2).
"""

from __future__ import annotations

import http.client
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import geopandas as gpd
import h3
import pandas as pd
import pytest
import shapely

from spatial.registry import LAYER_BY_NAME, LAYERS
from tests.services.asking import CRS84, EPSG, LATITUDE_FIRST, SYSTEMS, UTM, box_in, told_in
from tests.services.running import get
from tests.services.test_items import ask, assert_there

NAMES = [layer.name for layer in LAYERS]
PART_1 = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/"
PART_2 = "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/"
PART_3 = "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/"
CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf/"
REL = "http://www.opengis.net/def/rel/ogc/1.0/"


@pytest.fixture(scope="module")
def document(url: str) -> dict[str, Any]:
    return get(f"{url}/openapi")[2]


@pytest.fixture(scope="module")
def collections(url: str) -> dict[str, dict[str, Any]]:
    listed = get(f"{url}/collections")[2]["collections"]
    return {collection["id"]: collection for collection in listed if collection["itemType"] == "feature"}


def rels(page: dict[str, Any]) -> set[str]:
    return {link["rel"] for link in page["links"]}


def parameter(document: dict[str, Any], name: str, layer: str = "reports") -> dict[str, Any]:
    told = document["paths"][f"/collections/{layer}/items"]["get"]["parameters"]
    return next(row for row in told if row["name"] == name)


def ids(page: dict[str, Any]) -> list[str]:
    return [feature["id"] for feature in page["features"]]


def extent(collection: dict[str, Any]) -> tuple[float, ...]:
    """Return the WGS 84 box of a collection, a little wider than its rounded numbers."""
    west, south, east, north = collection["extent"]["spatial"]["bbox"][0]
    return west - 1e-6, south - 1e-6, east + 1e-6, north + 1e-6


# Part 1: Core


def test_http(url: str) -> None:
    """/conf/core/http: HTTP 1.1; HEAD tells what GET would."""
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)) as connection:
        connection.request("HEAD", "/collections/reports/items?limit=3")
        head = connection.getresponse()
        assert (head.status, head.version, head.read()) == (200, 11, b"")
        connection.request("GET", "/collections/reports/items?limit=3")
        answer = connection.getresponse()
        assert len(answer.read()) == int(answer.headers["Content-Length"])
        assert answer.headers["ETag"] == head.headers["ETag"]


def test_landing_page(url: str) -> None:
    """/conf/core/root-op, /conf/core/root-success"""
    status, kind, page = get(url + "/", f="json")
    assert (status, kind) == (200, "application/json")
    assert {"self", "conformance", "data"} <= rels(page)
    assert {"service-desc", "service-doc"} & rels(page)


def test_api_definition(url: str) -> None:
    """/conf/core/api-definition-op, /conf/core/api-definition-success, /conf/oas30/oas-definition-1"""
    page = get(url + "/")[2]
    for link in page["links"]:
        if link["rel"] == "service-desc":
            assert get(link["href"])[:2] == (200, link["type"])
    assert get(f"{url}/openapi")[2]["openapi"].startswith("3.0.")


def test_conformance_declaration(url: str) -> None:
    """/conf/core/conformance-op, /conf/core/conformance-success, and get-conformance of the classes of Part 3"""
    status, kind, page = get(f"{url}/conformance")
    assert (status, kind) == (200, "application/json")
    declared = page["conformsTo"]
    assert len(declared) == len(set(declared))
    assert {PART_1 + name for name in ("core", "oas30", "geojson")} <= set(declared)
    assert PART_2 + "crs" in declared
    names = ("queryables", "queryables-query-parameters", "filter", "features-filter")
    assert {PART_3 + name for name in names} <= set(declared)
    assert {CQL2 + name for name in ("cql2-text", "cql2-json", "basic-cql2")} <= set(declared)
    assert not any("ogcapi-features-8" in name or "ogcapi-features-6" in name for name in declared)  # drafts


def test_collections(url: str, collections) -> None:
    """/conf/core/fc-md-op, fc-md-success, fc-md-links, fc-md-items, fc-md-items-links, fc-md-extent"""
    status, kind, page = get(f"{url}/collections")
    assert (status, kind) == (200, "application/json")
    assert {"self", "alternate"} <= rels(page)
    assert list(collections) == NAMES
    for collection in collections.values():
        items = [link for link in collection["links"] if link["rel"] == "items"]
        assert "application/geo+json" in {link["type"] for link in items}
        assert all(link["href"] and link["type"] for link in collection["links"])
        west, south, east, north = collection["extent"]["spatial"]["bbox"][0]
        assert west <= east
        assert south <= north


def test_collection(url: str, collections) -> None:
    """/conf/core/sfc-md-op, /conf/core/sfc-md-success"""
    for name, collection in collections.items():
        status, kind, page = get(f"{url}/collections/{name}")
        assert (status, kind) == (200, "application/json")
        assert {key: page[key] for key in ("id", "title", "extent")} == {
            key: collection[key] for key in ("id", "title", "extent")
        }


def test_features(url: str, store) -> None:
    """/conf/core/fc-op, fc-response, fc-links, fc-timeStamp, fc-numberMatched, fc-numberReturned, geojson/content"""
    for name in NAMES:
        before = pd.Timestamp.now("UTC").floor("ms")
        status, kind, page = get(f"{url}/collections/{name}/items", limit=5)
        assert (status, kind, page["type"]) == (200, "application/geo+json", "FeatureCollection")
        assert {"self", "alternate"} <= rels(page)
        assert page["numberReturned"] == len(page["features"]) == min(5, len(store[name]))
        assert page["numberMatched"] == len(store[name])
        assert before <= pd.Timestamp(page["timeStamp"]) <= pd.Timestamp.now("UTC")
        for feature in page["features"]:
            assert feature["type"] == "Feature"
            assert feature["geometry"]["type"] == LAYER_BY_NAME[name].geometry


def test_bbox(url: str, store, document) -> None:
    """/conf/core/fc-bbox-definition, /conf/core/fc-bbox-response"""
    told = parameter(document, "bbox")
    assert (told["in"], told["required"], told["style"], told["explode"]) == ("query", False, "form", False)
    assert (told["schema"]["type"], told["schema"]["items"]) == ("array", {"type": "number"})
    assert {(row["minItems"], row["maxItems"]) for row in told["schema"]["oneOf"]} == {(4, 4), (6, 6)}
    table = store["reports"].sort_values("report_id")
    west, south, east, north = table.total_bounds
    box = (west, south, (west + east) / 2, north)
    page = get(f"{url}/collections/reports/items", bbox=told_in(box, CRS84), limit=10000)[2]
    assert ids(page) == table.loc[table.intersects(shapely.box(*box)), "report_id"].tolist()
    assert 0 < len(ids(page)) < len(table)


def test_limit(url: str, store, document) -> None:
    """/conf/core/fc-limit-definition, /conf/core/fc-limit-response"""
    schema = parameter(document, "limit")["schema"]
    assert schema == {"type": "integer", "minimum": 1, "maximum": 10000, "default": 1000}
    for limit in (1, 3, 10000, 20000):
        page = get(f"{url}/collections/reports/items", limit=limit)[2]
        assert len(page["features"]) == min(limit, len(store["reports"]))
    assert len(get(f"{url}/collections/reports/items")[2]["features"]) <= schema["default"]


def test_datetime(url: str, store, document) -> None:
    """/conf/core/fc-time-definition, /conf/core/fc-time-response"""
    told = parameter(document, "datetime")
    assert (told["schema"], told["style"], told["explode"]) == ({"type": "string"}, "form", False)
    table = store["reports"].sort_values("report_id")
    times = pd.to_datetime(table["requested_datetime"], utc=True)
    low, high = times.quantile([0.3, 0.7]).dt.floor("s")
    a, b = (moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (low, high))
    exact = times.dropna().iloc[0]
    for text, keep in (
        (exact.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z", times == exact),
        (f"{a}/{b}", (times >= low) & (times <= high)),
        (f"{a}/..", times >= low),
        (f"{a}/", times >= low),
        (f"../{b}", times <= high),
        (f"/{b}", times <= high),
    ):
        page = get(f"{url}/collections/reports/items", datetime=text, limit=10000)[2]
        assert ids(page) == table.loc[keep | times.isna(), "report_id"].tolist(), text


def test_unknown_and_invalid_parameters(url: str) -> None:
    """/conf/core/query-param-unknown, /conf/core/query-param-invalid, /conf/oas30/exceptions-codes"""
    for name in NAMES:
        items = f"{url}/collections/{name}/items"
        for wrong in ({"unknownQueryParameter": 1}, {"limit": "A"}, {"bbox": "1,2,3"}, {"datetime": "x"}):
            status, kind, told = get(items, **wrong)
            assert (status, kind, told["code"]) == (400, "application/json", "InvalidParameterValue")


def test_feature(url: str, store) -> None:
    """/conf/core/f-op, /conf/core/f-success, /conf/core/f-links, /conf/core/crs84"""
    for name in NAMES:
        layer = LAYER_BY_NAME[name]
        for _, row in store[name].head(2).iterrows():
            status, headers, item = ask(f"{url}/collections/{name}/items/{row[layer.id_column]}")
            assert (status, headers["content-type"]) == (200, "application/geo+json")
            assert {"self", "alternate", "collection"} <= rels(item)
            assert headers["content-crs"] == f"<{CRS84}>"
            assert_there(item["geometry"], row["geometry"], CRS84)


def test_every_operation_of_the_definition_is_there(url: str, document) -> None:
    """/conf/oas30/completeness, /conf/oas30/oas-impl, /conf/geojson/definition"""
    for path, operations in document["paths"].items():
        if "get" not in operations:
            continue
        statuses = set(operations["get"]["responses"])
        assert {"200"} <= statuses or "{" in path
        if path.endswith("/items"):
            assert {"304", "400", "404", "500"} <= statuses
            assert "application/geo+json" in operations["get"]["responses"]["200"]["content"]
            assert {"400", "404", "413", "415"} <= set(operations["post"]["responses"])
        if "{" not in path:
            assert get(url + path)[0] == 200, path


# Part 2: Coordinate Reference Systems by Reference


def test_crs_lists(collections) -> None:
    """/conf/crs/crs-uri, /conf/crs/default-crs, /conf/crs/storageCrs"""
    for collection in collections.values():
        assert collection["crs"] == [CRS84, EPSG + "4326", EPSG + "3857", EPSG + UTM]
        assert collection["storageCrs"] in collection["crs"]


def test_crs_parameter(url: str, collections, document) -> None:
    """/conf/crs/crs-parameter, /conf/crs/crs-parameter-default"""
    for name, collection in collections.items():
        assert parameter(document, "crs", name)["schema"]["enum"] == collection["crs"]
        for crs in (None, *collection["crs"]):
            asked = {} if crs is None else {"crs": crs}
            status, headers, page = ask(f"{url}/collections/{name}/items", limit=1, **asked)
            assert (status, headers["content-type"]) == (200, "application/geo+json")
            assert headers["content-crs"] == f"<{crs or CRS84}>"
            for feature in page["features"]:
                status, headers, item = ask(f"{url}/collections/{name}/items/{feature['id']}", **asked)
                assert (status, headers["content-crs"]) == (200, f"<{crs or CRS84}>")
                assert item["geometry"] == feature["geometry"]


def test_crs_parameter_invalid(url: str) -> None:
    """/conf/crs/crs-parameter-invalid, /conf/crs/bbox-crs-parameter-invalid"""
    for crs in ("", "EPSG:3857", EPSG + "2154", "http://www.opengis.net/def/crs/OGC/0/does_not_exist"):
        assert get(f"{url}/collections/reports/items", crs=crs)[0] == 400
        assert get(f"{url}/collections/reports/items", bbox="0,0,1,1", **{"bbox-crs": crs})[0] == 400
        assert get(f"{url}/collections/reports/items/reports:f0", crs=crs)[0] == 400


def test_crs_transform(url: str, store) -> None:
    """/conf/crs/crs-parameter-transform, /conf/crs/crs-transform"""
    for name in NAMES:
        for crs, code in SYSTEMS.items():
            page = get(f"{url}/collections/{name}/items", crs=crs, limit=20)[2]
            moved = store[name].sort_values(LAYER_BY_NAME[name].id_column).geometry.head(20).to_crs(code)
            for feature, shape in zip(page["features"], moved, strict=True):
                assert_there(feature["geometry"], shape, crs)


def test_bbox_crs_parameter(url: str, collections) -> None:
    """/conf/crs/bbox-crs-parameter, /conf/crs/bbox-crs-parameter-default"""
    for name, collection in collections.items():
        items, box = f"{url}/collections/{name}/items", wider(extent(collection))
        default = ids(get(items, bbox=told_in(box, CRS84), limit=10000)[2])
        for crs in collection["crs"]:
            asked = {"bbox": told_in(box_in(box, crs), crs), "bbox-crs": crs, "limit": 10000}
            assert ids(get(items, **asked)[2]) == default
        if default:
            swapped = {"bbox": told_in(box, CRS84), "bbox-crs": LATITUDE_FIRST}
            assert get(items, **swapped)[2]["numberMatched"] == 0


# Part 3: Filtering


def test_queryables(url: str, collections) -> None:
    """/conf/queryables/get-queryables, /conf/queryables/get-collection"""
    for name, collection in collections.items():
        address = f"{url}/collections/{name}/queryables"
        status, headers, schema = ask(address, headers={"Accept": "application/schema+json"})
        assert (status, headers["content-type"]) == (200, "application/schema+json")
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert (schema["$id"], schema["type"]) == (address, "object")
        roles = {key: told.get("x-ogc-role") for key, told in schema["properties"].items()}
        assert [key for key, role in roles.items() if role == "primary-geometry"] == ["geometry"]
        assert [key for key, role in roles.items() if role == "id"] == [LAYER_BY_NAME[name].id_column]
        linked = {link["href"].split("?")[0] for link in collection["links"] if link["rel"] == REL + "queryables"}
        assert linked == {address}


def test_queryables_are_query_parameters(url: str, document) -> None:
    """/conf/queryables-query-parameters/parameters: each column but `version`, which names the published version"""
    for name in NAMES:
        told = {row["name"] for row in document["paths"][f"/collections/{name}/items"]["get"]["parameters"]}
        assert set(LAYER_BY_NAME[name].names) <= told
    page = get(f"{url}/collections/reports/items", category="flood", limit=10000)[2]
    assert {feature["properties"]["category"] for feature in page["features"]} == {"flood"}


def test_filter_parameter(url: str, store) -> None:
    """/conf/filter/filter-param, /conf/filter/filter-lang-default, /conf/features-filter/filter-on-items"""
    for name in NAMES:
        items, table = f"{url}/collections/{name}/items", store[name]
        queryable = LAYER_BY_NAME[name].names[-1]
        for lang in ({}, {"filter-lang": "cql2-text"}):
            page = get(items, filter=f"{queryable} IS NULL", limit=10000, **lang)[2]
            assert page["numberMatched"] == int(table[queryable].isna().sum())
            assert all(feature["properties"][queryable] is None for feature in page["features"])
            assert get(items, filter="THIS IS NOT A FILTER", **lang)[0] == 400


def test_unknown_queryables(url: str) -> None:
    """/conf/filter/expression-construction"""
    for name in NAMES:
        assert get(f"{url}/collections/{name}/items", filter="this_is_not_a_queryable IS NULL")[0] == 400


def test_filter_crs(url: str, collections) -> None:
    """/conf/filter/filter-crs-wgs84, /conf/filter/filter-crs-param"""
    for name, collection in collections.items():
        items, box = f"{url}/collections/{name}/items", extent(collection)
        whole = get(items, limit=10000)[2]["features"]
        within = "S_INTERSECTS(geometry, BBOX({}))"
        assert get(items, filter=within.format(told_in(box, CRS84)), limit=10000)[2]["features"] == whole
        for crs in collection["crs"]:
            # lines between corners are straight in UTM, so the box is a little wider
            asked = {"filter": within.format(told_in(box_in(wider(box), crs), crs)), "filter-crs": crs, "limit": 10000}
            assert get(items, **asked)[2]["features"] == whole, crs
        unknown = {"filter-crs": "http://www.opengis.net/def/crs/OGC/0/does_not_exist"}
        assert get(items, filter=within.format(told_in(box, CRS84)), **unknown)[0] == 400
        million = (
            "S_INTERSECTS(geometry, POLYGON((1000000 1000000, 2000000 1000000, 2000000 2000000, 1000000 1000000)))"
        )
        assert get(items, filter=million)[0] == 400


def wider(box: tuple[float, ...]) -> tuple[float, ...]:
    return box[0] - 0.001, box[1] - 0.001, box[2] + 0.001, box[3] + 0.001


def test_a_filter_and_a_box_join(url: str, collections) -> None:
    """/conf/filter/mixing-expression"""
    for name, collection in collections.items():
        items, box = f"{url}/collections/{name}/items", extent(collection)
        within = f"S_INTERSECTS(geometry, BBOX({told_in(box, CRS84)}))"
        whole = get(items, limit=10000)[2]["features"]
        assert get(items, filter=within, bbox=told_in(box, CRS84), limit=10000)[2]["features"] == whole
        elsewhere = told_in((-20.0, 40.0, -10.0, 50.0), CRS84)
        assert get(items, filter=within, bbox=elsewhere)[2]["features"] == []


def test_functions(url: str) -> None:
    """/conf/filter/get-functions"""
    status, kind, page = get(f"{url}/functions")
    assert (status, kind) == (200, "application/json")
    for function in page["functions"]:
        assert set(function["returns"]) <= {"string", "number", "integer", "boolean"}
        assert all(argument["type"] for argument in function["arguments"])


def test_cells_by_function(url: str, store) -> None:
    """The functions do what they say: the reports in the parent of a cell"""
    cells = store["hexagons"]["cell"]
    resolution = h3.get_resolution(cells.iloc[0]) - 1
    parent = h3.cell_to_parent(cells.iloc[0], resolution)
    text = f"cell_to_parent(cell, {resolution}) = '{parent}'"
    page = get(f"{url}/collections/hexagons/items", filter=text)[2]
    assert ids(page) == sorted(cell for cell in cells if h3.cell_to_parent(cell, resolution) == parent)
    disk = set(h3.grid_disk(cells.iloc[0], 1))
    page = get(f"{url}/collections/hexagons/items", filter=f"in_grid_disk(cell, '{cells.iloc[0]}', 1)")[2]
    assert ids(page) == sorted(cell for cell in cells if cell in disk)


def test_schemas(url: str, collections) -> None:
    """Common Part 3 (23-058r2): /conf/schemas, returnables-and-receivables, queryables, sortables"""
    for collection in collections.values():
        for kind in ("schema", "queryables", "sortables"):
            href = next(
                link["href"]
                for link in collection["links"]
                if link["rel"] == REL + kind and link["type"] == "application/schema+json"
            )
            status, media, schema = get(href)
            assert (status, media, schema["$schema"]) == (
                200,
                "application/schema+json",
                "https://json-schema.org/draft/2020-12/schema",
            )
            assert schema["$id"] == href.split("?")[0]
            for told in schema["properties"].values():
                assert told["title"]
                assert ("type" in told) != ("format" in told and told["format"].startswith("geometry-"))
            assert ("geometry" in schema["properties"]) == (kind != "sortables")


def test_the_oracle_can_differ(store) -> None:
    """The systems are told apart by the numbers: none of these tests would pass with another one's coordinates."""
    shapes = gpd.GeoSeries(store["reports"].geometry.head(1))
    found = {shapes.to_crs(code).iloc[0].wkt for crs, code in SYSTEMS.items() if crs != LATITUDE_FIRST}
    assert len(found) == 3
