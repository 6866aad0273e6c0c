"""Coverages and maps of the running server, against rasterio on the published files."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import subprocess
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import colormaps
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds

from services.app import create_app
from spatial.contracts import COVERAGES
from spatial.registry import LAYER_BY_NAME
from spatial.store.versions import Version, Versions
from tests.services.inside import ask
from tests.services.running import get

UTM, CRS84 = "http://www.opengis.net/def/crs/EPSG/0/32750", "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
MERCATOR = "http://www.opengis.net/def/crs/EPSG/0/3857"


@pytest.fixture(scope="module")
def version(city: Path) -> Version:
    found = Versions(city / "var").current()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def file(version: Version) -> Path:
    return version.path / "rasters/elevation.tif"


@pytest.fixture(scope="module")
def whole(file: Path) -> tuple[np.ndarray, Affine]:
    with rasterio.open(file) as source:
        return source.read(1), source.transform


@pytest.fixture
def coverage(url: str) -> Callable[..., tuple[np.ndarray, Affine, str]]:
    """Return a function that asks for the elevation as GeoTIFF: values, transform and CRS."""

    def asked(**parameters: Any) -> tuple[np.ndarray, Affine, str]:
        status, kind, body = get(f"{url}/collections/elevation/coverage", **{"f": "tif"} | parameters)
        assert (status, kind) == (200, "image/tiff; application=geotiff"), str(body)[:200]
        with MemoryFile(body) as memory, memory.open() as source:
            assert np.isnan(source.nodata)
            return source.read(1), source.transform, str(source.crs)

    return asked


def test_every_raster_is_a_collection_that_says_what_it_is(url: str, version: Version) -> None:
    listed = get(f"{url}/collections")[2]["collections"]
    there = {row["id"]: row for row in listed if row["id"] in version.manifest["rasters"]}
    assert set(there) == set(version.manifest["rasters"])
    assert len({row["id"] for row in listed}) == len(listed)
    for name, row in there.items():
        alone = get(f"{url}/collections/{name}")[2]
        assert alone == row
        told = version.manifest["rasters"][name]
        with rasterio.open(version.path / told["file"]) as source:
            assert row["extent"]["spatial"]["storageCrsBbox"] == [list(source.bounds)]
            box = transform_bounds(source.crs, "EPSG:4326", *source.bounds)
            axes = {axis["axisLabel"]: axis for axis in row["domainset"]["generalGrid"]["axis"]}
            assert (axes["E"]["lowerBound"], axes["N"]["upperBound"]) == (source.bounds.left, source.bounds.top)
        assert row["extent"]["spatial"]["bbox"][0] == pytest.approx(box, abs=1e-6)
        assert (row["storageCrs"], set(row["crs"])) == (UTM, {UTM, CRS84, MERCATOR})
        assert row["hexakota"]["vertical_datum"] == "EGM2008"
        assert row["hexakota"]["sha256"] == told["sha256"]
        assert "EGM2008" in row["description"]
        assert row["hexakota"]["left_out"] == version.manifest["left_out"]


def test_names_of_coverages_and_layers_differ() -> None:
    assert not {coverage.name for coverage in COVERAGES} & set(LAYER_BY_NAME)


def test_every_link_leads_somewhere(url: str) -> None:
    for link in get(f"{url}/collections/hand")[2]["links"]:
        status, kind, body = get(link["href"])
        assert status == 200, (link, body)
        assert kind.split(";")[0] == link["type"].split(";")[0]
        assert body


def test_the_page_needs_nothing_from_elsewhere(url: str) -> None:
    page = get(f"{url}/collections/hand?f=html&lang=id")[2].decode()
    assert "Tinggi di atas saluran" in page
    assert "nearest drainage" in get(f"{url}/collections/hand?f=html&lang=en")[2].decode()
    pictures = [piece.split('"')[0] for piece in page.split('src="')[1:] if "png" in piece.split('"')[0]]
    assert len(pictures) == 2
    assert all(source.startswith("/collections/hand/") for source in pictures)
    assert all(get(url + source.replace("&amp;", "&"))[1] == "image/png" for source in pictures)
    assert "/collections/hand" in get(f"{url}/collections?f=html")[2].decode()


def test_the_schema_is_one_field_with_its_unit(url: str) -> None:
    status, kind, schema = get(f"{url}/collections/twi/schema")
    assert (status, kind) == (200, "application/schema+json")
    assert list(schema["properties"]) == ["twi"]
    field = schema["properties"]["twi"]
    assert (field["type"], field["x-ogc-unit"], field["x-ogc-unitLang"]) == ("number", "1", "UCUM")
    assert "kebasahan" in field["title"]
    assert "wetness" in field["title"]
    assert (
        get(f"{url}/collections/flood_susceptibility/schema")[2]["properties"]["flood_susceptibility"]["maximum"] == 1
    )


def test_the_whole_coverage_is_the_published_file(url: str, version: Version) -> None:
    for parameters in ({}, {"f": "tif"}, {"scale-factor": 1}, {"subset": "E(*:*)"}):
        body = get(f"{url}/collections/hand/coverage", **parameters)[2]
        assert hashlib.sha256(body).hexdigest() == version.manifest["rasters"]["hand"]["sha256"]


@settings(max_examples=20)
@given(data=st.data())
def test_a_subset_is_a_window_bit_for_bit(url: str, whole: tuple[np.ndarray, Affine], data: st.DataObject) -> None:
    values, place = whole
    rows, columns = values.shape
    left, top = data.draw(st.integers(0, columns - 1)), data.draw(st.integers(0, rows - 1))
    right, bottom = data.draw(st.integers(left + 1, columns)), data.draw(st.integers(top + 1, rows))
    (west, north), (east, south) = place @ (left, top), place @ (right, bottom)
    named = data.draw(
        st.sampled_from(
            [
                {"subset": f"E({west}:{east}),N({south}:{north})"},
                {"subset": f"Y({south}:{north}),x({west}:{east})", "subset-crs": "[EPSG:32750]"},
                {"bbox": f"{west},{south},{east},{north}", "bbox-crs": UTM},
            ]
        )
    )
    status, _, body = get(f"{url}/collections/elevation/coverage", **named)
    assert status == 200
    with MemoryFile(body) as memory, memory.open() as source:
        assert np.array_equal(source.read(1).view(np.uint32), values[top:bottom, left:right].view(np.uint32))
        assert (source.transform.c, source.transform.f) == pytest.approx((west, north))
        assert (source.units, source.crs.to_epsg()) == (("m",), 32750)


def test_a_subset_may_leave_edges_open_or_slice(coverage, whole) -> None:
    values, place = whole
    (x, y), size = place @ (10.5, 20.5), values.shape
    assert np.array_equal(coverage(subset=f"E({x}:*)")[0], values[:, 10:], equal_nan=True)
    assert np.array_equal(coverage(subset=f"N(*:{y})")[0], values[20:], equal_nan=True)
    assert np.array_equal(coverage(subset=f"E({x}),N({y})")[0], values[20:21, 10:11], equal_nan=True)
    assert coverage(subset=f"N({y})")[0].shape == (1, size[1])


def test_a_box_in_degrees_takes_the_pixels_around_it(coverage, whole) -> None:
    values, place = whole
    box = (117.505, -3.315, 117.512, -3.306)
    west, south, east, north = transform_bounds("EPSG:4326", "EPSG:32750", *box)
    found, at, _ = coverage(bbox=",".join(map(str, box)))
    (left, top), (right, bottom) = ~place @ (west, north), ~place @ (east, south)
    window = values[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))]
    assert np.array_equal(found, window, equal_nan=True)
    assert np.array_equal(coverage(subset="Lon(117.505:117.512),Lat(-3.315:-3.306)")[0], window, equal_nan=True)
    assert np.array_equal(coverage(bbox="170,-10,117.512,10")[0], values[:, : int(np.ceil(right))], equal_nan=True)
    assert at.c == pytest.approx((place @ (int(left), 0))[0])


@pytest.mark.parametrize("kind", ["tif", "covjson", "png"])
@pytest.mark.parametrize(
    "parameters", [{"bbox": "0,0,1,1"}, {"subset": "E(0:1)"}, {"subset": "Lat(10:20)"}, {"bbox": "118,-3.3,-179,-3"}]
)
def test_nothing_there_is_no_content(url: str, kind: str, parameters: dict[str, str]) -> None:
    with urllib.request.urlopen(
        f"{url}/collections/elevation/coverage?f={kind}&" + urllib.parse.urlencode(parameters)
    ) as answer:
        assert (answer.status, answer.read()) == (204, b"")


def test_sizes(coverage, whole) -> None:
    rows, columns = whole[0].shape
    assert coverage(**{"scale-size": "E(40),N(30)"})[0].shape == (30, 40)
    assert coverage(**{"scale-size": "N(30)"})[0].shape == (30, columns)
    assert coverage(**{"scaleSize": "E(40),N(30)"})[0].shape == (30, 40)
    assert coverage(**{"scale-axes": "E(2)"})[0].shape == (rows, round(columns / 2))
    assert coverage(**{"scale-factor": "4"})[0].shape == (round(rows / 4), round(columns / 4))
    assert coverage(**{"scale-factor": "0.5"})[0].shape == (2 * rows, 2 * columns)
    assert coverage(width=40, height=20)[0].shape == (20, 40)
    assert coverage(width=40)[0].shape == (round(40 * rows / columns), 40)


def test_a_size_is_mapped_to_the_box_also_beyond_the_coverage(coverage, whole) -> None:
    values, place = whole
    west, north = place.c - 10 * place.a, place.f
    found, at, _ = coverage(
        subset=f"E({west}:{place.c + 10 * place.a}),N({north - 10 * place.a}:{north})", **{"scale-size": "E(20),N(10)"}
    )
    assert (at.c, at.a) == pytest.approx((west, place.a))
    assert np.isnan(found[:, :10]).all()
    np.testing.assert_allclose(found[:, 10:], values[:10, :10], rtol=1e-6)


def test_scaled_down_is_the_block_mean(coverage, whole) -> None:
    values, place = whole
    south, east = place.f - 60 * place.a, place.c + 60 * place.a
    found, *_ = coverage(subset=f"E({place.c}:{east}),N({south}:{place.f})", **{"scale-factor": "3"})
    blocks = values[:60, :60].reshape(20, 3, 20, 3)
    known = ~np.isnan(blocks).any(axis=(1, 3))
    np.testing.assert_allclose(found[known], blocks.mean(axis=(1, 3))[known], rtol=1e-5)


@pytest.mark.parametrize(("crs", "code"), [(CRS84, 4326), ("[EPSG:3857]", 3857), ("OGC:CRS84", 4326)])
def test_another_crs_is_gdals(coverage, file: Path, crs: str, code: int) -> None:
    found, place, written = coverage(crs=crs)
    assert written == f"EPSG:{code}"
    with (
        rasterio.open(file) as source,
        WarpedVRT(source, crs=f"EPSG:{code}", resampling=rasterio.enums.Resampling.bilinear, tolerance=0.0) as warped,
    ):
        assert (warped.height, warped.width) == found.shape
        assert warped.transform.almost_equals(place, 1e-6)
        np.testing.assert_allclose(found, warped.read(1), atol=2e-3)
    part, at, _ = coverage(crs=crs, bbox="117.505,-3.315,117.512,-3.306")
    column, row = (round(v) for v in ~place @ (at.c, at.f))
    near = found[row : row + part.shape[0], column : column + part.shape[1]]
    np.testing.assert_allclose(part, near, atol=2e-3)  # places within 1/1000 of a pixel of 30 m, on slopes below 7 %


def test_coverage_json(url: str, coverage, whole) -> None:
    _, place = whole
    subset = f"E({place.c}:{place.c + 12 * place.a}),N({place.f - 9 * place.a}:{place.f})"
    status, kind, page = get(f"{url}/collections/rain_to_fill/coverage", f="covjson", subset=subset)
    assert (status, kind) == (200, "application/prs.coverage+json")
    assert page["type"] == "Coverage"
    assert page["domain"]["domainType"] == "Grid"
    x, y = page["domain"]["axes"]["x"], page["domain"]["axes"]["y"]
    assert (x["start"], x["stop"], x["num"]) == pytest.approx((place.c + place.a / 2, place.c + 11.5 * place.a, 12))
    assert (y["start"], y["stop"], y["num"]) == pytest.approx((place.f - place.a / 2, place.f - 8.5 * place.a, 9))
    [reference] = page["domain"]["referencing"]
    assert reference == {"coordinates": ["x", "y"], "system": {"type": "ProjectedCRS", "id": UTM}}
    told = page["parameters"]["rain_to_fill"]
    assert told["unit"]["symbol"] == {"value": "mm", "type": "http://www.opengis.net/def/uom/UCUM/"}
    assert set(told["observedProperty"]["label"]) == {"id", "en"}
    values = page["ranges"]["rain_to_fill"]
    assert (values["axisNames"], values["shape"], values["dataType"]) == (["y", "x"], [9, 12], "float")
    body = get(f"{url}/collections/rain_to_fill/coverage", f="tif", subset=subset)[2]
    with MemoryFile(body) as memory, memory.open() as source:
        expected = source.read(1).ravel()
    found = np.array([np.nan if value is None else value for value in values["values"]], np.float32)
    assert np.array_equal(found, expected, equal_nan=True)
    assert np.isnan(found).any()
    one = get(f"{url}/collections/elevation/coverage", f="json", subset=f"E({place.c})")[2]["domain"]["axes"]["x"]
    assert one == {"start": place.c + place.a / 2, "stop": place.c + place.a / 2, "num": 1}


def pixels(body: bytes) -> np.ndarray:
    """Return the (rows, columns, 4) colours of a palette PNG, read by hand."""
    assert body[:8] == b"\x89PNG\r\n\x1a\n"
    chunks: dict[bytes, bytes] = {}
    position = 8
    while position < len(body):
        (length,) = struct.unpack(">I", body[position : position + 4])
        name = body[position + 4 : position + 8]
        chunks[name] = chunks.get(name, b"") + body[position + 8 : position + 8 + length]
        position += length + 12
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, colour) == (8, 3)
    palette = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)
    opacity = np.full(len(palette), 255, np.uint8)
    clear = np.frombuffer(chunks.get(b"tRNS", b""), np.uint8)
    opacity[: len(clear)] = clear
    with MemoryFile(body) as memory, rasterio.Env(CPL_LOG_ERRORS="OFF"), memory.open() as source:
        entries = source.read(1)
    assert entries.shape == (height, width)
    assert zlib.crc32(b"IEND") == struct.unpack(">I", body[-4:])[0]
    return np.dstack([palette[entries], opacity[entries]])


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_map_has_the_stated_colours_and_is_clear_where_nothing_is_known(url: str, version: Version) -> None:
    with rasterio.open(version.path / "rasters/hand.tif") as source:
        values, bounds = source.read(1), source.bounds
    request = f"{url}/collections/hand/map?width={values.shape[1]}&height={values.shape[0]}"
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["Content-Crs"] == f"<{UTM}>"
        assert [float(v) for v in answer.headers["Content-Bbox"].split(",")] == pytest.approx(bounds)
        drawn = pixels(answer.read())
    ramp = get(f"{url}/collections/hand")[2]["hexakota"]["ramp"]
    colours = colormaps[ramp["colours"].removeprefix("matplotlib ")]
    known = ~np.isnan(values)
    assert known.any()
    assert not known.all()
    share = np.clip((values[known] - ramp["low"]) / (ramp["high"] - ramp["low"]), 0, 1)
    assert np.abs(drawn[known][:, :3] - 255.0 * colours(share)[:, :3]).max() <= 4  # 255 shades of a ramp
    assert (drawn[known][:, 3] == 255).all()
    assert (drawn[~known] == [255, 255, 255, 0]).all()
    green = pixels(get(f"{request}&bgcolor=0x00FF10")[2])
    assert (green[~known] == [0, 255, 16, 255]).all()
    assert (pixels(get(f"{request}&bgcolor=Red&transparent=true")[2])[~known] == [255, 0, 0, 0]).all()
    assert (pixels(get(f"{request}&transparent=false")[2])[~known] == 255).all()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_map_of_any_box(url: str) -> None:
    beyond = get(f"{url}/collections/hand/map", bbox="0,0,1,1", crs=CRS84, width=30)
    assert beyond[0] == 200
    drawn = pixels(beyond[2])
    assert drawn.shape == (30, 30, 4)
    assert (drawn[:, :, 3] == 0).all()
    assert pixels(get(f"{url}/collections/hand/map")[2]).shape[:2] in [(1024, n) for n in range(800, 1025)] + [
        (n, 1024) for n in range(800, 1025)
    ]
    box = get(f"{url}/collections/hand")[2]["extent"]["spatial"]["bbox"][0]
    with urllib.request.urlopen(
        f"{url}/collections/hand/map?crs={MERCATOR}&bbox={','.join(map(str, box))}&width=64&height=64"
    ) as answer:
        told = [float(v) for v in answer.headers["Content-Bbox"].split(",")]
        assert told == pytest.approx(transform_bounds("EPSG:4326", "EPSG:3857", *box))
        assert pixels(answer.read()).shape == (64, 64, 4)


HOSTILE = {
    "bbox": "1,2,3|a,b,c,d|nan,0,1,1|inf,0,1,1|1,2,3,4,5,6|0,5,1,4|0,91,1,92|1e999,0,1,1|-181,0,1,1|",
    "subset": "|E|E()|E(:)|E(a:b)|E(1:2|E(2:1)|Z(1:2)|E(1:2),E(3:4)|E(1:2),X(3:4)|E(1:2),Lat(1:2)|E(nan:1)|"
    'E(1:2)N(3:4)|E(1:2),|Lat(-91:2)|E(1e300:2e300)|E((1:2))|<b>(1:2)|time("2020-01-01")|E(1:2:3)|E(1e9:1e10)',
    "scale-factor": "0|-1|nan|inf||2,2|1e-300|1e400|0x10|0.0001",
    "scale-size": "E(0)|E(-1)|E(1.5)|E(99999999999)|E(1:2)|Lat(5)|E(5000),N(5001)|E(*)|E",
    "scale-axes": "E(0)|N(nan)|Q(2)|E(2),X(2)|E(2:3)",
    "width": "0|-5|1.5|nan|99999|１２|",
    "crs": "EPSG:4978|x||http://www.opengis.net/def/crs/EPSG/0/4326",
    "bbox-crs": "EPSG:99999",
    "subset-crs": "' OR 1=1",
    "properties": "x|elevation,elevation,x|",
    "f": "nc|GTiff",
    "lang": "fr",
    "datetime": "2020-01-01",
    "x": "1",
    "filter": "a=1",
    "rangesubset": "1",
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in HOSTILE.items() for value in values.split("|")]
)
def test_what_cannot_be_is_a_400_that_names_it(url: str, name: str, value: str) -> None:
    status, _, body = get(f"{url}/collections/elevation/coverage", **{name: value})
    assert status == 400, str(body)[:200]
    named = {"scale-size": "scale-", "width": "width"}.get(name, name)
    assert named in body["description"]


@pytest.mark.parametrize(
    "query",
    [
        "bbox=0,0,1,1&subset=E(1:2)",
        "scale-factor=2&scale-size=E(3)",
        "scale-factor=2&width=3",
        "bbox=0,0,1,1&bbox=0,0,2,2",
        "f=covjson&scale-size=E(2000),N(2000)",
        "f=png&scale-size=E(3000),N(3000)",
        "subset=E(556000:556000)&scale-size=E(10),N(10)",
        "subset=E(555500:555500.0001)&scale-size=E(10),N(10)",
        "bbox=-180,-90,180,90&scale-size=E(10),N(10)",
    ],
)
def test_what_does_not_go_together_is_a_400(url: str, query: str) -> None:
    status, _, body = get(f"{url}/collections/elevation/coverage?{query}")
    assert status == 400, str(body)[:200]


@pytest.mark.parametrize(
    "query",
    [
        "bbox=1,2,1,2", "bbox=170,-4,-170,4", "bbox=-180,-90,180,90", "width=0", "bgcolor=reddish", "bgcolor=0xFFF",
        "bgcolor=0.5", "bgcolor=none", "transparent=yes", "f=tif", "subset=E(1:2)", "width=5000&height=5000",
        "crs=EPSG:4326", "datetime=2020-01-01", "bbox=nan,0,1,1", "width=4194304",
        "bbox=117.5,-3.3,117.5000000001,-3.2999999999",
    ],
)  # fmt: skip
def test_what_a_map_cannot_be_is_a_400(url: str, query: str) -> None:
    status, _, body = get(f"{url}/collections/elevation/map?{query}")
    assert status == 400, str(body)[:200]
    assert body["description"]


@settings(max_examples=60)
@given(
    name=st.sampled_from(["bbox", "subset", "scale-factor", "scale-size", "scale-axes", "width", "crs", "properties"]),
    value=st.one_of(st.text(max_size=30), st.text("ELatNon(),:*.-0123456789e", max_size=30)),
)
def test_garbage_is_never_a_defect(url: str, name: str, value: str) -> None:
    status, _, _ = get(f"{url}/collections/elevation/coverage", **{name: value})
    assert status in (200, 204, 400)


def test_a_version_is_asked_for_and_links_keep_to_it(url: str, version: Version) -> None:
    page = get(f"{url}/collections/hand", version=version.id)[2]
    assert next(link["href"] for link in page["links"] if link["rel"] == "self").endswith(f"version={version.id}")
    for kind in ("", "/schema", "/coverage", "/map", "/legend"):
        assert get(f"{url}/collections/hand{kind}", version=version.id)[0] == 200
        assert get(f"{url}/collections/hand{kind}", version="0123456789abcdef")[0] == 404


def copied(version: Version, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Publish a copy of a version in a city of its own, its manifest changed; return the city's folder."""
    staged = folder / "staged"
    shutil.copytree(version.path, staged)
    manifest = json.loads((staged / "manifest.json").read_text("utf-8"))
    change(manifest)
    (staged / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    (folder / "var/versions").mkdir(parents=True)
    Versions(folder / "var").publish(staged, "00000000000000aa")
    return folder


@pytest.mark.filterwarnings("ignore:Support for class-based `config`")  # pygeoapi's, on its first import
def test_a_city_without_elevation_has_none_and_says_why(version: Version, tmp_path: Path) -> None:
    def change(manifest: dict[str, Any]) -> None:
        manifest["rasters"] = {}
        manifest["left_out"] = [{"code": "no_elevation", "id": "tanpa elevasi", "en": "No elevation: none given."}]

    app = create_app(copied(version, tmp_path, change), "http://x.test")
    listed = ask(app, "/collections")[2]["collections"]
    assert {row["id"] for row in listed} == set(version.manifest["layers"])
    for kind in ("", "/coverage", "/map", "/schema", "/legend"):
        status, _, body = ask(app, f"/collections/hand{kind}")
        assert status == 404
        assert "No elevation: none given." in body["description"]


@pytest.mark.filterwarnings("ignore:Support for class-based `config`")  # pygeoapi's, on its first import
def test_the_rasters_of_a_scenario_are_asked_for_by_its_version(version: Version, tmp_path: Path) -> None:
    def change(manifest: dict[str, Any]) -> None:
        manifest["version"] = "00000000000000aa"

    folder = copied(version, tmp_path, change)
    staged = tmp_path / "scenario"
    shutil.copytree(version.path, staged)
    shutil.copy(staged / "rasters/depression_depth.tif", staged / "rasters/water_depth.tif")
    manifest = json.loads((staged / "manifest.json").read_text("utf-8"))
    manifest["rasters"]["water_depth"] = manifest["rasters"]["depression_depth"] | {"file": "rasters/water_depth.tif"}
    (staged / "manifest.json").write_text(json.dumps(manifest | {"scenario": {"title": "x"}}), "utf-8")
    Versions(folder / "var").keep(staged, "00000000000000bb")
    app = create_app(folder, "http://x.test")
    assert ask(app, "/collections/water_depth")[0] == 404
    status, _, page = ask(app, "/collections/water_depth", version="00000000000000bb")
    assert (status, page["id"]) == (200, "water_depth")
    assert ask(app, "/collections/water_depth/coverage", version="00000000000000bb")[0] == 200


def test_conformance_and_openapi_name_what_is_served(url: str) -> None:
    declared = get(f"{url}/conformance")[2]["conformsTo"]
    assert "http://www.opengis.net/spec/ogcapi-coverages-1/1.0/conf/subsetting" in declared
    assert "http://www.opengis.net/spec/ogcapi-maps-1/1.0/conf/core" in declared
    document = get(f"{url}/openapi")[2]
    operation = document["paths"]["/collections/hand/coverage"]["get"]
    assert {"bbox", "subset", "scale-size", "properties", "crs"} <= {row["name"] for row in operation["parameters"]}
    assert "204" in operation["responses"]
    assert "/collections/hand/map" in document["paths"]


@pytest.mark.skipif(shutil.which("gdal_translate") is None, reason="no GDAL tools; `make test-system` installs them")
def test_gdal_reads_it_from_the_address_and_through_its_ogc_api_driver(url: str, tmp_path: Path, whole) -> None:
    values, place = whole
    for index, source in enumerate(
        (f"/vsicurl/{url}/collections/elevation/coverage?f=tif", f"OGCAPI:{url}/collections/elevation")
    ):
        target = tmp_path / f"{index}.tif"
        done = subprocess.run(
            ["gdal_translate", "-q", "--config", "GDAL_HTTP_TIMEOUT", "30", source, str(target)],
            cwd=tmp_path,  # the driver keeps a cache where it runs
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        with rasterio.open(target) as copy:
            assert copy.transform.almost_equals(place, 1e-6)
            assert np.array_equal(copy.read(1), values, equal_nan=True)
