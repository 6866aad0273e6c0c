"""Pages for people: both languages, nothing from another host, every value escaped, a map that a real browser draws."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, urljoin, urlsplit
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator
from matplotlib.image import imread
from pygeoapi.openapi import SCHEMASDIR

import services
from services.assets import ASSETS
from services.labels import PART_LABELS, VALUE_LABELS, Reader
from services.messages import MESSAGES
from services.rendering import base_map, page_headers
from spatial.contracts import FLOOD_ZONES, QUALITY_FLAGS, SEVERITIES
from spatial.registry import LAYER_BY_NAME, LAYERS
from spatial.store.styles import FLOOD
from tests.services import handmade
from tests.services.browser import Tab, browser
from tests.services.handmade import ODD, ODD_ID
from tests.services.running import get, served

HTML = Path(str(files(services))) / "html"
ID, EN = Reader("id", ZoneInfo("Asia/Makassar")), Reader("en", ZoneInfo("Asia/Makassar"))
PAGES = (
    "/",
    "/conformance",
    "/collections",
    "/collections/flood_zones",
    "/collections/hexagons/schema",
    "/collections/reports/queryables",
    "/collections/reports/items",
    "/openapi",
    "/ranking",
)
READY = "document.querySelector('#map')?.dataset.ready"


class Seen(HTMLParser):
    """What a browser would make of a page: its language, texts, links, scripts and other addresses."""

    def __init__(self, body: str) -> None:
        super().__init__()
        self.lang, self.text, self.links, self.others, self.tags = "", "", [], [], []
        self.rows: list[list[str]] = []
        self.feed(body)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {key: value or "" for key, value in attrs}
        self.tags.append((tag, told))
        if tag == "html":
            self.lang = told["lang"]
        if tag == "a":
            self.links.append((told["href"], told.get("rel", "")))
        self.others += [told[key] for key in ("src", "action", "srcset", "poster", "data") if key in told]
        if tag == "link":
            self.others.append(told["href"])
        if tag in ("dt", "dd", "td", "th", "li", "p", "h1", "h2"):
            self.text += " "
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def ask(address: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """Return status, headers and text as a browser gets them."""
    request = urllib.request.Request(address, headers={"Accept": "text/html,*/*;q=0.8"} | headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, dict(answer.headers), answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()


def page(address: str, lang: str = "id") -> Seen:
    status, headers, body = ask(address, **{"Accept-Language": lang})
    assert (status, headers["content-type"].split(";")[0]) == (200, "text/html"), address
    return Seen(body)


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("hand") / "city"
    zones = handmade.zones("flood", 7).assign(
        priority_rank=[4, 1, 7, 2, 6, 3, 5], kelurahan=["A", "B", "B, A", None, "A", "A", None]
    )
    handmade.publish(folder, layers=handmade.tables() | {FLOOD_ZONES: zones})
    with served(folder) as url:
        yield url


# --- languages


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_in_both_languages(url: str, path: str) -> None:
    ours, theirs = page(url + path, "id"), page(url + path, "en-GB")
    assert (ours.lang, theirs.lang) == ("id", "en")
    for key in ("skip", "licence", "attribution"):
        indonesian, english = MESSAGES[key]
        assert indonesian in ours.text
        assert english in theirs.text
        assert english not in ours.text
        assert indonesian not in theirs.text


def test_lang_wins_over_the_cookie_and_the_cookie_over_the_header(url: str) -> None:
    english = {"Accept-Language": "en"}
    assert page(url + "/", "fr").lang == "id"
    for query, headers, expected in (
        ("", english, "en"),
        ("", english | {"Cookie": "lang=id"}, "id"),
        ("?lang=en", {"Cookie": "lang=id"}, "en"),
        ("?lang=id", english, "id"),
        ("", english | {"Cookie": "lang=xx"}, "en"),
    ):
        assert Seen(ask(url + "/" + query, **headers)[2]).lang == expected, (query, headers)
    assert "lang=en" in ask(url + "/?lang=en")[1]["set-cookie"]
    assert "set-cookie" not in ask(url + "/")[1]
    assert Seen(ask(url + "/?lang=xx")[2]).lang == "id"


def test_the_switch_keeps_the_rest_of_the_query(url: str) -> None:
    seen = page(f"{url}/collections/reports/items?category=waste&limit=7&f=html")
    (switch,) = [href for href, _ in seen.links if "lang=en" in href]
    other = page(urljoin(f"{url}/collections/reports/items", switch))
    assert other.lang == "en"
    assert len(other.rows) == len(seen.rows) == 8


def test_every_text_has_two_languages_and_is_used() -> None:
    used = "\n".join(path.read_text("utf-8") for path in [*HTML.glob("*.html"), *HTML.parent.glob("*.py")])
    for key, (indonesian, english) in MESSAGES.items():
        assert indonesian.strip(), key
        assert english.strip(), key
        assert re.search(rf"\b(t|texts|TEXTS\[\w+(\.\w+)*\])\.{key}\b", used) or key in (
            "queryables",
            "schema",
            "sortables",
        ), key


def test_every_enumerated_value_has_a_label() -> None:
    values = {v for layer in LAYERS for c in layer.columns for v in c.values or ()} | set(QUALITY_FLAGS)
    for value in values:
        assert value.removesuffix("_cold") in VALUE_LABELS, value
        assert ID.value(value), value
    assert ID.value("new_cold") == "baru (titik dingin)"
    assert EN.value("new_cold") == "new (cold spot)"


def test_every_part_of_a_published_score_has_a_label(store: dict[str, gpd.GeoDataFrame]) -> None:
    keys: set[str] = set()
    for name, column in (
        ("flood_zones", "explanation_parts"),
        ("lighting_zones", "explanation_parts"),
        ("hexagons", "explanation_parts"),
        ("lighting_zones", "cause_parts"),
    ):
        for told in store[name][column].dropna():
            for key, value in json.loads(told).items():
                keys |= {key, *(value if isinstance(value, dict) else ())}
    assert len(keys) > 5
    assert keys <= set(PART_LABELS)


# --- values as told


@pytest.mark.parametrize(
    ("reader", "value", "expected"),
    [
        (ID, 1881.7735, "1.882"),
        (EN, 1881.7735, "1,882"),
        (ID, 305.34, "305,3"),
        (ID, 28.788, "28,8"),
        (ID, 2.42, "2,42"),
        (ID, 0.36218, "0,362"),
        (ID, 0.0, "0"),
        (ID, -1.25, "-1,25"),
        (ID, 1e-7, "< 0,001"),
        (EN, -1e-7, "> −0.001"),
    ],
)
def test_numbers_are_told_in_the_readers_way(reader: Reader, value: float, expected: str) -> None:
    assert reader.number(value) == expected


def test_a_share_that_is_nearly_one_is_not_told_as_one() -> None:
    assert (ID.share(0.999995), EN.share(0.9994), ID.share(1.0)) == ("> 0,999", "0.999", "1,00")


@pytest.mark.parametrize(
    ("reader", "text", "expected"),
    [
        (ID, "2024-12-09T04:47:59.000Z", "9 Des 2024 12:47 WITA"),
        (EN, "2024-08-31T16:30:00Z", "1 Sep 2024 00:30 WITA"),
        (ID, "1969-07-20T20:17:40Z", "21 Jul 1969 04:17 WITA"),
        (Reader("id", ZoneInfo("Asia/Jayapura")), "2024-05-01T00:00:00Z", "1 Mei 2024 09:00 WIT"),
    ],
)
def test_times_are_told_in_the_citys_zone(reader: Reader, text: str, expected: str) -> None:
    assert reader.time(text) == expected


@given(st.floats(-1e9, 1e9), st.sampled_from([ID, EN]))
def test_a_told_number_is_the_number(value: float, reader: Reader) -> None:
    text = reader.number(value)
    if text[0] in "<>":
        assert 0 < abs(value) < 0.001
        return
    plain = text.translate(str.maketrans({".": "", ",": "."} if reader is ID else {",": ""}))
    assert float(plain) == pytest.approx(value, rel=0.005, abs=0.0005)


# --- what a page says


def test_the_landing_page_tells_an_official_what_there_is(url: str, store: dict[str, gpd.GeoDataFrame]) -> None:
    manifest = get(url + "/")[2]["hexakota"]
    for lang in ("id", "en"):
        seen = page(url + "/", lang)
        assert "Kota Uji" in seen.text
        assert manifest["version"] in seen.text
        for row in manifest["left_out"]:
            assert row[lang] in seen.text
    flat = " ".join(page(url + "/").text.split())
    assert f"Laporan warga {len(store['reports'])}" in flat
    assert f"Zona rawan banjir {len(store['flood_zones'])}" in flat
    links = {urlsplit(href).path for href, _ in page(url + "/").links}
    assert {"/ranking", "/map.png", *(f"/collections/{layer.name}" for layer in LAYERS)} <= links


def test_a_zone_says_why_how_sure_and_what_changed(url: str, store: dict[str, gpd.GeoDataFrame]) -> None:
    for name in ("flood_zones", "lighting_zones"):
        zone = store[name].iloc[0]
        reasons = get(f"{url}/collections/{name}")[2]["hexakota"]["null_because"]
        for lang, reader in (("id", ID), ("en", EN)):
            seen = page(f"{url}/collections/{name}/items/{zone.zone_id}", lang)
            flat = " ".join(seen.text.split())
            assert zone[f"explanation_{lang}"] in flat
            assert f"{zone.priority_rank} {MESSAGES['of'][lang != 'id']} {len(store[name])}" in flat
            assert f"{zone.n_reports} {MESSAGES['reports'][lang != 'id']}" in flat
            assert reader.value(zone.change) in flat
            for key, value in json.loads(zone.explanation_parts).items():
                assert [reader.part(key), reader.number(value)] in [row[:2] for row in seen.rows]
            told = {row[0]: row[1].strip() for row in seen.rows if len(row) == 2}
            for column in LAYER_BY_NAME[name].columns:
                if column.name in reasons and zone[column.name] is None:
                    assert told[reader.title(column)] == f"– ({reasons[column.name][lang]})"
    assert (
        MESSAGES["not_calibrated"][0]
        in page(f"{url}/collections/flood_zones/items/{store['flood_zones'].zone_id[0]}").text
    )


def test_the_table_leads_through_every_feature_once(url: str, store: dict[str, gpd.GeoDataFrame]) -> None:
    address: str | None = f"{url}/collections/hexagons/items?limit=7"
    found: list[str] = []
    while address:
        seen = page(address)
        found += [row[0] for row in seen.rows[1:]]
        following = [href for href, rel in seen.links if rel == "next"]
        address = urljoin(address, following[0]) if following else None
    assert found == store["hexagons"]["cell"].tolist()
    assert len(page(f"{url}/collections/reports/items?limit=10000").rows) == 101
    assert ask(f"{url}/collections/reports/items?limit=many")[0] == 400


def test_the_filter_form_filters_and_an_empty_choice_is_none(url: str, store: dict[str, gpd.GeoDataFrame]) -> None:
    items, reports = f"{url}/collections/reports/items", store["reports"]
    assert page(items + "?category=flood&status=").rows[1:]
    assert len(page(items + "?category=flood&status=").rows) == 1 + int((reports.category == "flood").sum())
    chosen = [told for tag, told in page(items + "?category=flood").tags if tag == "option" and "selected" in told]
    assert [told["value"] for told in chosen] == ["flood"]
    assert ask(items + "?category=flood&category=waste")[0] == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nothing", 404), ("/collections/none", 404), ("/collections/reports/items?colour=red", 400), ("/?f=xml", 400)],
)
def test_an_error_is_a_page_for_people_and_an_object_for_programs(url: str, path: str, status: int) -> None:
    found, headers, body = ask(url + path, **{"Accept-Language": "en"})
    if "f=xml" not in path:
        assert (found, headers["content-type"].split(";")[0]) == (status, "text/html")
        assert Seen(body).lang == "en"
    assert get(url + path)[1] == "application/json"
    assert get(url + path)[0] == status
    assert get(url + path)[2]["description"].split(":")[0] in Seen(body).text


# --- the ranked list


def test_the_list_holds_every_zone_of_each_kelurahan_by_rank(url: str, store: dict[str, gpd.GeoDataFrame]) -> None:
    told = get(f"{url}/ranking")[2]
    zones = {name: store[name].sort_values("priority_rank") for name in ("flood_zones", "lighting_zones")}
    for group in told["kelurahan"]:
        for name, table in zones.items():
            where = table["kelurahan"].map(lambda told: told.split(", ") if told else [None])
            inside = [group["name"] in names for names in where]
            assert [zone["zone_id"] for zone in group[name]] == table.loc[inside, "zone_id"].tolist()
    listed = {zone["zone_id"] for group in told["kelurahan"] for name in zones for zone in group[name]}
    assert listed == {identifier for table in zones.values() for identifier in table["zone_id"]}
    seen = page(f"{url}/ranking", "en")
    for name, table in zones.items():
        for zone in table.itertuples():
            assert zone.explanation_en in seen.text
            assert f"/collections/{name}/items/{zone.zone_id}" in {href for href, _ in seen.links}
    assert get(f"{url}/ranking", kelurahan="Uji")[2]["names"] == told["names"]
    assert get(f"{url}/ranking", kelurahan="none")[2]["kelurahan"] == []
    assert len(page(f"{url}/ranking?kelurahan=").rows) == len(seen.rows)
    assert ask(f"{url}/ranking?version=none")[0] == 404


def test_a_zone_across_a_border_is_in_each_list_and_one_without_kelurahan_in_the_last(hand: str) -> None:
    told = get(f"{hand}/ranking")[2]
    assert told["names"] == ["A", "B"]
    assert [(group["name"], [zone["zone_id"] for zone in group["flood_zones"]]) for group in told["kelurahan"]] == [
        ("A", ["flood-5", "flood-0", "flood-4", "flood-2"]),
        ("B", ["flood-1", "flood-2"]),
        (None, ["flood-3", "flood-6"]),
    ]
    only = get(f"{hand}/ranking", kelurahan="B")[2]["kelurahan"]
    assert [group["name"] for group in only] == ["B"]


# --- nothing from elsewhere, nothing that runs


def test_every_link_of_every_page_leads_somewhere_and_none_elsewhere(url: str) -> None:
    """Follow links from the landing page: ours are answered, and only attribution and licence lead to another host."""
    waiting, seen_at = ["/", "/nothing"], set[str]()
    while waiting and len(seen_at) < 160:
        path = waiting.pop(0)
        if path in seen_at:
            continue
        seen_at.add(path)
        status, headers, body = ask(url + path)
        assert status == (404 if path.startswith("/nothing") else 200), path
        if not headers["content-type"].startswith("text/html"):
            continue
        seen = Seen(body)
        for address in seen.others:
            assert urljoin(url + path, address).startswith((url + "/", "data:")), (path, address)
        for href, rel in seen.links:
            target = urljoin(url + path, href)
            if not target.startswith(url):
                assert "external" in rel, (path, href)
                assert urlsplit(target).scheme in ("http", "https")
            elif "#" not in href and ("/items/" not in href or len(seen_at) < 40):
                waiting.append(target.removeprefix(url))
    assert len(seen_at) > 60


def test_assets_ask_for_nothing_elsewhere_and_may_be_kept(url: str) -> None:
    for name in ("hexakota.css", "hexakota.js"):
        text = ASSETS[name].read_text("utf-8")
        assert len(text.splitlines()) < 300
        assert not re.search(r"https?://|//\w+\.\w+/", text), name
    for name in ("hexakota.css", "maplibre-gl.css"):
        text = ASSETS[name].read_text("utf-8")
        assert "@import" not in text
        assert all(found.strip("'\"").startswith("data:") for found in re.findall(r"url\(([^)]*)\)", text))
    addresses = [a for a in page(url + "/").others if "/assets/" in a]
    assert len(addresses) == 4
    for address in addresses:
        status, headers, _ = ask(url + address)
        assert status == 200
        assert "immutable" in headers["cache-control"]
        assert "immutable" not in ask(url + address.split("?")[0])[1]["cache-control"]
    for name in ("none.js", "..%2fapp.py", "layout.html"):
        assert ask(f"{url}/assets/{name}")[0] == 404


@pytest.mark.parametrize("path", PAGES)
def test_no_page_may_run_a_script_of_its_own(url: str, path: str) -> None:
    _, headers, body = ask(url + path)
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    for tag, told in Seen(body).tags:
        assert tag != "style"
        assert "style" not in told
        assert not any(key.startswith("on") for key in told)
        assert tag != "script" or told["src"].startswith("/assets/")


def test_values_are_text_on_every_page(hand: str) -> None:
    """The hostile description, the hostile id and the hostile city name arrive as text, and add no element."""
    item = f"{hand}/collections/reports/items/{quote(ODD_ID, safe='')}"
    for address in (
        item,
        f"{hand}/collections/reports/items",
        f"{hand}/collections/reports/items?description={quote(ODD)}",
    ):
        seen = page(address)
        assert ODD in seen.text, address
        assert seen.text.count("alert(1)") == seen.text.count(ODD)
        assert all(told.get("src", "").startswith("/assets/") for tag, told in seen.tags if tag == "script")
    assert "Kota <Tangan>" in page(hand + "/").text
    assert "Jl. <B>" in page(f"{hand}/collections/roads/items").text
    missing = Seen(ask(f"{hand}/collections/reports/items/{quote(ODD, safe='')}")[2])
    assert ODD in missing.text
    assert "SINTETIS" in page(hand + "/").text
    assert "SYNTHETIC" in page(hand + "/collections/roads", "en").text


def test_a_base_map_is_used_only_where_the_office_sets_one() -> None:
    def edition(url: str) -> SimpleNamespace:
        return SimpleNamespace(api=SimpleNamespace(config={"server": {"map": {"url": url, "attribution": "x"}}}))

    assert base_map(None) is base_map(edition("")) is None
    assert base_map(edition("https://tiles.example/{z}/{x}/{y}.png"))["attribution"] == "x"
    policy = page_headers(edition("https://tiles.example/{z}/{x}/{y}.png"))["Content-Security-Policy"]
    assert policy.count("https://tiles.example") == 2
    assert "{z}" not in policy


# --- the OpenAPI document


def test_the_openapi_document_is_valid_and_stands_alone(url: str) -> None:
    document = get(f"{url}/openapi")[2]
    schema = json.loads((Path(SCHEMASDIR) / "openapi/openapi-3.0.x.json").read_text("utf-8"))
    assert [error.message[:300] for error in Draft4Validator(schema).iter_errors(document)] == []
    assert {ref.split("/")[0] for ref in re.findall(r'"\$ref": "([^"]+)"', json.dumps(document))} == {"#"}
    seen = page(f"{url}/openapi")
    for path in document["paths"]:
        assert path in seen.text


# --- a real browser


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def waited(tab: Tab, expression: str) -> str:
    """Return the first value of an expression that is not empty, within 20 s."""
    end = time.monotonic() + 20
    while not (value := tab.run(expression)) and time.monotonic() < end:
        time.sleep(0.1)
    return str(value)


def near(picture: np.ndarray, colour: tuple[int, int, int], opacity: float) -> int:
    """Count the pixels of a colour that lies with this opacity on the map's ground."""
    ground = np.array([0xF4, 0xF6, 0xF8])
    expected = (np.array(colour) * opacity + ground * (1 - opacity)) / 255
    return int((np.abs(picture[:, :, :3] - expected).max(axis=2) < 0.03).sum())


def test_a_browser_draws_the_zones_in_their_colours_and_asks_no_other_host(
    tab: Tab, url: str, store: dict[str, gpd.GeoDataFrame], tmp_path: Path
) -> None:
    tab.open(f"{url}/collections/flood_zones", READY)
    picture = imread(tab.screenshot(tmp_path / "zones.png", whole=True))
    there = set(store["flood_zones"]["severity"])
    for severity in SEVERITIES:
        drawn = near(picture, FLOOD[severity], 0.75)
        assert drawn > 2000 if severity in there else drawn < 500, (severity, drawn)
    assert tab.complaints == []
    hosts = {urlsplit(address).netloc for address in tab.requested if address.startswith("http")}
    assert hosts == {urlsplit(url).netloc}
    tab.open(f"{url}/collections/scenario_roads", READY)
    empty = imread(tab.screenshot(tmp_path / "empty.png", whole=True))
    assert max(near(empty, FLOOD[severity], 0.75) for severity in there) < 500


def test_a_click_on_a_zone_tells_of_it_and_leads_to_its_page(tab: Tab, url: str, store) -> None:
    zone = store["flood_zones"].iloc[0]
    tab.open(f"{url}/collections/flood_zones/items/{zone.zone_id}", READY, lang="en")
    x, y = tab.run(
        "(() => { const b = document.querySelector('#map canvas').getBoundingClientRect();"
        " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        tab.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    told = waited(tab, "document.querySelector('.popup')?.textContent ?? ''")
    assert zone.zone_id in told
    assert "Severity" in told
    assert EN.value(zone.severity) in told
    href = tab.run("document.querySelector('.popup a').getAttribute('href')")
    assert page(url + href).lang == "id"
    assert tab.complaints == []


@pytest.fixture(scope="module")
def altered(city: Path) -> Iterator[str]:
    """Address of a server with other tiles and a lower limit of its maps."""
    command = [sys.executable, "-m", "tests.services.altered_server", str(city)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def test_a_map_prefers_tiles_and_loads_features_where_a_version_has_none(
    tab: Tab, altered: str, tmp_path: Path
) -> None:
    tab.open(f"{altered}/collections/flood_zones", READY)
    picture = imread(tab.screenshot(tmp_path / "tiles.png"))
    assert near(picture, FLOOD["high"], 0.75) > 200_000
    asked = [urlsplit(address) for address in tab.requested]
    assert {a.netloc for a in asked if a.scheme == "http"} == {urlsplit(altered).netloc}
    assert not [a for a in asked if a.path == "/collections/flood_zones/items"]
    assert [a for a in asked if a.path == "/collections/roads/items"]
    tab.open(f"{altered}/collections/flood_zones/items?severity=high", READY)
    assert [a for a in tab.requested if "/items?severity=high&" in a and "version=" in a]


def test_a_map_says_when_it_does_not_hold_all(tab: Tab, altered: str) -> None:
    tab.open(f"{altered}/collections/reports", READY, lang="en")
    told = waited(tab, "document.querySelector('#map-told').textContent")
    assert re.fullmatch(r"Citizen reports: Only 5 of \d+ features are drawn; zoom in to see all\.", told), told


def test_a_hostile_description_runs_nothing_in_a_browser(tab: Tab, hand: str) -> None:
    for path in ("/items", f"/items/{quote(ODD_ID, safe='')}"):
        tab.open(f"{hand}/collections/reports{path}", READY)
        assert tab.run("document.querySelectorAll('script:not([src])').length") == 0
        assert ODD in tab.run("document.body.textContent")
    assert tab.complaints == []


def test_the_printed_list_has_a_sheet_per_kelurahan(tab: Tab, url: str, tmp_path: Path) -> None:
    tab.open(f"{url}/ranking", "document.querySelector('.sheet')")
    sheets = tab.run("document.querySelectorAll('.sheet').length")
    pdf = tab.pdf(tmp_path / "list.pdf").read_bytes()
    assert sheets <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 3 * sheets
    assert sheets == len(get(f"{url}/ranking")[2]["kelurahan"])
