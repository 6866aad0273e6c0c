"""Files of a collection, each read back by another program and compared with the store's tables."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import subprocess
import threading
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

import anyio
import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from openpyxl.utils.escape import unescape
from shapely.geometry import Point, box

from services import downloads
from services.formats import FILES, FORMATS
from spatial.contracts import REPORTS, Layer
from spatial.errors import QueryError
from spatial.registry import LAYER_BY_NAME
from spatial.store.exports import CRS84, About, Extract
from spatial.store.exports import tables as exported_tables
from spatial.store.exports.shapefile import field_names
from spatial.store.exports.tables import write_xlsx
from spatial.store.geopackage import read_layer
from spatial.store.versions import Versions
from tests.services import handmade
from tests.services.running import get, served

MERCATOR = "http://www.opengis.net/def/crs/EPSG/0/3857"
LATITUDE_FIRST = "http://www.opengis.net/def/crs/EPSG/0/4326"
TEXTS = (
    handmade.ODD,
    None,
    "",
    "=1+1",
    "+62",
    "-5",
    "@SUM(A1)",
    "baris satu\nbaris dua",
    'tanda "kutip", koma; <b> & &lt; 𝔘🌊',
    "é" * 200,  # 400 bytes
    "_x0041_ \x1f tab\t",
    " spasi ",
    "http://example.org/",
)
NUMBERS = (0.1 + 0.2, 1e-7, 1.5, 0.0, None)
INSTANTS = (
    "1600-02-29T12:34:56.789Z",
    "1969-07-20T20:17:40Z",
    "1899-12-31T00:00:00Z",
    None,
    "2025-06-01T12:00:00.500Z",
)
PLAIN = ("reports", "hexagons", "roads", "flood_zones", "lighting_zones")


def _odd_reports() -> gpd.GeoDataFrame:
    count = len(TEXTS)
    rows = {
        "report_id": [f"r{i:02d}" for i in range(count)],
        "source": ["hand"] * count,
        "category": ["waste"] * count,
        "description": TEXTS,
        "requested_datetime": pd.to_datetime(
            [INSTANTS[i % 5] for i in range(count)], utc=True, format="ISO8601"
        ).astype("datetime64[ms, UTC]"),
        "depth_m": [NUMBERS[i % 5] for i in range(count)],
    }
    return gpd.GeoDataFrame(rows, geometry=[Point(i / 3, i / 7) for i in range(count)], crs="EPSG:4326")


@pytest.fixture(scope="module")
def odd_city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store made by hand, with reports that no format likes."""
    folder = tmp_path_factory.mktemp("odd")
    handmade.publish(folder, layers=handmade.tables() | {REPORTS: _odd_reports()})
    return folder


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The temporary folder of its server."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def odd(odd_city: Path, temporary: Path) -> Iterator[str]:
    """Address of its server."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TMPDIR", str(temporary))
        with served(odd_city) as address:
            yield address


@pytest.fixture(scope="module")
def tables(odd_city: Path) -> dict[str, gpd.GeoDataFrame]:
    """Its layers as geopandas reads them."""
    layers = Versions(odd_city / "var").current().layers
    return {name: read_layer(layers, name) for name in PLAIN}


def fetched(url: str, name: str, form: str, **asked: Any) -> tuple[bytes, Message]:
    address = f"{url}/collections/{name}/items?{urlencode({'f': form} | asked)}"
    with urllib.request.urlopen(address, timeout=60) as response:
        return response.read(), response.headers


def saved(folder: Path, url: str, name: str, form: str, **asked: Any) -> Path:
    path = folder / f"{name}.{FORMATS[form].extension}"
    path.write_bytes(fetched(url, name, form, **asked)[0])
    return path


def read_csv(path: Path, layer: Layer) -> gpd.GeoDataFrame:
    """Read with pyarrow, which tells null from the empty text."""
    kinds = {"integer": pa.int64(), "number": pa.float64(), "datetime": pa.timestamp("ms", "UTC")}
    options = pcsv.ConvertOptions(
        column_types={c.name: kinds.get(c.kind, pa.string()) for c in layer.columns},
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    table = pcsv.read_csv(path, pcsv.ReadOptions(), pcsv.ParseOptions(newlines_in_values=True), options).to_pandas()
    point = layer.geometry == "Point"
    shapes = shapely.points(table.pop("x"), table.pop("y")) if point else shapely.from_wkt(table.pop("wkt"))
    return gpd.GeoDataFrame(table, geometry=np.asarray(shapes), crs="EPSG:4326")


def read_xlsx(path: Path, layer: Layer) -> gpd.GeoDataFrame:
    sheet = openpyxl.load_workbook(path).worksheets[0]
    header, *rows = sheet.values
    columns = dict(zip(header, zip(*rows, strict=True) if rows else [()] * len(header), strict=True))
    for column in layer.columns:
        values = columns[column.name]
        if column.kind == "datetime":
            known = [pd.Timestamp(v) for v in values if v is not None]
            utc = iter([t.tz_localize("UTC") if t.tz is None else t for t in known])
            columns[column.name] = [None if v is None else next(utc) for v in values]
        elif column.kind in ("string", "json"):
            columns[column.name] = [None if v is None else unescape(v) for v in values]
    table = pd.DataFrame(columns)
    point = layer.geometry == "Point"
    shapes = shapely.points(table.pop("x"), table.pop("y")) if point else shapely.from_wkt(list(table.pop("wkt")))
    return gpd.GeoDataFrame(table, geometry=np.asarray(shapes), crs="EPSG:4326")


def read_ogr(path: Path, layer: Layer) -> gpd.GeoDataFrame:
    return gpd.read_file(path, layer=layer.name, use_arrow=True)


def read_sequence(path: Path, layer: Layer) -> gpd.GeoDataFrame:
    features = [json.loads(text) for text in path.read_text("utf-8").split("\x1e")[1:]]
    if not features:
        return gpd.GeoDataFrame({name: [] for name in layer.names}, geometry=[], crs="EPSG:4326")
    return gpd.GeoDataFrame.from_features(features, crs="EPSG:4326")


READERS: dict[str, Callable[[Path, Layer], gpd.GeoDataFrame]] = {
    "csv": read_csv,
    "xlsx": read_xlsx,
    "gpkg": read_ogr,
    "fgb": read_ogr,
    "parquet": lambda path, layer: gpd.read_parquet(path),
    "geojsonseq": read_sequence,
}


def values_of(table: gpd.GeoDataFrame, layer: Layer) -> dict[str, list[Any]]:
    """Return a table's values by id: numbers, texts, ms since 1970, None."""
    values = {}
    for column in layer.columns:
        own = table[column.name]
        if column.kind == "datetime":
            own = pd.to_datetime(own, utc=True, format="ISO8601").astype("datetime64[ms, UTC]")
            values[column.name] = [None if pd.isna(v) else v.isoformat() for v in own]
        else:
            values[column.name] = [None if pd.isna(v) else v for v in own]
    return values


def same(found: gpd.GeoDataFrame, kept: gpd.GeoDataFrame, layer: Layer, empty_is_null: bool = False) -> None:
    """Check that two tables hold the same features."""
    found = found.sort_values(layer.id_column)
    kept = kept.sort_values(layer.id_column)
    assert list(found.columns.drop("geometry")) == list(layer.names)
    given, expected = values_of(found, layer), values_of(kept, layer)
    if empty_is_null:
        expected = {name: [None if v == "" else v for v in values] for name, values in expected.items()}
    for column in layer.columns:
        if column.kind == "number" and empty_is_null:  # Excel: 16 digits
            assert given[column.name] == [
                None if v is None else pytest.approx(v, rel=1e-15) for v in expected[column.name]
            ]
        else:
            assert given[column.name] == expected[column.name], column.name
    shapes = [shapely.normalize(table.geometry.to_numpy()) for table in (found, kept)]
    digits = 1e-13 if empty_is_null else 0.0
    assert shapely.equals_exact(*shapes, tolerance=digits).all()


@pytest.mark.parametrize("form", READERS)
def test_every_value_survives(form: str, odd: str, tables, tmp_path: Path) -> None:
    for name in PLAIN:
        layer = LAYER_BY_NAME[name]
        found = READERS[form](saved(tmp_path, odd, name, form), layer)
        assert len(found) == len(tables[name])
        same(found, tables[name], layer, empty_is_null=form == "xlsx")


@pytest.mark.parametrize("form", READERS)
def test_the_computed_layers_survive(form: str, url: str, store, tmp_path: Path) -> None:
    for name in ("hexagons", "flood_zones") if form == "xlsx" else LAYER_BY_NAME:
        if name in store and not (form == "xlsx" and name == "admin_areas"):
            layer = LAYER_BY_NAME[name]
            found = READERS[form](saved(tmp_path, url, name, form), layer)
            same(found, store[name], layer, empty_is_null=form == "xlsx")


def test_a_shapefile_says_what_it_cannot_hold(odd: str, tables, tmp_path: Path) -> None:
    path = saved(tmp_path, odd, "reports", "shp")
    with zipfile.ZipFile(path) as bundle:
        assert {Path(name).suffix for name in bundle.namelist()} == {".shp", ".shx", ".dbf", ".prj", ".cpg", ".txt"}
        told = bundle.read("FIELDS.txt").decode()
        assert bundle.read("reports.cpg") == b"UTF-8"
    short = {line.split(" | ")[1]: line.split(" | ")[0] for line in told.splitlines() if line.count(" | ") == 4}
    found = gpd.read_file(f"zip://{path}")
    kept = tables["reports"]
    assert found.crs == "EPSG:4326"
    assert list(found.columns.drop("geometry")) == [short[name] for name in REPORTS.names]
    assert shapely.equals_exact(found.geometry.to_numpy(), kept.geometry.to_numpy()).all()
    cut = [(t or "").encode()[:254].decode("utf-8", "ignore").strip(" ") or None for t in TEXTS]
    assert [None if pd.isna(v) else v for v in found[short["description"]]] == cut
    assert len(cut[9]) == 127
    assert "blanks at the ends" in told
    assert "254 bytes: descriptio (description): 1" in told
    assert "empty texts, now unknown: descriptio (description): 1" in told
    times = found[short["requested_datetime"]].tolist()
    assert times[0] == "1600-02-29T12:34:56.789Z"
    assert pd.isna(times[3])
    for given, depth in zip(found["depth_m"], kept["depth_m"], strict=True):
        assert pd.isna(depth) if pd.isna(given) else given == pytest.approx(depth, abs=1e-15)
    assert "[SINTETIS / SYNTHETIC]" in told
    assert "© uji" in told
    zones = saved(tmp_path, odd, "lighting_zones", "shp")
    assert len(gpd.read_file(f"zip://{zones}")) == 0
    mercator = gpd.read_file(f"zip://{saved(tmp_path, odd, 'roads', 'shp', crs=MERCATOR)}")
    assert mercator.crs.to_epsg() == 3857


def test_names_of_ten_letters_differ() -> None:
    names = ["requested_datetime", "requested_at", "Requested_by", "short"]
    short = field_names(names)
    assert list(short) == names
    assert len({name.lower() for name in short.values()}) == 4
    assert all(len(name) <= 10 for name in short.values())
    assert short["short"] == "short"
    for layer in LAYER_BY_NAME.values():
        assert len({name.lower() for name in field_names(layer.names).values()}) == len(layer.names)


def test_excel_takes_no_text_for_a_formula(odd: str, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(saved(tmp_path, odd, "reports", "xlsx"))
    data, told = book.worksheets
    place = [cell.value for cell in data[1]].index("description") + 1
    cells = [data.cell(row + 2, place) for row in range(len(TEXTS))]
    assert {cell.data_type for cell in cells if cell.value is not None} == {"s"}
    assert not any(cell.hyperlink for cell in cells)
    assert cells[3].value == "=1+1"
    titles = {row[0]: row[1:] for row in told.values if row[0]}
    assert titles["depth_m"][:3] == ("Kedalaman genangan", "Flood depth", "m")
    assert titles["versi / version"][0] == handmade.FIRST
    assert "[SINTETIS / SYNTHETIC] Laporan warga / Citizen reports" in titles


def _extract(path: Path, count: int) -> Extract:
    about = About("judul / title", (), {})
    return Extract(path, REPORTS, np.zeros(count, np.int64), REPORTS.columns, CRS84, about)


def test_a_sheet_has_an_end(odd_city: Path, odd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = Versions(odd_city / "var").current().path / "index" / "reports.arrow"
    if not index.exists():
        (index,) = (odd_city / "var" / "cache").rglob("reports.*.arrow")
    with pytest.raises(QueryError, match=r"f=xlsx: 1048576 rows.*filter"):
        write_xlsx(_extract(index, 1_048_576), tmp_path / "a.xlsx")
    monkeypatch.setattr(exported_tables, "MAX_CELLS", 100)
    with pytest.raises(QueryError, match=r"f=xlsx: 120 cells.*properties"):
        write_xlsx(_extract(index, 5), tmp_path / "a.xlsx")


def test_geopackages_are_styled_and_say_where_they_are_from(odd: str, tmp_path: Path) -> None:
    path = saved(tmp_path, odd, "flood_zones", "gpkg")
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        rows = connection.execute(
            "SELECT identifier, description, srs_id FROM gpkg_contents WHERE table_name='flood_zones'"
        )
        ((identifier, description, system),) = rows.fetchall()
        ((style,),) = connection.execute(
            "SELECT styleQML FROM layer_styles WHERE f_table_name='flood_zones'"
        ).fetchall()
        titles = dict(connection.execute("SELECT column_name, name FROM gpkg_data_columns"))
    assert (version, system) == (10300, 4326)
    assert identifier.startswith("[SINTETIS / SYNTHETIC]")
    assert handmade.FIRST in description
    assert "© uji" in description
    assert "severity" in style
    assert all(" / " in title for title in titles.values())
    told = subprocess.run(["ogrinfo", "-so", path, "flood_zones"], capture_output=True, text=True, check=True).stdout
    assert "Feature Count: 7" in told
    attributes = saved(tmp_path, odd, "roads", "gpkg", skipGeometry="true")
    assert pyogrio.read_info(attributes)["geometry_type"] is None


def test_geoparquet_follows_1_1(odd: str, tables, tmp_path: Path) -> None:
    path = saved(tmp_path, odd, "hexagons", "parquet")
    told = pq.read_metadata(path).metadata
    geo = json.loads(told[b"geo"])
    column = geo["columns"]["geometry"]
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    assert (column["encoding"], column["geometry_types"]) == ("WKB", ["Polygon"])
    assert "crs" not in column
    assert column["bbox"] == pytest.approx(tables["hexagons"].total_bounds)
    about = json.loads(told[b"hexakota"])
    assert about["facts"]["versi / version"] == handmade.FIRST
    # the covering is what a reader skips row groups by
    near = gpd.read_parquet(path, bbox=(0.75, 0.75, 1.25, 1.25))
    assert set(near["cell"]) == set(
        tables["hexagons"].loc[tables["hexagons"].intersects(box(0.75, 0.75, 1.25, 1.25)), "cell"]
    )
    mercator = gpd.read_parquet(saved(tmp_path, odd, "hexagons", "parquet", crs=MERCATOR))
    assert mercator.crs.to_epsg() == 3857
    oracle = tables["hexagons"].to_crs(3857)
    assert mercator.total_bounds == pytest.approx(oracle.total_bounds)


@pytest.mark.parametrize("form", ["csv", "gpkg", "parquet", "fgb"])
def test_east_comes_first_in_every_file(form: str, odd: str, tmp_path: Path) -> None:
    found = READERS[form](saved(tmp_path, odd, "reports", form, crs=LATITUDE_FIRST), REPORTS)
    row = found.set_index("report_id").loc["r03"]
    assert (row.geometry.x, row.geometry.y) == (1.0, 3 / 7)


def test_flatgeobuf_can_be_asked_for_a_box(odd: str, tables, tmp_path: Path) -> None:
    path = saved(tmp_path, odd, "hexagons", "fgb")
    assert pyogrio.read_info(path)["capabilities"]["fast_spatial_filter"]
    near = gpd.read_file(path, bbox=(0.9, 0.9, 1.1, 1.1))
    assert set(near["cell"]) == {"c06"}


@pytest.mark.parametrize("form", FILES)
def test_a_file_holds_what_was_asked_and_all_of_it(form: str, url: str, store, tmp_path: Path) -> None:
    def ids(**asked: Any) -> list[str]:
        path = saved(tmp_path, url, "hexagons", form, **asked)
        if form == "shp":
            return gpd.read_file(f"zip://{path}")["cell"].tolist()
        if form == "csv":
            return [row["cell"] for row in csv.DictReader(io.StringIO(path.read_text("utf-8"), newline=""))]
        if form == "xlsx":
            header, *rows = openpyxl.load_workbook(path, read_only=True).worksheets[0].values
            return [row[header.index("cell")] for row in rows]
        return READERS[form](path, LAYER_BY_NAME["hexagons"])["cell"].tolist()

    table = store["hexagons"]
    assert sorted(ids(properties="cell")) == sorted(table["cell"])
    asked = {"filter": "reports_total > 0", "sortby": "-reports_total,cell", "properties": "cell,reports_total"}
    wanted = table[table["reports_total"] > 0].sort_values(["reports_total", "cell"], ascending=[False, True])
    found = ids(**asked, limit=7, offset=2)
    expected = wanted["cell"].tolist()[2:9]
    assert (sorted(found) == sorted(expected)) if form == "fgb" else (found == expected)  # FlatGeobuf sorts by place


def test_headers_say_what_the_format_has_no_room_for(odd: str) -> None:
    for form in FILES:
        _, headers = fetched(odd, "reports", form, limit=5, offset=2)
        assert headers["Content-Type"].split(";")[0] == FORMATS[form].media
        assert (headers["OGC-NumberMatched"], headers["OGC-NumberReturned"]) == (str(len(TEXTS)), "5")
        links = dict(re.findall(r'<([^>]*)>; rel="(\w+)"', headers["Link"]))
        about, following = (
            next(href for href, rel in links.items() if rel == wanted) for wanted in ("describedby", "next")
        )
        assert get(about)[2]["id"] == "reports"
        assert "offset=7" in following
        assert f"f={form}" in following
        name = headers["Content-Disposition"]
        assert f'filename="kota-tangan-reports-{handmade.FIRST}.{FORMATS[form].extension}"' in name
        assert unquote(name.rpartition("''")[2]).startswith("Kota -Tangan-")
        assert headers["Content-Crs"] == "<http://www.opengis.net/def/crs/OGC/1.3/CRS84>"


def test_a_condition_and_a_head_write_no_file(odd: str) -> None:
    _, headers = fetched(odd, "reports", "gpkg")
    asked = urllib.request.Request(
        f"{odd}/collections/reports/items?f=gpkg", headers={"If-None-Match": headers["ETag"]}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked)
    assert refused.value.code == 304
    refused.value.close()
    asked = urllib.request.Request(f"{odd}/collections/reports/items?f=gpkg", method="HEAD")
    with urllib.request.urlopen(asked) as response:
        assert (response.status, response.read()) == (200, b"")
        assert response.headers["OGC-NumberMatched"] == str(len(TEXTS))


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"f": "shp", "skipGeometry": "true"}, "skipGeometry=true"),
        ({"f": "fgb", "skipGeometry": "true"}, "skipGeometry=true"),
        ({"f": "geojsonseq", "crs": MERCATOR}, "crs="),
        ({"f": "gpkg", "resulttype": "hits"}, "resulttype=hits"),
        ({"f": "gpkg", "limit": "0"}, "limit=0"),
        ({"f": "docx"}, "f=docx"),
    ],
)
def test_what_a_format_cannot_is_refused(asked: dict[str, str], word: str, odd: str) -> None:
    status, _, body = get(f"{odd}/collections/reports/items", **asked)
    assert status == 400
    assert word in body["description"]


def test_jsonfg(odd: str, tables, tmp_path: Path) -> None:
    page = json.loads(fetched(odd, "reports", "jsonfg", limit=4)[0])
    assert page["conformsTo"][0] == "http://www.opengis.net/spec/json-fg-1/1.0/conf/core"
    assert (page["featureType"], page["geometryDimension"]) == ("reports", 0)
    assert page["features"][0]["time"] == {"timestamp": "1600-02-29T12:34:56.789Z"}
    assert page["features"][3]["time"] is None
    assert page["features"][0]["geometry"]["coordinates"] == [0.0, 0.0]
    following = next(link for link in page["links"] if link["rel"] == "next")
    assert following["type"] == "application/vnd.ogc.fg+json"
    assert json.loads(urllib.request.urlopen(following["href"]).read())["features"][0]["id"] == "r04"
    moved = json.loads(fetched(odd, "reports", "jsonfg", limit=4, crs=LATITUDE_FIRST)[0])
    assert moved["coordRefSys"] == LATITUDE_FIRST
    assert moved["features"][3]["geometry"] is None
    assert moved["features"][3]["place"]["coordinates"] == [3 / 7, 1.0]
    path = tmp_path / "page.json"
    path.write_bytes(fetched(odd, "hexagons", "jsonfg", crs=MERCATOR)[0])
    found = pyogrio.read_dataframe(f"JSONFG:{path}")
    assert found.crs.to_epsg() == 3857
    assert found.total_bounds == pytest.approx(tables["hexagons"].to_crs(3857).total_bounds)


def test_collections_and_pages_lead_to_the_files(odd: str) -> None:
    links = get(f"{odd}/collections/reports", version=handmade.FIRST)[2]["links"]
    files = {link["type"]: link["href"] for link in links if link["rel"] == "enclosure"}
    assert set(files) >= {FORMATS[form].media for form in FILES}
    assert all(f"version={handmade.FIRST}" in href for href in files.values())
    assert get(files["text/csv"])[0] == 200
    page = get(f"{odd}/collections/reports", f="html", lang="en")[2].decode()
    assert "items?f=gpkg" in page
    assert "Download GeoPackage" in page
    operation = get(f"{odd}/openapi")[2]["paths"]["/collections/reports/items"]["get"]
    told = next(p for p in operation["parameters"] if p["name"] == "f")["schema"]["enum"]
    assert set(told) == set(FORMATS)
    assert {form.media for form in FORMATS.values()} <= set(operation["responses"]["200"]["content"])
    asked = urllib.request.Request(f"{odd}/collections/reports/items", headers={"Accept": "application/flatgeobuf"})
    with urllib.request.urlopen(asked) as response:
        assert response.headers["Content-Type"] == "application/flatgeobuf"


def test_two_files_are_written_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third waits, and is told to come again where no place comes free."""
    running, most, finish = 0, 0, threading.Event()
    lock = threading.Lock()

    def slow(extract: Any, form: str) -> io.BytesIO:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        finish.wait(20)
        with lock:
            running -= 1
        return io.BytesIO(b"file")

    monkeypatch.setattr(downloads, "_written", slow)
    monkeypatch.setattr(downloads, "_PATIENCE", 0.2)
    answers: list[Any] = []

    async def ask() -> None:
        answers.append(await downloads._in_turn(None, "gpkg"))

    async def ask_four_times() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(ask)
            while len(answers) < 2:
                await anyio.sleep(0.01)
            assert answers == [None, None]
            finish.set()
        await ask()

    anyio.run(ask_four_times)
    assert most == 2
    assert [answer.read() for answer in answers[2:]] == [b"file"] * 3


def test_a_large_file_is_written_by_another_process(odd_city: Path, odd: str, tables, tmp_path: Path) -> None:
    """Its file is the same; what it refuses is refused here."""
    fetched(odd, "reports", "csv")  # so that the index is there
    index = next((odd_city / "var").rglob("reports*.arrow"))
    rows = np.arange(len(TEXTS), dtype=np.int64)
    extract = Extract(index, REPORTS, rows, REPORTS.columns, CRS84, About("judul / title", (), {}))
    downloads._apart(extract, "gpkg", tmp_path / "reports.gpkg")
    same(read_ogr(tmp_path / "reports.gpkg", REPORTS), tables["reports"], REPORTS)
    with pytest.raises(QueryError, match="skipGeometry=true"):
        downloads._apart(replace(extract, crs=None), "shp", tmp_path / "reports.zip")


def test_no_file_stays_behind(odd: str, temporary: Path) -> None:
    fetched(odd, "reports", "gpkg")
    get(f"{odd}/collections/reports/items", f="shp", skipGeometry="true")
    assert list(temporary.iterdir()) == []
