"""Edits of reports on a real server: the abstract tests of OGC API Features Part 4 (20-002, Annex A); hostile input.

A test that is named `test_<class>_<test>` is that abstract test, its steps in their order.
"""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyproj import Transformer

from services.editable import PART as EDITABLE
from spatial.config import load_place
from spatial.contracts import REPORTS
from spatial.hexgrid.grid import cells_of_points
from spatial.sources.submitted import DERIVED
from spatial.store.opening import open_live
from tests.services.editor import GEOJSON, MERGE_PATCH, Editor, report
from tests.services.running import served
from tests.store.places import STORES

TOKEN = "a-token-of-this-test-only"
TAG = re.compile(r'"[\x21\x23-\x7e]+"')  # strong
ADDRESS = "/collections/reports/items"


@pytest.fixture(scope="module", params=STORES)
def edited_city(request: pytest.FixtureRequest, city: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published city once more, for tests that change it; its live reports in each store."""
    folder = shutil.copytree(city, tmp_path_factory.mktemp("edited") / "city")
    if request.param == "postgis":
        url = request.getfixturevalue("postgis")
        with (folder / "city.toml").open("a", encoding="utf-8") as file:
            file.write(f'[store]\nurl = "{url}"\nschema = "t_{uuid.uuid4().hex[:12]}"\n')
    return folder


@pytest.fixture(scope="module")
def editor(edited_city: Path) -> Iterator[Editor]:
    """A client of an editable server."""
    with served(edited_city, 0, "--editable", HEXAKOTA_TOKEN=TOKEN) as url:
        yield Editor(url, TOKEN)


@pytest.fixture
def made(editor: Editor) -> str:
    """A report of this test alone."""
    location = editor.create(report(description="lubang", status="open")).headers["location"]
    return location.rsplit("/", 1)[1]


def everything(editor: Editor) -> dict[str, dict[str, Any]]:
    """All reports by id, page after page."""
    answer, found = editor.items(limit=50), {}
    while True:
        page = answer.json
        found |= {feature["id"]: feature for feature in page["features"]}
        following = [link["href"] for link in page["links"] if link["rel"] == "next"]
        if not following:
            return found
        answer = editor.ask("GET", following[0])


# Create, replace, delete


def test_create_replace_delete_options(editor: Editor) -> None:
    items, item = editor.ask("OPTIONS", ADDRESS), editor.ask("OPTIONS", f"{ADDRESS}/unknown_id")
    assert (items.status, item.status) == (200, 200)
    assert "POST" in items.headers["allow"].split(", ")
    assert {"PUT", "PATCH", "DELETE"} <= set(item.headers["allow"].split(", "))
    assert items.headers["accept-post"] == GEOJSON


def test_create_replace_delete_create(editor: Editor) -> None:
    before = set(everything(editor))
    sent = report(117.5061, -3.3062, category="tree", description="pohon tumbang", depth_m=None)
    answer = editor.create(sent)
    assert answer.status == 201
    read = editor.ask("GET", answer.headers["location"])
    assert read.status == 200
    assert read.json["geometry"] == sent["geometry"]
    assert {name: read.json["properties"][name] for name in sent["properties"]} == sent["properties"]
    assert read.json["id"] not in before
    assert set(everything(editor)) == before | {read.json["id"]}


def test_create_replace_delete_create_content_type(editor: Editor) -> None:
    answer = editor.create(report(), None)
    assert (answer.status, "Content-Type" in answer.told) == (400, True)


def test_create_replace_delete_replace(editor: Editor, made: str) -> None:
    sent = report(117.507, -3.307, category="waste", source="warga", description="menumpuk", depth_m=0.25)
    assert editor.replace(made, sent).status == 204
    read = editor.get(made).json
    assert read["geometry"] == sent["geometry"]
    assert {name: read["properties"][name] for name in sent["properties"]} == sent["properties"]
    assert read["properties"]["status"] is None


def test_create_replace_delete_replace_content_type(editor: Editor, made: str) -> None:
    assert editor.replace(made, report(), None).status == 400


def test_create_replace_delete_replace_rid(editor: Editor, made: str) -> None:
    before = editor.get(made).json
    for body in (report() | {"id": "other"}, report(report_id="other")):
        answer = editor.replace(made, body)
        assert (answer.status, "id" in answer.told) == (400, True)
    assert editor.get(made).json == before
    assert editor.get("other").status == 404


def test_create_replace_delete_replace_exceptions(editor: Editor) -> None:
    assert editor.replace("nobody", report()).status == 404
    assert editor.replace("nobody", report(), If_Match='"xyz"').status == 404
    assert editor.get("nobody").status == 404


def test_create_replace_delete_delete(editor: Editor, made: str) -> None:
    assert editor.delete(made).status == 204
    assert editor.get(made).status == 404
    assert made not in everything(editor)
    assert editor.delete(made).status == 404
    assert editor.replace(made, report()).status == 404
    assert editor.update(made, {"properties": {}}).status == 404


# Update


def test_update_options(editor: Editor, made: str) -> None:
    answer = editor.ask("OPTIONS", editor.item(made))
    assert "PATCH" in answer.headers["allow"]
    assert MERGE_PATCH in answer.headers["accept-patch"]


def test_update_update(editor: Editor, made: str) -> None:
    before = editor.get(made).json
    assert editor.update(made, {"properties": {"status": "closed"}}).status == 204
    after = editor.get(made).json
    assert after["properties"] == before["properties"] | {"status": "closed"}
    assert after["geometry"] == before["geometry"]


def test_update_update_content_type(editor: Editor, made: str) -> None:
    assert editor.update(made, {"properties": {"status": "closed"}}, None).status == 400


def test_update_update_rid(editor: Editor, made: str) -> None:
    for patch in ({"id": "other"}, {"properties": {"report_id": "other"}}, {"report_id": "other"}):
        assert editor.update(made, patch).status == 400
    assert editor.get("other").status == 404


# Optimistic locking with ETags


def test_optimistic_locking_etags_get_etag(editor: Editor, made: str) -> None:
    tags = {}
    for report_id in (made, "reports:w1", "reports:f3"):
        answer = editor.get(report_id)
        assert (answer.status, bool(TAG.fullmatch(answer.headers["etag"]))) == (200, True)
        tags[report_id] = answer.headers["etag"]
        unchanged = editor.get(report_id, If_None_Match=tags[report_id])
        assert (unchanged.status, unchanged.body) == (304, b"")
        assert unchanged.headers["cache-control"] == answer.headers["cache-control"] == "no-store"
    assert len(set(tags.values())) == 3


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_optimistic_locking_etags_replace_and_update(editor: Editor, made: str, method: str) -> None:
    tag, before = editor.get(made).headers["etag"], editor.get(made).json
    body, kind = (report(description="x"), GEOJSON) if method == "PUT" else ({"description": "x"}, MERGE_PATCH)
    for wrong in ('"0"', f"W/{tag}", tag.replace('"', ""), '"1", "2"'):
        assert editor.ask(method, editor.item(made), body, kind, If_Match=wrong).status == 412
    assert editor.get(made).json == before
    second = editor.ask(method, editor.item(made), body, kind, If_Match=f'"0", {tag}')
    assert (second.status, second.headers["etag"] != tag) == (204, True)
    assert editor.get(made).headers["etag"] == second.headers["etag"]
    assert editor.ask(method, editor.item(made), body, kind, If_Match=tag).status == 412
    assert editor.ask(method, editor.item(made), body, kind).status == 204
    assert editor.ask(method, editor.item(made), body, kind, If_Match="*").status == 204
    assert editor.ask(method, editor.item(made), body, kind, If_None_Match="*").status == 412
    timed = editor.ask(method, editor.item(made), body, kind, If_Unmodified_Since="Sat, 13 Mar 2021 11:28:17 GMT")
    assert (timed.status, "If-Match" in timed.told) == (412, True)


def test_optimistic_locking_etags_delete(editor: Editor, made: str) -> None:
    tag = editor.get(made).headers["etag"]
    assert editor.delete(made, If_Match='"0"').status == 412
    assert editor.get(made).status == 200
    assert editor.delete(made, If_Match=tag).status == 204
    assert editor.get(made).status == 404


def test_a_tag_of_any_representation_stands_for_the_report(editor: Editor, made: str) -> None:
    turned = editor.ask("GET", f"{editor.item(made)}?crs=http://www.opengis.net/def/crs/EPSG/0/4326")
    english = editor.get(made, Accept_Language="en")
    tags = {answer.headers["etag"] for answer in (turned, english, editor.get(made))}
    assert len(tags) == 3
    assert editor.update(made, {"status": "closed"}, If_Match=turned.headers["etag"]).status == 204


# Return of a representation, handling


def test_return_resource_representation_in_response(editor: Editor, made: str) -> None:
    sent = report(description="berlubang")
    for prefer in ({}, {"Prefer": "return=minimal"}):
        assert editor.create(sent, **prefer).body == b""
    prefer = {"Prefer": "return=representation"}
    for edit, status in (
        (lambda: editor.create(sent, **prefer, Accept=GEOJSON), 201),
        (lambda: editor.replace(made, sent, **prefer), 200),
        (lambda: editor.update(made, {"status": "closed"}, **prefer), 200),
    ):
        answer = edit()
        assert answer.status == status
        assert answer.headers["content-type"] == GEOJSON
        assert answer.headers["preference-applied"] == "return=representation"
        read = editor.ask("GET", answer.headers["content-location"])
        assert answer.json == read.json
        assert answer.headers["etag"] == read.headers["etag"]


def test_handling(editor: Editor) -> None:
    for prefer in ({}, {"Prefer": "handling=strict"}, {"Prefer": "handling=lenient"}):
        assert editor.create(report(), **prefer).status == 201
    wrong = report()
    del wrong["properties"]["category"]
    before = len(everything(editor))
    strict = editor.create(wrong, Prefer="handling=strict")
    assert (strict.status, strict.headers["preference-applied"]) == (400, "handling=strict")
    assert "category" in strict.told
    assert "preference-applied" not in editor.create(wrong).headers
    assert len(everything(editor)) == before


# Features


def test_features_endpoints(editor: Editor) -> None:
    collections = editor.ask("GET", "/collections").json["collections"]
    assert "reports" in [c["id"] for c in collections if c.get("itemType", "feature") == "feature"]
    assert not any(c.get("supportsNonAutogeneratedResourceIds") for c in collections)  # PUT makes no report


def test_features_crs(editor: Editor) -> None:
    lon, lat = 117.5098, -3.3109
    systems = editor.ask("GET", "/collections/reports").json.get(
        "crs", ["http://www.opengis.net/def/crs/OGC/1.3/CRS84"]
    )
    assert len(systems) == 4
    for system in systems[1:]:
        pair = Transformer.from_crs("OGC:CRS84", "EPSG:" + system.rsplit("/", 1)[1]).transform(lon, lat)
        for header in (system, f"<{system}>"):
            answer = editor.create(report(*pair), Content_Crs=header)
            assert answer.status == 201, answer.body
            plain = editor.ask("GET", answer.headers["location"]).json["geometry"]["coordinates"]
            assert plain == pytest.approx([lon, lat], abs=1e-9)
            same = editor.ask("GET", f"{answer.headers['location']}?crs={system}")
            assert same.json["geometry"]["coordinates"] == pytest.approx(pair, abs=1e-6, rel=1e-12)
    refused = editor.create(report(), Content_Crs="http://www.opengis.net/def/crs/EPSG/0/32633")
    assert (refused.status, "Content-Crs" in refused.told) == (400, True)


def test_features_schema(editor: Editor) -> None:
    schema = editor.ask("GET", "/collections/reports/schema").json
    own = {name for name, told in schema["properties"].items() if not told.get("readOnly")}
    assert own & set(DERIVED) == set()
    assert {"geometry", "report_id", "category", "description"} <= own
    assert schema["additionalProperties"] is False
    assert editor.create(report(bogus=1)).status == 400
    read_only = [name for name, told in schema["properties"].items() if told.get("readOnly")]
    assert set(read_only) == {*DERIVED, "category_basis"}
    for name in read_only:
        value = (
            1.0 if schema["properties"][name]["type"] == "number" else schema["properties"][name].get("enum", ["x"])[-1]
        )
        answer = editor.create(report(**{name: value}))
        assert (answer.status, name in answer.told) == (400, True)
    assert editor.create(report(**dict.fromkeys(DERIVED))).status == 201  # QGIS sends nulls


def test_features_json_merge_patch(editor: Editor, made: str) -> None:
    moved = {"type": "Point", "coordinates": [117.5123, -3.3144]}
    for patch in (
        {"geometry": moved, "properties": {"category": "waste", "category_raw": "Sampah", "description": None}},
        {"geometry": moved, "category": "waste", "category_raw": "Sampah", "description": None},
    ):
        editor.replace(made, report(description="x"))
        assert editor.update(made, patch).status == 204
        read = editor.get(made).json
        assert read["geometry"] == moved
        found = {name: read["properties"][name] for name in ("category", "category_raw", "description")}
        assert found == {"category": "waste", "category_raw": "Sampah", "description": None}
    assert editor.update(made, {"properties": {"status": "open"}, "status": "open"}).status == 400
    assert editor.update(made, {"type": "Feature", "properties": {"status": "open"}}, GEOJSON).status == 204


def test_the_classes_are_declared_by_an_editable_server_only(editor: Editor, url: str) -> None:
    told = set(editor.ask("GET", "/conformance").json["conformsTo"])
    part4 = "http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/"
    assert {
        f"{part4}{name}" for name in ("create-replace-delete", "update", "optimistic-locking-etags", "features")
    } <= told
    assert set(EDITABLE.conformance) <= told
    plain = set(Editor(url).ask("GET", "/conformance").json["conformsTo"])
    assert plain == told - set(EDITABLE.conformance)


# Who may edit


@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("PUT", "/w1"), ("PATCH", "/w1"), ("DELETE", "/w1")])
def test_a_read_only_server_says_so(url: str, method: str, path: str) -> None:
    answer = Editor(url).ask(method, f"{ADDRESS}{path}", report())
    assert (answer.status, "--editable" in answer.told) == (405, True)
    allowed = Editor(url).ask("OPTIONS", f"{ADDRESS}{path}").headers["allow"]
    assert set(allowed.split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_published_collections_cannot_be_edited(editor: Editor) -> None:
    for method, path in (("POST", ""), ("DELETE", "/x"), ("PUT", "/x")):
        answer = editor.ask(method, f"/collections/roads/items{path}", report())
        assert (answer.status, "only reports" in answer.told) == (405, True)
    assert editor.ask("OPTIONS", "/collections/roads/items").headers["allow"] == "GET, HEAD, OPTIONS"
    assert editor.ask("POST", "/collections/bogus/items", report()).status == 404


def test_an_edit_bears_the_token(editor: Editor, made: str) -> None:
    for token, challenge in ((None, 'Bearer realm="hexakota"'), ("wrong", 'error="invalid_token"'), ("", "Bearer")):
        stranger = Editor(editor.url, token)
        for answer in (stranger.create(report()), stranger.replace(made, report()), stranger.delete(made)):
            assert answer.status == 401
            assert challenge in answer.headers["www-authenticate"]
        assert stranger.get(made).status == 200
        assert stranger.ask("OPTIONS", ADDRESS).status == 200


# What clients read


def test_readers_see_what_was_written_and_published_versions_stay(editor: Editor, made: str, edited_city: Path) -> None:
    version = editor.ask("GET", "/collections/reports").json["hexakota"]["version"]
    published = editor.items(version=version, limit=1000).json
    assert made in everything(editor)
    assert made not in {feature["id"] for feature in published["features"]}
    assert editor.ask("GET", f"{editor.item(made)}?version={version}").status == 404
    assert editor.items(limit=1).headers["cache-control"] == "no-store"
    before = editor.ask("GET", f"{editor.item('reports:w7')}?version={version}").json
    assert editor.update("reports:w7", {"status": "open"}).status == 204
    assert editor.ask("GET", f"{editor.item('reports:w7')}?version={version}").json == before
    assert editor.get("reports:w7").json["properties"]["status"] == "open"


def test_derived_columns_stand_while_place_category_and_time_do(editor: Editor) -> None:
    before = editor.get("reports:f5").json
    assert before["properties"]["kelurahan"] == "Uji"
    editor.update("reports:f5", {"description": "lain", "status": "closed"})
    read = editor.get("reports:f5").json["properties"]
    assert read == before["properties"] | {"description": "lain", "status": "closed"}
    lon, lat = before["geometry"]["coordinates"]
    for patch in (
        {"category": "drainage"},
        {"requested_datetime": "2025-02-01T00:00:00.000Z"},
        {"geometry": {"type": "Point", "coordinates": [lon, lat + 0.004]}},
    ):
        editor.update("reports:f5", patch)
        read = editor.get("reports:f5").json
        cell = cells_of_points([read["geometry"]["coordinates"][0]], [read["geometry"]["coordinates"][1]], 9)[0]
        assert {name: read["properties"][name] for name in DERIVED} == dict.fromkeys(DERIVED) | {"cell": cell}
        own = {name: before["properties"][name] for name in REPORTS.names if name not in DERIVED}
        back = {"category": own["category"], "requested_datetime": own["requested_datetime"]}
        editor.update("reports:f5", back | {"geometry": before["geometry"]})
        read = editor.get("reports:f5").json["properties"]
        assert {name: read[name] for name in DERIVED} == {name: before["properties"][name] for name in DERIVED}


def test_what_was_read_can_be_sent_back(editor: Editor) -> None:
    """As QGIS does: the whole feature with its links, or all attributes and a place rounded to six decimals."""
    read = editor.get("reports:f8").json
    assert editor.replace("reports:f8", read).status == 204
    assert editor.get("reports:f8").json == read
    lon, lat = 117.50812345678, -3.30987654321
    location = editor.create(report(lon, lat, description="hubungi 081234567890")).headers["location"]
    read = editor.ask("GET", location).json
    assert read["properties"]["description"] == "hubungi [telepon]"
    rounded = {"type": "Point", "coordinates": [round(lon, 6), round(lat, 6)]}
    assert editor.ask("PUT", location, read | {"geometry": rounded}).status == 204
    assert editor.ask("GET", location).json == read


def test_texts_are_kept_as_told_and_answered_without_personal_data(editor: Editor, edited_city: Path) -> None:
    text = "hubungi 081234567890, B 1234 XYZ"
    answer = editor.create(report(description=text, source="telp 081234567890"), Prefer="return=representation")
    assert answer.json["properties"]["description"] == "hubungi [telepon], [pelat]"
    assert answer.json["properties"]["source"] == "telp [telepon]"
    page = {feature["id"]: feature for feature in everything(editor).values()}[answer.json["id"]]
    assert page["properties"]["description"] == "hubungi [telepon], [pelat]"
    assert editor.items(description=text).json["numberMatched"] == 0  # nobody learns it by asking
    with open_live(load_place(edited_city)) as live:
        kept = live.snapshot().set_index("report_id")
    assert kept["description"][answer.json["id"]] == text


def test_a_place_outside_the_city_is_taken(editor: Editor) -> None:
    assert editor.create(report(110.4, -7.0)).status == 201


# Ids


def test_a_plain_new_id_is_taken_and_any_other_gives_way(editor: Editor) -> None:
    first = editor.create(report() | {"id": "qlue:77~a"})
    assert first.headers["location"] == f"{editor.url}{ADDRESS}/qlue:77~a"
    assert editor.get("qlue:77~a").status == 200
    assert editor.create(report(report_id="qlue:78")).headers["location"].endswith("/qlue:78")
    taken = ("qlue:77~a", "reports:w1", "a b", "../../etc/passwd", "x' OR '1'='1", "<script>", "lapor 081234567890", "")
    for proposed in taken:
        location = editor.create(report() | {"id": proposed}).headers["location"]
        assert re.fullmatch(r"api-[0-9a-f]{20}", location.rsplit("/", 1)[1])
    assert editor.create(report(report_id="a1") | {"id": "a2"}).status == 400
    assert editor.delete("qlue:78").status == 204
    again = editor.create(report() | {"id": "qlue:78"})
    assert not again.headers["location"].endswith("/qlue:78")  # a deleted id stays deleted
    assert editor.get("qlue:78").status == 404


# Hostile input


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "expected JSON"),
        (b"{", "expected JSON"),
        (b'{"type": "Feature", "properties": {"depth_m": NaN}}', "expected JSON"),
        (b'{"type": "Feature", "properties": {"depth_m": 1e999}}', "expected JSON"),
        (b"[" * 100_000, "expected JSON"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "expected JSON"),
        (b"\xff\xfe", "expected JSON"),
        (b'"\\ud800"', "expected JSON"),
        (b"[]", "a JSON object"),
        (b'{"type": "FeatureCollection", "features": []}', "features"),
        (b'{"type": "Point", "coordinates": [117.5, -3.3]}', "coordinates"),
        (report() | {"crs": {"type": "name"}}, "crs"),
        (report() | {"properties": None}, "category"),
        (report() | {"properties": []}, "properties: []; expected an object"),
        (report() | {"properties": False}, "expected an object"),
        (report() | {"geometry": None}, "geometry"),
        (report(category="x' OR '1'='1"), "category"),
        (report(status="'; DROP TABLE reports; --"), "status"),
        (report(depth_m=-1), "depth_m"),
        (report(depth_m=10**30), None),
        (report(requested_datetime="2025-01-31"), "RFC 3339"),
        (report(description="a\x00b"), "description"),
        (report(**{"x' OR '1'='1": 1}), "x' OR '1'='1"),
        (report(0, 0), "coordinates"),
        (report(1e308, -1e308), "coordinates"),
    ],
)
def test_a_bad_body_is_refused_and_its_fault_named(editor: Editor, body: Any, told: str | None) -> None:
    answer = editor.create(body)
    if told is None:
        assert answer.status == 201
    else:
        assert (answer.status, told in answer.told) == (400, True), answer.body


def test_hostile_texts_and_ids_are_data(editor: Editor) -> None:
    count = len(everything(editor))
    text = "x'); DROP TABLE reports; -- \" <b>&amp; 🌊 𝔘 \u202e \\ %s {0}\n\t"
    location = editor.create(report(description=text, source=text)).headers["location"]
    read = editor.ask("GET", location).json["properties"]
    assert (read["description"], read["source"]) == (text, text)
    for report_id in ("x' OR '1'='1", "' UNION SELECT 1 --", "%", "..%2f", "🌊", "a\x00b", "x" * 5000):
        assert editor.get(report_id).status == 404
        assert editor.delete(report_id).status == 404
        assert editor.update(report_id, {}).status == 404
    assert len(everything(editor)) == count + 1


def test_a_large_body_is_refused(editor: Editor) -> None:
    answer = editor.create(report(description="x" * 1_100_000))
    assert (answer.status, "body" in answer.told) == (413, True)
    assert editor.create(report(description="x" * 10_001)).status == 400
    assert editor.create(report(description="x" * 10_000)).status == 201


def test_a_body_of_another_kind_is_refused(editor: Editor, made: str) -> None:
    for kind in ("text/plain", "application/gml+xml", f"{GEOJSON}; charset=latin-1"):
        answer = editor.create(report(), kind)
        assert (answer.status, GEOJSON in answer.told) == (415, True)
        assert editor.replace(made, report(), kind).status == 415
    patch = editor.update(made, [], "application/json-patch+json")
    assert (patch.status, patch.headers["accept-patch"]) == (415, f"{MERGE_PATCH}, {GEOJSON}")
    assert editor.create(report(), f"{GEOJSON}; charset=UTF-8").status == 201
    assert editor.ask("POST", f"{ADDRESS}?version=x", report()).status == 400
