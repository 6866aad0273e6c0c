"""A city of a few streets with every kind of input, made by hand: small enough to run in a moment."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

WEST, SOUTH, EAST, NORTH = 117.500, -3.320, 117.518, -3.302
TOML = """
[city]
name = "Kota Uji"
time_zone = "Asia/Makassar"
attribution = ["dibuat untuk uji / made for a test"]
[area]
bbox = [117.500, -3.320, 117.518, -3.302]
[[reports]]
path = "reports.csv"
[reports.columns]
report_id = "id"
lon = "lon"
lat = "lat"
category = "kategori"
description = "uraian"
status = "status"
requested_datetime = "waktu"
resolved_datetime = "selesai"
[[roads]]
path = "roads.geojson"
[[elevation]]
path = "dem.tif"
vertical_datum = "EGM2008"
[[lamps]]
path = "lamps.geojson"
[lamps.columns]
lamp_id = "lamp_id"
[[admin_areas]]
path = "kelurahan.geojson"
level = "kelurahan"
[[waterways]]
path = "waterways.geojson"
[[buildings]]
path = "buildings.geojson"
[[facilities]]
path = "facilities.geojson"
[evidence]
min_background_reports = 10
"""


def write_tiny_city(folder: Path) -> Path:
    """Write the city's files: a valley that runs north to south, floods in it, dark lamps along a street."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "city.toml").write_text(TOML.lstrip(), "utf-8")
    _elevation(folder / "dem.tif")
    middle = (SOUTH + NORTH) / 2
    roads = [
        ([WEST - 0.01, middle], [EAST + 0.01, middle], "primary", "yes"),
        ([(WEST + EAST) / 2, SOUTH], [(WEST + EAST) / 2, NORTH], "residential", "no"),
    ]
    _features(
        folder / "roads.geojson",
        [
            (
                {"type": "LineString", "coordinates": [a, b]},
                {"highway": highway, "name": f"Jl. {i}", "lit": lit, "osm_id": i},
            )
            for i, (a, b, highway, lit) in enumerate(roads)
        ],
    )
    lamps = [WEST + 0.0003 * i for i in range(1, 58)]
    _features(
        folder / "lamps.geojson",
        [
            ({"type": "Point", "coordinates": [x, middle + 0.00005]}, {"lamp_id": f"L{i:02d}"})
            for i, x in enumerate(lamps)
        ],
    )
    _features(
        folder / "kelurahan.geojson",
        [
            (
                {
                    "type": "Polygon",
                    "coordinates": [[[WEST, SOUTH], [EAST, SOUTH], [EAST, NORTH], [WEST, NORTH], [WEST, SOUTH]]],
                },
                {"kode": "99.01", "nama": "Uji"},
            )
        ],
    )
    valley = (WEST + EAST) / 2
    _features(
        folder / "waterways.geojson",
        [
            (
                {"type": "LineString", "coordinates": [[valley, NORTH], [valley, SOUTH]]},
                {"waterway": "drain", "name": "Kali"},
            )
        ],
    )
    _features(
        folder / "buildings.geojson", [(_square(valley, y), {"building": "house"}) for y in (middle, NORTH + 0.01)]
    )
    _features(
        folder / "facilities.geojson",
        [
            ({"type": "Point", "coordinates": [valley, middle]}, {"amenity": "school", "name": "SDN 1"}),
            (_square(WEST + 0.001, NORTH - 0.001), {"amenity": "hospital", "name": "RSUD"}),
        ],
    )
    _reports(folder / "reports.csv", middle)
    return folder


def _square(x: float, y: float) -> dict[str, object]:
    corners = [[x, y], [x + 0.0001, y], [x + 0.0001, y + 0.0001], [x, y + 0.0001], [x, y]]
    return {"type": "Polygon", "coordinates": [corners]}


def _elevation(path: Path) -> None:
    """A tilted valley, 30 m pixels: 2 m at its floor in the south, rising northwards and to both sides."""
    rows, columns = np.mgrid[0:110, 0:110]
    x = 117.495 + 0.00027 * (columns + 0.5)
    values = 2.0 + 0.02 * (109 - rows) + np.abs(x - (WEST + EAST) / 2) * 111_000 * 0.02
    values[40:44, 52:56] -= 1.5
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=110,
        height=110,
        count=1,
        dtype="float32",
        crs="EPSG:4326",
        transform=Affine(0.00027, 0, 117.495, 0, -0.00027, -3.297),
    ) as target:
        target.write(values.astype("float32"), 1)


def _features(path: Path, rows: list[tuple[dict[str, object], dict[str, object]]]) -> None:
    features = [{"type": "Feature", "geometry": geometry, "properties": properties} for geometry, properties in rows]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")


def _reports(path: Path, middle: float) -> None:
    rng = np.random.default_rng(5)
    lines = ["id,lon,lat,kategori,uraian,status,waktu,selesai"]
    for i in range(60):
        lon, lat = rng.uniform(WEST, EAST), rng.uniform(SOUTH, NORTH)
        lines.append(
            f"w{i},{lon:.6f},{lat:.6f},Sampah,menumpuk,selesai,2025-0{1 + i % 9}-03 07:00,2025-0{1 + i % 9}-09 07:00"
        )
    for i in range(40):
        lon, lat = (WEST + EAST) / 2 + rng.normal(0, 0.0008), rng.uniform(SOUTH + 0.002, NORTH - 0.002)
        lines.append(f"f{i},{lon:.6f},{lat:.6f},Banjir,selutut,menunggu,2025-0{1 + i % 9}-12 18:00,")
    for i in range(10):
        lines.append(f"l{i},{WEST + 0.0003 * (i + 5):.6f},{middle:.6f},PJU padam,gelap,menunggu,2025-09-20 20:00,")
    lines += [
        "bad1,,,Sampah,tanpa lokasi,menunggu,2025-05-01 00:00,",
        "bad2,0,0,Sampah,nol,menunggu,2025-05-01 00:00,",
        "bad3,117.51,-3.31,Sampah,waktu salah,menunggu,kemarin,",
        "far,118.2,-3.31,Sampah,jauh,menunggu,2025-05-01 00:00,",
    ]
    path.write_text("\n".join(lines) + "\n", "utf-8")
