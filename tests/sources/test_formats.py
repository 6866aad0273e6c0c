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

from .data import feature, write_geojson


def reasons(table: RawTable) -> dict[int, str]:
    return {bad.row: bad.reason for bad in table.bad}


def test_csv_with_bom_quotes_blank_lines_and_bad_lines(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(b'\xef\xbb\xbfid,text\r\n1,"a, ""b""\nc"\r\n\r\n2\r\n3,x,y\r\n4,caf\xe9\r\n5,"a"b\r\n6, \r\n')
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
        ("r.csv", b"caf\xe9,b\n1,2\n", "header"),
        ("r.xlsx", b"PK", "format"),
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
    paths = {name: tmp_path / f"r.{name}" for name in ("csv", "geojson", "parquet")}
    paths["csv"].write_text("id,lon,lat\n7,1.5,2.5\n")
    paths["geojson"].write_text(json.dumps({"features": [feature([1.5, 2.5], id=7)]}))
    gpd.GeoDataFrame({"id": [7]}, geometry=[Point(1.5, 2.5)], crs=4326).to_parquet(paths["parquet"])
    assert set(paths) == {known.name for known in POINT_FORMATS}, "a new format needs a file here"
    for path in paths.values():
        table = read_raw(path)
        points = table.frame[["lon", "lat"]] if table.points is None else table.points
        assert [float(v) for v in points.to_numpy()[0]] == [1.5, 2.5]
        assert str(table.frame["id"].iloc[0]) == "7"
