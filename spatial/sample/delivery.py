"""The sample city's files: inputs as a city would deliver them, and the truth beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from rasterio.features import shapes
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from spatial.sample.complaints import KINDS, Storms
from spatial.sample.frame import Floats, write_csv, write_geojson, write_raster
from spatial.sample.lamps import Lamps, panel_name
from spatial.sample.landscape import Landscape
from spatial.sample.storm import WaterBalance
from spatial.sample.town import KECAMATAN, KELURAHAN, Districts, Street
from spatial.sample.words import NOTICE, REPORT_HEADER, SETTINGS

FLOODED_M = 0.2
_DEPTH_CLASSES = ((0.2, "0.2-0.5"), (0.5, "0.5-1.0"), (1.0, ">1.0"))
_NODATA_STRIP = 6


@dataclass(frozen=True, eq=False, slots=True)
class Truth:
    """What was planted. `depth` is the main storm's, m; `keen` is how readily each kelurahan reports, mean 1."""

    land: Landscape
    depth: Floats
    rain_mm: float
    balance: WaterBalance
    storms: Storms
    lamps: Lamps
    streets: list[Street]
    outages: pd.DataFrame
    keen: Floats
    reports: pd.DataFrame


def write_inputs(
    directory: Path,
    seed: int,
    land: Landscape,
    districts: Districts,
    streets: list[Street],
    lamps: Lamps,
    reports: pd.DataFrame,
) -> None:
    """Write `city.toml` and `data/`."""
    data = directory / "data"
    data.mkdir(parents=True)
    (directory / "city.toml").write_text(SETTINGS.format(seed=seed), "utf-8", newline="\n")
    (data / "BACA_SAYA.txt").write_text(NOTICE.format(seed=seed), "utf-8", newline="\n")
    file_rows = reports.rename(columns={"report_id": "id"})[list(REPORT_HEADER)]
    write_csv(data / "laporan.csv", REPORT_HEADER, file_rows.itertuples(index=False, name=None))
    write_geojson(
        data / "jalan.geojson",
        (
            (
                land.frame.geometry(s.line),
                {"osm_id": s.road_id, "highway": s.highway, "name": s.name, "lit": "yes" if s.lit else "no"},
            )
            for s in streets
        ),
    )
    points = [shapely.Point(x, y) for x, y in zip(lamps.x, lamps.y, strict=True)]
    write_geojson(
        data / "lampu.geojson",
        (
            (land.frame.geometry(point), {"lamp_id": lamp, "panel_id": panel_name(panel) if listed else None})
            for point, lamp, panel, listed in zip(points, lamps.ids, lamps.panel, lamps.listed, strict=True)
        ),
    )
    unknown = np.zeros(land.sea.shape, dtype=bool)
    unknown[-_NODATA_STRIP:] = True
    write_raster(data / "elevasi.tif", land.frame, land.delivered, unknown)
    _write_areas(data, land, districts)


def _write_areas(data: Path, land: Landscape, districts: Districts) -> None:
    to_degrees = land.frame.geometry
    write_geojson(data / "boundary.geojson", [(to_degrees(districts.area), {"nama": "Kota Contoh (sintetis)"})])
    write_geojson(
        data / "kelurahan.geojson",
        (
            (to_degrees(polygon), {"kode": f"00.00.{district + 1:02d}.{1001 + i}", "nama": KELURAHAN[i]})
            for i, (polygon, district) in enumerate(zip(districts.polygons, districts.kecamatan, strict=True))
        ),
    )
    unions = [shapely.union_all(districts.polygons[districts.kecamatan == k]) for k in range(len(KECAMATAN))]
    write_geojson(
        data / "kecamatan.geojson",
        ((to_degrees(union), {"kode": f"00.00.{k + 1:02d}", "nama": KECAMATAN[k]}) for k, union in enumerate(unions)),
    )


def write_truth(directory: Path, truth: Truth) -> None:
    """Write `truth/`: the storm, the lamps, the panels and what each report was about, as at the last good report."""
    folder = directory / "truth"
    folder.mkdir()
    frame, reports = truth.land.frame, truth.reports
    write_raster(folder / "flood_depth.tif", frame, truth.depth, truth.land.sea, decimals=3)
    write_geojson(folder / "flooded.geojson", _flooded(truth))
    as_of = reports.loc[reports["kind"] != "wrong_row", "time"].max()
    lamps = _lamp_states(truth, as_of)
    write_csv(
        folder / "lamps.csv",
        ("lamp_id", "panel_id", "failed", "failed_since", "cause"),
        lamps[["lamp_id", "panel_id", "failed", "failed_since", "cause"]].itertuples(index=False, name=None),
    )
    write_csv(folder / "panels.csv", ("panel_id", "road_id", "lamps", "failed", "failed_since"), _panels(truth, lamps))
    lon, lat = frame.lonlat(reports["x"], reports["y"])
    header = ("report_id", "true_incident", "kind", "lon", "lat", "category", "genuine", "wrong")
    columns = (
        reports["report_id"],
        reports["incident"],
        reports["kind"],
        [f"{v:.6f}" for v in lon],
        [f"{v:.6f}" for v in lat],
        reports["category"],
        _words(reports["genuine"]),
        reports["wrong"],
    )
    write_csv(folder / "reports.csv", header, zip(*columns, strict=True))
    _write_summary(folder / "summary.json", truth, as_of, lamps)


def _words(flags: Any) -> list[str]:
    return ["true" if flag else "false" for flag in flags]


def _flooded(truth: Truth) -> Iterator[tuple[BaseGeometry, dict[str, Any]]]:
    """Yield the polygons of land flooded by 0.2 m or more, by class of greatest depth."""
    frame = truth.land.frame
    classes = np.digitize(truth.depth, [limit for limit, _ in _DEPTH_CLASSES]).astype(np.uint8)
    for outline, value in shapes(classes, mask=classes > 0, transform=frame.transform):
        limit, name = _DEPTH_CLASSES[int(value) - 1]
        plane = shapely.transform(shape(outline), lambda points: points - [frame.west, frame.south])
        yield frame.geometry(plane), {"max_depth_class": name, "min_depth_m": limit}


def _lamp_states(truth: Truth, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return lamp_id, panel_id, failed ("true"/"false"), failed_since (local time or ""), cause, panel (int)."""
    lamps = truth.lamps
    table = pd.DataFrame(
        {
            "lamp_id": lamps.ids,
            "panel_id": [panel_name(p) for p in lamps.panel],
            "failed": "false",
            "failed_since": "",
            "cause": "",
            "panel": lamps.panel,
        }
    )
    now = truth.outages[(truth.outages["start"] <= as_of) & (as_of < truth.outages["end"])]
    table.loc[now["lamp"], "failed"] = "true"
    table.loc[now["lamp"], "failed_since"] = now["start"].dt.strftime("%Y-%m-%d %H:%M:%S").to_numpy()
    table.loc[now["lamp"], "cause"] = now["cause"].to_numpy()
    return table


def _panels(truth: Truth, lamps: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    for panel_id, members in lamps.groupby("panel_id", sort=True):
        circuit = members[members["cause"] == "circuit"]
        road = truth.streets[int(truth.lamps.street[members.index[0]])].road_id
        since = circuit["failed_since"].iloc[0] if len(circuit) else ""
        yield panel_id, road, len(members), "true" if len(circuit) else "false", since


def _write_summary(path: Path, truth: Truth, as_of: pd.Timestamp, lamps: pd.DataFrame) -> None:
    land, frame = truth.land, truth.land.frame
    lon, lat = frame.lonlat(*land.hollows.T)
    summary = {
        "synthetic": True,
        "as_of_local": str(as_of),
        "rain_mm": round(truth.rain_mm, 1),
        "water_balance_m3": {name: round(value, 3) for name, value in asdict(truth.balance).items()},
        "water_balance_error": truth.balance.error,
        "storms": [
            {"begin_local": str(b), "depth_share": round(float(s), 3)}
            for b, s in zip(truth.storms.begin, truth.storms.share, strict=True)
        ],
        "reporting": {name: round(float(value), 4) for name, value in zip(KELURAHAN, truth.keen, strict=True)},
        "hollows": [
            {"lon": round(a, 6), "lat": round(b, 6), "urban": bool(u)}
            for a, b, u in zip(lon.tolist(), lat.tolist(), land.urban, strict=True)
        ],
        "reports": {kind: int((truth.reports["kind"] == kind).sum()) for kind in KINDS},
        "lamps_failed": int((lamps["failed"] == "true").sum()),
    }
    path.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", "utf-8", newline="\n")
