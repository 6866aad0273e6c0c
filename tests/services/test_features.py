"""Features over HTTP against the store: every answer right, nothing ignored in silence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import pytest
import shapely
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial import pipeline
from spatial.registry import LAYER_BY_NAME, LAYERS
from tests.pipeline.tiny import SOUTH, WEST
from tests.services.running import get, served

NAMES = [layer.name for layer in LAYERS]
ROOT = Path(__file__).parents[2]


def link(page: dict, rel: str) -> str | None:
    return next((row["href"] for row in page["links"] if row["rel"] == rel), None)


def test_the_landing_page_leads_to_everything_that_it_names(url: str) -> None:
    status, _, page = get(url + "/")
    assert status == 200
    for row in page["links"]:
        assert get(row["href"])[0] == 200, row
    assert page["hexakota"]["city"]["name"] == "Kota Uji"
    assert get(url + "/map.png")[1] == "image/png"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/collections",
        "/collections/flood_zones",
        "/collections/hexagons/items",
        "/collections/reports/queryables",
        "/collections/reports/schema",
        "/openapi",
    ],
)
def test_pages_for_people(url: str, path: str) -> None:
    status, kind, body = get(url + path, f="html")
    assert (status, kind.split(";")[0]) == (200, "text/html")
    assert b"<html" in body


def test_collections_say_what_they_are_and_what_they_lack(url: str, store) -> None:
    status, _, page = get(url + "/collections")
    assert status == 200
    assert [c["id"] for c in page["collections"]] == NAMES
    for collection in page["collections"]:
        assert collection["hexakota"]["rows"] == len(store[collection["id"]])
        assert collection["attribution"]
        assert collection == get(f"{url}/collections/{collection['id']}")[2] | {"links": collection["links"]}
    zones = get(f"{url}/collections/flood_zones")[2]
    faults = get(f"{url}/collections/lighting_faults")[2]
    assert faults["hexakota"]["null_because"]["owner"]["id"] == "inventaris tidak memuatnya"
    assert zones["hexakota"]["vertical_datum"] == "EGM2008"
    assert zones["extent"]["spatial"]["bbox"][0] == pytest.approx(store["flood_zones"].total_bounds, abs=1e-6)
    reports = get(f"{url}/collections/reports")[2]
    assert reports["extent"]["temporal"]["interval"][0][0] == "1990-07-20T12:17:00Z"


@pytest.mark.parametrize("name", NAMES)
def test_schema_and_queryables_are_the_contract(url: str, name: str) -> None:
    layer = LAYER_BY_NAME[name]
    for kind in ("schema", "queryables"):
        status, media, schema = get(f"{url}/collections/{name}/{kind}")
        assert (status, media) == (200, "application/schema+json")
        assert [k for k in schema["properties"] if k != "geometry"] == list(layer.names)
        for column in layer.columns:
            told = schema["properties"][column.name]
            assert told["title"] == f"{column.title_id} / {column.title_en}"
            assert told.get("enum") == (list(column.values) if column.values else None)
            assert told.get("x-ogc-unit") == column.unit


@pytest.mark.parametrize("name", NAMES)
def test_every_feature_comes_back_as_the_store_has_it(url: str, store, name: str) -> None:
    status, kind, page = get(f"{url}/collections/{name}/items", limit=10000)
    layer, table = LAYER_BY_NAME[name], store[name]
    assert (status, kind) == (200, "application/geo+json")
    assert page["numberMatched"] == page["numberReturned"] == len(table) == len(page["features"])
    for feature, row in zip(page["features"], table.itertuples(), strict=True):
        assert list(feature["properties"]) == list(layer.names)
        assert feature["id"] == feature["properties"][layer.id_column]
        assert shapely.geometry.shape(feature["geometry"]).equals(row.geometry)
        for column in layer.columns:
            assert_same(feature["properties"][column.name], getattr(row, column.name), column.kind)


def assert_same(served_value: object, stored: object, kind: str) -> None:
    if pd.isna(stored):
        assert served_value is None
    elif kind == "datetime":
        time = pd.Timestamp(stored)
        assert pd.Timestamp(served_value) == (time if time.tzinfo else time.tz_localize("UTC"))
    else:
        assert served_value == stored


def test_odd_texts_and_times_survive(url: str) -> None:
    item = get(f"{url}/collections/reports/items/reports:odd1")[2]
    assert item["properties"]["description"] == "<b>&amp; 'kutip' 🌊 𝔘"
    assert get(f"{url}/collections/reports/items/reports:odd2")[2]["properties"]["requested_datetime"] is None
    first = get(f"{url}/collections/reports/items/reports:odd3")[2]["properties"]["requested_datetime"]
    assert first == "1990-07-20T12:17:00.000Z"
    assert "&lt;" not in json.dumps(item)


@pytest.mark.parametrize(
    ("name", "limit"), [("reports", 7), ("reports", 38), ("hexagons", 5), ("flood_zones", 1), ("lighting_zones", 1)]
)
def test_next_links_lead_through_every_feature_once_and_end(url: str, store, name: str, limit: int) -> None:
    seen: list[str] = []
    address: str | None = f"{url}/collections/{name}/items?limit={limit}"
    while address:
        status, _, page = get(address)
        assert status == 200
        assert page["features"] or not seen
        seen += [f["id"] for f in page["features"]]
        address = link(page, "next")
    assert seen == store[name][LAYER_BY_NAME[name].id_column].tolist()


def test_hits_selection_and_csv(url: str, store) -> None:
    items = f"{url}/collections/reports/items"
    assert get(items, resulttype="hits")[2]["numberMatched"] == len(store["reports"])
    assert get(items, resulttype="hits")[2]["features"] == []
    feature = get(items, limit=1, properties="category,status", skipGeometry="true")[2]["features"][0]
    assert list(feature["properties"]) == ["category", "status"]
    assert feature["geometry"] is None
    status, kind, body = get(items, f="csv", limit=3)
    assert (status, kind.split(";")[0]) == (200, "text/csv")
    assert body.decode().count("\n") == 4


BOXES = st.tuples(st.integers(-2, 20), st.integers(-2, 20), st.integers(0, 12), st.integers(0, 12)).map(
    lambda b: (WEST + 0.001 * b[0], SOUTH + 0.001 * b[1], WEST + 0.001 * (b[0] + b[2]), SOUTH + 0.001 * (b[1] + b[3]))
)
DAYS = st.dates(pd.Timestamp("2024-12-20").date(), pd.Timestamp("2025-10-10").date()).map(str)
TIMES = (
    st.none()
    | DAYS
    | st.tuples(DAYS, DAYS).map(lambda d: "/".join(sorted(d)))
    | DAYS.map(lambda d: f"{d}/..")
    | (DAYS.map(lambda d: f"../{d}"))
)
CATEGORIES = st.none() | st.sampled_from(["waste", "flood", "street_light", "tree"])


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(NAMES), st.none() | BOXES, TIMES, CATEGORIES)
def test_bbox_datetime_and_properties_are_the_oracles(url, store, name, box, when, category) -> None:
    table, layer = store[name], LAYER_BY_NAME[name]
    keep = pd.Series(True, index=table.index)
    parameters: dict[str, object] = {"limit": 10000}
    if box is not None:
        parameters["bbox"] = ",".join(map(repr, box))
        keep &= table.geometry.intersects(shapely.box(*box))
    if when is not None:
        parameters["datetime"] = when
        if layer.temporal:
            keep &= oracle_times(table[layer.temporal], when)
    if category is not None and name == "reports":
        parameters["category"] = category
        keep &= table["category"] == category
    status, _, page = get(f"{url}/collections/{name}/items", **parameters)
    assert status == 200
    assert [f["id"] for f in page["features"]] == table.loc[keep, layer.id_column].tolist()
    assert page["numberMatched"] == int(keep.sum())


def oracle_times(times: pd.Series, when: str) -> pd.Series:
    begin, end = (when.split("/") * 2)[:2]
    times = pd.to_datetime(times, utc=True)
    keep = pd.Series(True, index=times.index)
    if begin != "..":
        keep &= times >= pd.Timestamp(begin, tz="UTC")
    if end != "..":
        keep &= times < pd.Timestamp(end, tz="UTC") + pd.Timedelta(days=1)
    return keep | times.isna()


def test_the_edge_of_the_box_is_exact(url: str, store) -> None:
    """A box that ends at a point's own coordinate holds it; one float further in does not."""
    point = store["reports"].geometry.iloc[0]
    items, x, y = f"{url}/collections/reports/items", point.x, point.y
    on_edge = {f["id"] for f in get(items, bbox=f"{x!r},{y!r},{x + 1!r},{y + 1!r}", limit=10000)[2]["features"]}
    inside = {f["id"] for f in get(items, bbox=f"{x + 2e-14!r},{y!r},{x + 1!r},{y + 1!r}", limit=10000)[2]["features"]}
    assert store["reports"]["report_id"].iloc[0] in on_edge - inside


def test_a_box_across_the_antimeridian(url: str, store) -> None:
    page = get(f"{url}/collections/hexagons/items", bbox="117,-4,-179,-3", resulttype="hits")[2]
    assert page["numberMatched"] == len(store["hexagons"])
    assert get(f"{url}/collections/hexagons/items", bbox="170,-4,-170,-3", resulttype="hits")[2]["numberMatched"] == 0


REFUSED = [
    ({"sortby": "score"}, "sortby"),
    ({"sortby": ""}, "sortby"),
    ({"sortby": "status,-status"}, "sortby"),
    ({"filter": "a=1"}, "filter"),
    ({"filter": "status"}, "filter"),
    ({"filter": ""}, "filter"),
    ({"filter": "status='open'", "filter-lang": "cql"}, "filter-lang"),
    ({"filter": "status='open'", "filter-crs": "http://www.opengis.net/def/crs/EPSG/0/2154"}, "filter-crs"),
    ({"filter-lang": "cql2-text"}, "filter-lang"),
    ({"filter-crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}, "filter-crs"),
    ({"q": "banjir"}, "q"),
    ({"colour": "red"}, "colour"),
    ({"crs": "http://www.opengis.net/def/crs/EPSG/0/2154"}, "crs"),
    ({"bbox-crs": "http://www.opengis.net/def/crs/EPSG/0/2154", "bbox": "1,2,3,4"}, "bbox-crs"),
    ({"bbox-crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}, "bbox-crs"),
    ({"bbox": "1,2,3"}, "bbox"),
    ({"bbox": "1,2,3,x"}, "bbox"),
    ({"bbox": "1,4,3,2"}, "bbox"),
    ({"bbox": "1,2,9,4,5,6"}, "bbox"),
    ({"bbox": "nan,2,3,4"}, "bbox"),
    ({"limit": "0"}, "limit"),
    ({"limit": "many"}, "limit"),
    ({"offset": "-1"}, "offset"),
    ({"offset": "9" * 30}, "offset"),
    ({"datetime": "yesterday"}, "datetime"),
    ({"datetime": "2025-01-02/2025-01-01"}, "datetime"),
    ({"datetime": "../.."}, "datetime"),
    ({"datetime": "2025-01-01T00:00:00"}, "datetime"),
    ({"resulttype": "all"}, "resulttype"),
    ({"depth_m": "deep"}, "depth_m"),
    ({"properties": "colour"}, "properties"),
    ({"f": "xml"}, "f=xml"),
    ({"requested_datetime": "x"}, "requested_datetime"),
    ({"description": "\x00"}, "description"),
]


@pytest.mark.parametrize(("parameters", "named"), REFUSED, ids=[str(p) for p, _ in REFUSED])
def test_what_is_not_supported_is_a_400_that_names_it(url: str, parameters: dict[str, str], named: str) -> None:
    status, kind, body = get(f"{url}/collections/reports/items", **parameters)
    assert (status, kind.split(";")[0]) == (400, "application/json")
    assert named in body["description"]


def test_what_is_not_there_is_a_404(url: str) -> None:
    for path in (
        "/collections/none",
        "/collections/none/items",
        "/collections/reports/items/none",
        "/collections/reports/items?version=none",
        "/collections/reports/items/reports:f0?version=none",
        "/nothing",
    ):
        assert get(url + path)[0] == 404, path
    assert get(f"{url}/collections/reports/items?limit=1&limit=2")[0] == 400


@pytest.mark.parametrize("text", ["x' OR '1'='1", '"; DROP TABLE reports; --', "%"])
def test_hostile_text_is_data(url: str, text: str) -> None:
    status, _, page = get(f"{url}/collections/reports/items", description=text)
    assert (status, page["numberMatched"]) == (200, 0)
    assert get(f"{url}/collections/reports/items/{quote(text, safe='')}")[0] == 404


def test_paging_stays_on_one_version_while_a_new_one_is_published(city: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(city, tmp_path / "city"))
    with served(folder) as url:
        before = get(f"{url}/collections/reports")[2]["hexakota"]["version"]
        first = get(f"{url}/collections/reports/items", limit=60)[2]
        with (folder / "reports.csv").open("a") as file:
            file.write("aaa,117.51,-3.31,Banjir,baru,menunggu,2025-09-22 07:00,\n")
        after = pipeline.run(folder).version.id
        second = get(link(first, "next"))[2]
        assert before in link(first, "next")
        assert second["numberMatched"] == first["numberMatched"]
        assert get(f"{url}/collections/reports")[2]["hexakota"]["version"] == after
        assert (
            get(f"{url}/collections/reports/items", resulttype="hits")[2]["numberMatched"] == first["numberMatched"] + 1
        )
        assert get(f"{url}/collections/reports/items/reports:aaa")[0] == 200
        assert get(f"{url}/collections/reports/items/reports:aaa", version=before)[0] == 404


def test_the_configuration_names_every_layer_and_is_pygeoapis_own(city: Path, monkeypatch) -> None:
    from pygeoapi.config import validate_config
    from pygeoapi.util import yaml_load

    text = (ROOT / "pygeoapi-config.yml").read_text("utf-8")
    assert list(yaml.safe_load(text)["resources"]) == NAMES
    monkeypatch.setenv("HEXAKOTA_CITY", str(city))
    with (ROOT / "pygeoapi-config.yml").open(encoding="utf-8") as file:
        config = yaml_load(file)
    assert validate_config(config)
    assert {p["data"] for r in config["resources"].values() for p in r["providers"]} == {str(city)}


def test_a_city_without_a_version_is_refused_in_one_line(tmp_path: Path) -> None:
    import subprocess
    import sys

    result = subprocess.run(
        [sys.executable, "-m", "services.cli", "serve", str(tmp_path), "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "nothing is published yet" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_synthetic_city_is_labelled(city: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(city, tmp_path / "city"))
    toml = (folder / "city.toml").read_text().replace("[city]", "[city]\nsynthetic = true", 1)
    (folder / "city.toml").write_text(toml)
    pipeline.run(folder)
    with served(folder) as url:
        assert get(url + "/")[2]["title"].startswith("[SINTETIS / SYNTHETIC]")
        for collection in get(url + "/collections")[2]["collections"]:
            assert collection["title"].startswith("[SINTETIS / SYNTHETIC]")
            assert collection["hexakota"]["synthetic"] is True
