"""The page of `check`: one HTML file with everything in it. It asks for nothing from anywhere and runs no script."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from importlib.resources import files

import geopandas as gpd
import numpy as np
from jinja2 import Environment, StrictUndefined

from spatial import __version__
from spatial.charts import Points, elevation_map, points_map, time_chart
from spatial.contracts import CATEGORY_LABELS
from spatial.hexgrid.join import to_plane
from spatial.quality import Checked
from spatial.quality.ground_checks import ElevationChecks
from spatial.quality.heights import Kind
from spatial.quality.model import LEVELS
from spatial.quality.report_checks import flagged

FLAG_LABELS = {
    "duplicate": ("berulang", "duplicate"),
    "default_location": ("lokasi bawaan", "default location"),
    "outside_area": ("di luar wilayah", "outside the area"),
    "time_unknown": ("tanpa waktu", "no time"),
    "location_rounded": ("koordinat bulat", "rounded coordinate"),
}
FLAG_MEANINGS = {
    "duplicate": (
        "laporan lain lebih dulu menceritakan kejadian yang sama; disimpan, kejadian dihitung sekali",
        "another report told of the incident before; stored, the incident counts once",
    ),
    "default_location": (
        "jauh lebih banyak laporan di satu koordinat daripada sekitarnya: bawaan geocoder; disimpan, tidak dihitung",
        "its coordinate holds more reports than its surroundings explain: a geocoder's default; stored, not counted",
    ),
    "outside_area": ("di luar wilayah kota; disimpan, tidak dihitung", "outside the city's area; stored, not counted"),
    "time_unknown": (
        "tanpa waktu; dihitung, status menentukan terbuka atau selesai",
        "carries no time; counted, its status decides whether it is open",
    ),
    "location_rounded": (
        "koordinat 4 desimal atau kurang, meleset sampai sekitar 8 m; dihitung",
        "4 decimals or fewer, up to some 8 m off; counted",
    ),
}
FAULT_LABELS: dict[Kind, tuple[str, str]] = {
    "spike": ("lonjakan", "spike"),
    "pit": ("lubang dalam", "pit"),
    "flat": ("permukaan rata", "flat"),
    "sea": ("laut", "sea"),
    "hole": ("tanpa data", "no data"),
}
KIND_LABELS = {
    "reports": ("laporan", "reports"),
    "roads": ("jalan", "roads"),
    "elevation": ("elevasi", "elevation"),
    "lamps": ("lampu", "lamps"),
    "admin_areas": ("batas wilayah", "boundaries"),
    "text_examples": ("contoh teks", "example texts"),
}
BASIS_LABELS = {
    "file": ("berkas batas", "boundary file"),
    "bbox": ("kotak koordinat", "bounding box"),
    "hull": ("selubung masukan", "hull of an input"),
}
_MOST_SHOWN = 500
_NOWHERE = np.empty((0, 2))


def page(checked: Checked) -> str:
    """Return the page as HTML text."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["n"] = lambda value: "–" if value is None else f"{value:,}"
    template = environment.from_string(files("spatial.quality").joinpath("page.html").read_text("utf-8"))
    return template.render(
        q=checked.quality,
        pictures={name: "data:image/png;base64," + b64encode(png).decode() for name, png in _pictures(checked).items()},
        levels=LEVELS,
        flags=FLAG_LABELS,
        meanings=FLAG_MEANINGS,
        faults=FAULT_LABELS,
        kinds=KIND_LABELS,
        bases=BASIS_LABELS,
        categories=CATEGORY_LABELS,
        most=_MOST_SHOWN,
        version=__version__,
    )


def _pictures(checked: Checked) -> dict[str, bytes]:
    """Draw what there is to draw: `times`, `reports`, `elevation`."""
    quality, pictures = checked.quality, {}
    area = checked.area.to_crs(checked.crs)
    if quality.reports is not None and len(checked.reports):
        pictures["reports"] = points_map(area, checked.roads, _report_points(checked.reports))
        times = quality.reports.times
        if times.known:
            pictures["times"] = time_chart(times.hours, times.months, quality.time_zone)
    if quality.elevation is not None and checked.elevation is not None:
        pictures["elevation"] = elevation_map(checked.elevation, area, _fault_points(quality.elevation, checked))
    return pictures


def _report_points(reports: gpd.GeoDataFrame) -> list[Points]:
    outside, default, repeated = (flagged(reports, f) for f in ("outside_area", "default_location", "duplicate"))
    rounded = flagged(reports, "location_rounded")
    plain = ~(outside | default | repeated)
    groups = (
        (plain & ~rounded, Points(_NOWHERE, "kejadian / incidents", "#2166ac", "o", 5.0)),
        (
            plain & rounded,
            Points(_NOWHERE, "kejadian, koordinat bulat / incidents, rounded coordinate", "#67a9cf", "o", 5.0),
        ),
        (repeated & ~outside & ~default, Points(_NOWHERE, "berulang / duplicate", "#9970ab", "o", 7.0)),
        (outside, Points(_NOWHERE, "di luar wilayah / outside the area", "#e66101", "D", 16.0)),
        (default, Points(_NOWHERE, "lokasi bawaan / default location", "#d7301f", "o", 130.0, True)),
    )
    return [replace(style, xy=reports.loc[mask, ["x", "y"]].to_numpy(float)) for mask, style in groups if mask.any()]


def _fault_points(elevation: ElevationChecks, checked: Checked) -> list[Points]:
    drawn: tuple[tuple[Kind, str, str], ...] = (
        ("spike", "#d7301f", "^"),
        ("pit", "#7b3294", "v"),
        ("flat", "#0571b0", "s"),
        ("hole", "#000000", "X"),
    )
    groups = []
    for kind, colour, marker in drawn:
        places = elevation.of(kind)
        if places:
            lonlat = gpd.points_from_xy([p.lon for p in places], [p.lat for p in places])
            plane = gpd.GeoSeries(to_plane(np.asarray(lonlat), checked.crs))
            label = " / ".join(FAULT_LABELS[kind])
            groups.append(Points(np.column_stack([plane.x, plane.y]), label, colour, marker, 90.0, True))
    return groups
