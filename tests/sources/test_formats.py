"""Files of points as delivered: every row is read or accounted for."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from shapely import LineString, Point

from spatial.errors import InputError
from spatial.sources.formats import POINT_FORMATS, RawTable, read_raw

from .data import Date, feature, write_csv, write_geojson, write_xlsx


def reasons(table: RawTable) -> dict[int, str]:
    return {bad.row: bad.reason for bad in table.bad}


def test_csv_with_bom_quotes_blank_lines_and_bad_lines(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(b'\xef\xbb\xbfid,text\r\n1,"a, ""b""\nc"\r\n\r\n2\r\n3,x,y\r\n4,caf\xe9\r\n5,"a"b\r\n6, \r\n')
    # The byte order mark says UTF-8, so the byte of line 4 is damage.
    table = read_raw(path)
    assert table.frame.index.tolist() == [1, 6]
    assert table.frame["text"].tolist() == ['a, "b"\nc', None]
    assert reasons(table) == {2: "wrong_field_count", 3: "wrong_field_count", 4: "not_utf8", 5: "broken_line"}
    assert {bad.row: bad.field for bad in table.bad}[4] == "text"
    assert table.rows_in == 6


def test_tsv_and_a_stated_delimiter(tmp_path: Path) -> None:
    tsv, csv = tmp_path / "r.tsv", tmp_path / "r.csv"
    tsv.write_text("a\tb\n1\t2,5\n")
    csv.write_text("a;b\n1;2,5\n")
    assert (
        read_raw(tsv).frame.to_dict("records")
        == read_raw(csv, None, ";").frame.to_dict("records")
        == [{"a": "1", "b": "2,5"}]
    )


@pytest.mark.parametrize(
    ("name", "content", "field"),
    [
        ("r.csv", b"", "file"),
        ("r.csv", b"a,b\n", "file"),
        ("r.csv", b"a,a\n1,2\n", "a"),
        ("r.csv", b"\xff\xfea\x00", "file"),
        ("r.csv", b'a,b\n1,"2\n3,4\n', "line 2"),
        ("r.csv", b"caf\x81,b\n1,2\n", "header"),
        ("r.csv", b"a,b;c\n1,2;3\n", "delimiter"),
        ("r.xls", b"PK", "format"),
        ("r.xlsx", b"PK", "file"),
        ("r.xml", b"<service_requests><request>", "file"),
        ("r.xml", b"<html/>", "service_requests"),
        ("r.json", b'{"service_requests": 3}', "service_requests"),
        ("r.json", b'[{"service_request_ids": 3}]', "features"),
        ("r.kml", b"<kml>", "file"),
        ("r.gpkg", b"SQLite", "file"),
        ("r.geojson", b"{", "file"),
        ("r.geojson", b"[]", "features"),
        ("r.json", b'{"type": "Feature"}', "features"),
        ("r.geojson", b'{"features": []}', "file"),
        ("r.geojson", b'"\xe9"', "file"),
        ("r.parquet", b"PAR1 no", "file"),
    ],
)
def test_a_file_that_cannot_be_used_at_all(tmp_path: Path, name: str, content: bytes, field: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_raw(path)
    assert (error.value.path, error.value.field) == (str(path), field)
    assert "\n" not in str(error.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_raw(tmp_path / "none.csv")


def test_geojson_keeps_points_and_refuses_the_rest(tmp_path: Path) -> None:
    line = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}
    path = write_geojson(
        tmp_path / "r.geojson",
        [
            feature([1.5, 2.5, 9.0], a=1),
            feature(None, a=2),
            feature(line, a=3),
            "text",
            feature([1], a=5),
            feature([3, 4], b=6),
        ],
    )
    table = read_raw(path)
    assert table.points is not None
    assert table.points.to_numpy().tolist() == [[1.5, 2.5], [3, 4]]
    assert table.frame.index.tolist() == table.points.index.tolist() == [1, 6]
    assert table.frame["a"].tolist() == [1, None]
    assert reasons(table) == {2: "null_geometry", 3: "not_a_point", 4: "not_a_feature", 5: "missing_coordinate"}


def test_geojson_crs_member(tmp_path: Path) -> None:
    member = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32651"}}
    table = read_raw(write_geojson(tmp_path / "r.geojson", [feature([500000, 0])], crs=member))
    assert table.crs is not None
    assert table.crs.to_epsg() == 32651
    with pytest.raises(InputError, match="crs member"):
        read_raw(write_geojson(tmp_path / "w.geojson", [feature([1, 2])], crs={"type": "name"}))


def test_parquet_with_and_without_geometry(tmp_path: Path) -> None:
    plain, geo, lost = tmp_path / "p.parquet", tmp_path / "g.parquet", tmp_path / "l.parquet"
    frame = pd.DataFrame({"id": [1, None, 3], "t": [pd.Timestamp("2020-01-01"), None, pd.Timestamp("2020-01-03")]})
    frame.astype({"id": "Int64"}).to_parquet(plain)
    shapes = [Point(1, 2), None, LineString([(0, 0), (1, 1)])]
    gpd.GeoDataFrame(frame, geometry=shapes, crs=4326).to_parquet(geo)
    gpd.GeoDataFrame(frame, geometry=shapes).to_parquet(lost)
    table = read_raw(plain)
    assert (table.rows_in, table.points, table.frame["id"].astype(object).tolist()[0]) == (3, None, 1)
    located = read_raw(geo)
    assert located.points is not None
    assert located.points.to_numpy().tolist() == [[1.0, 2.0]]
    assert reasons(located) == {2: "null_geometry", 3: "not_a_point"}
    with pytest.raises(InputError, match="no CRS"):
        read_raw(lost)


def test_every_format_reads_the_same_point(tmp_path: Path) -> None:
    suffixes = {"open311_json": "json", "open311_xml": "xml", "shapefile": "shp", "geopackage": "gpkg"}
    suffixes["flatgeobuf"] = "fgb"
    paths = {known.name: tmp_path / f"r.{suffixes.get(known.name, known.name)}" for known in POINT_FORMATS}
    request = {"service_request_id": "a7", "id": "a7", "lat": 2.5, "lon": 1.5}
    paths["csv"].write_text("id,lon,lat\na7,1.5,2.5\n")
    write_xlsx(paths["xlsx"], [["id", "lon", "lat"], ["a7", 1.5, 2.5]])
    paths["open311_json"].write_text(json.dumps([request]))
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in request.items())
    paths["open311_xml"].write_text(f"<service_requests><request>{inside}</request></service_requests>")
    paths["geojson"].write_text(json.dumps({"features": [feature([1.5, 2.5], id="a7")]}))
    points = gpd.GeoDataFrame({"id": ["a7"]}, geometry=[Point(1.5, 2.5)], crs=4326)
    points.to_parquet(paths["parquet"])
    for name in ("shapefile", "geopackage", "flatgeobuf"):
        points.to_file(paths[name], engine="pyogrio")
    placemark = "<Placemark id='a7'><Point><coordinates>1.5,2.5,0</coordinates></Point></Placemark>"
    kml = f"<kml xmlns='http://www.opengis.net/kml/2.2'><Document>{placemark}</Document></kml>"
    paths["kml"].write_text(kml)
    for name, path in paths.items():
        assert path.exists(), f"the format {name} needs a file here"
        table = read_raw(path)
        places = table.frame[["lon", "lat"]] if table.points is None else table.points
        assert [float(v) for v in places.to_numpy()[0]] == [1.5, 2.5], name
        assert str(table.frame["id"].iloc[0]) == "a7", name


def records(table: RawTable) -> list[dict[str, object]]:
    return table.frame.to_dict("records")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize(("sign", "word"), [(",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "bar")])
def test_separator_and_encoding_are_read_from_the_file(tmp_path: Path, encoding: str, sign: str, word: str) -> None:
    path = tmp_path / "r.csv"
    lines = [["id", "alamat", "lat"], ["1", f'"Café {sign} \n 2"', "-8.5"], ["2", "Jalan é", "-8.6"]]
    path.write_bytes("\r\n".join(sign.join(line) for line in lines).encode(encoding))
    table = read_raw(path)
    assert records(table) == [
        {"id": "1", "alamat": f"Café {sign} \n 2", "lat": "-8.5"},
        {"id": "2", "alamat": "Jalan é", "lat": "-8.6"},
    ]
    assert any(f"separator {word} (3 fields in the header and in 100% of the lines)" in note for note in table.notes)
    assert any(f"encoding {encoding} " in note for note in table.notes) == (encoding != "utf-8")


def test_what_is_stated_wins_over_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes("a,b;c\n1,é;3\n".encode())
    assert records(read_raw(path, None, ";", "cp1252")) == [{"a,b": "1,Ã©", "c": "3"}]
    assert read_raw(path, None, ",", "utf-8").notes == ()
    for encoding, problem in (("utf-99", "not known"), ("utf-16", "does not fit")):
        with pytest.raises(InputError, match=problem):
            read_raw(path, None, ";", encoding)


def test_utf_8_with_a_damaged_place_is_not_taken_for_cp1252(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes("a,b\n1,é\n2,ü\n".encode() + b"3,\xe9\n")
    table = read_raw(path)
    assert (table.frame["b"].tolist(), reasons(table)) == (["é", "ü"], {3: "not_utf8"})


def test_decimal_commas_do_not_pass_for_separators(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("id;titik (lat,lng);kategori\n1;-8,5;banjir\n2;-8,6;banjir, dalam\n")
    assert records(read_raw(path))[1] == {"id": "2", "titik (lat,lng)": "-8,6", "kategori": "banjir, dalam"}


def test_a_workbook_is_text_as_stored(tmp_path: Path) -> None:
    rows = [["id", "waktu", "n", "ket"], [1234567890123, Date(45000.5), 1.5, "é"], [], ["007", None, 2, None]]
    path = write_xlsx(tmp_path / "r.xlsx", rows)
    table = read_raw(path)
    assert records(table) == [
        {"id": "1234567890123", "waktu": "2023/03/15 12:00:00", "n": "1.5", "ket": "é"},
        {"id": "007", "waktu": None, "n": "2", "ket": None},
    ]
    assert table.notes == ("r.xlsx: sheet 'Laporan', 1 of 1 has rows",)
    with pytest.raises(InputError, match="has no sheet 'Isi'; its sheets: Laporan"):
        read_raw(path, layer="Isi")
    with pytest.raises(InputError, match="names two columns"):
        read_raw(write_xlsx(tmp_path / "d.xlsx", [["a", "a"], [1, 2]]))


def test_several_sheets_or_layers_are_asked_about(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "r.xlsx", [["a"], [1]], ["a", "b"])
    with pytest.raises(InputError, match="layer: has several sheets with rows; name one of a, b"):
        read_raw(path)
    assert records(read_raw(path, layer="b")) == [{"a": "1"}]
    gpkg = tmp_path / "r.gpkg"
    for layer in ("x", "y"):
        gpd.GeoDataFrame({"a": [layer]}, geometry=[Point(1, 2)], crs=4326).to_file(gpkg, layer=layer)
    with pytest.raises(InputError, match="layer: has 2 layers; name one of x, y"):
        read_raw(gpkg)
    assert records(read_raw(gpkg, layer="y")) == [{"a": "y"}]


def test_points_keep_their_crs_and_the_rest_is_refused(tmp_path: Path) -> None:
    shapes = [Point(500000, 0), None, LineString([(0, 0), (1, 1)])]
    for name in ("r.gpkg", "r.shp"):
        frame = gpd.GeoDataFrame({"a": [1, 2, 3]}, geometry=shapes, crs=32651)
        frame.drop(index=[] if name == "r.gpkg" else [2]).to_file(tmp_path / name, engine="pyogrio")
        table = read_raw(tmp_path / name)
        assert table.crs is not None
        assert (table.crs.to_epsg(), table.points.to_numpy().tolist()) == (32651, [[500000.0, 0.0]])
        assert reasons(table) == {2: "null_geometry"} | ({3: "not_a_point"} if name == "r.gpkg" else {})


def test_open311_in_its_three_dresses_is_one_table(tmp_path: Path) -> None:
    request = {
        "service_request_id": "638344", "status": "closed", "status_notes": None, "service_name": "Sidewalk, Curb",
        "service_code": "006", "description": "é", "requested_datetime": "2010-04-14T06:37:38-08:00", "lat": "37.76",
        "long": "-122.42",
    }  # fmt: skip
    bare, wrapped, xml, tsv = (tmp_path / name for name in ("a.json", "b.json", "c.xml", "d.tsv"))
    bare.write_text(json.dumps([request, "x"]))
    wrapped.write_text(json.dumps({"service_requests": [request, "x"]}, indent=1))
    cells = "".join(f"<{k}>{v or ''}</{k}>" for k, v in request.items())
    xml.write_text(f"<service_requests><request>{cells}</request></service_requests>", encoding="utf-8")
    write_csv(tsv, [request], "\t")
    expected = [{name: value for name, value in request.items()}]
    assert [records(read_raw(path)) for path in (bare, wrapped, xml, tsv)] == [expected] * 4
    assert reasons(read_raw(bare)) == reasons(read_raw(wrapped)) == {2: "not_a_request"}
