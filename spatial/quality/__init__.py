"""What `check` finds in a city's inputs before anything is published: is it fit to run, and what will be missing?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
from pyproj import CRS

from spatial.config import Settings, load_settings
from spatial.contracts import Progress, Raster, Silent
from spatial.errors import InputError
from spatial.pipeline.compute import Work, compute, delivered, no_members
from spatial.pipeline.gaps import Known, null_reasons, reason
from spatial.pipeline.inputs import Inputs, read_inputs, read_text_categories
from spatial.pipeline.lacks import left_out
from spatial.pipeline.release import release
from spatial.pipeline.reports import Placed
from spatial.quality.ground_checks import check_elevation, check_roads
from spatial.quality.model import BadExample, Cost, Finding, InputFile, Quality, Refused
from spatial.quality.report_checks import check_reports
from spatial.quality.verdict import findings
from spatial.sources.areas import read_admin_areas, read_area
from spatial.sources.lamps import read_lamps
from spatial.sources.privacy import no_releases
from spatial.sources.quarantine import REASONS
from spatial.sources.redaction import redact
from spatial.sources.reports import read_reports
from spatial.sources.roads import read_roads
from spatial.sources.taxonomy import load_taxonomy

EXAMPLES = 3
_SHOWN = 80
# What a city knows that has every input: its reasons for a null are nobody's gap.
_ALL: Mapping[str, Any] = {
    f.name: 10**6 if f.name.endswith("_incidents") else f.name not in ("terrain_leads", "min_count")
    for f in fields(Known)
}
_EVERYTHING = Known(**_ALL)

__all__ = ["Checked", "check", "unreadable"]


@dataclass(frozen=True, eq=False, slots=True)
class Checked:
    """What was found, and the tables and the raster that the page's pictures are drawn from.

    `reports`: placed reports, CRS84, also `x, y` in metres; `roads`: lines in the city's UTM zone, or None; `area`: in
    CRS84; `elevation`: in the UTM zone, or None; `crs`: that zone.
    """

    quality: Quality
    reports: gpd.GeoDataFrame
    roads: gpd.GeoDataFrame | None
    area: gpd.GeoSeries
    elevation: Raster | None
    crs: CRS


def check(city: Path, progress: Progress | None = None) -> Checked:
    """Read a city's inputs, rehearse a run on them and tell what was found. Writes nothing.

    Only the files are looked at: edits in `var/live.gpkg` and reports of earlier deliveries are not.

    Parameters
    ----------
    city : the city's folder or its `city.toml`.

    Raises
    ------
    InputError
        A setting, or an input as a whole, cannot be used.
    """
    progress = progress or Silent()
    settings = load_settings(city)
    inputs = read_inputs(settings, progress)
    snapshot = delivered(inputs)
    released = release(snapshot, inputs, settings, no_releases()) if settings.privacy.min_count else None
    work = compute(settings, inputs, snapshot, no_members(), "check", progress, released)
    exact = work.placed if released is None else released.exact
    progress.stage("check", "Memeriksa / checking")
    quality = _quality(settings, inputs, work, exact)
    area = gpd.GeoSeries([inputs.area], crs="EPSG:4326")
    return Checked(quality, exact.reports, work.plane.roads, area, inputs.elevation, inputs.grid.crs)


def unreadable(city: Path) -> list[InputError]:
    """Return why inputs cannot be read as a whole, one error per file; elevation, which needs the area, left out.

    Raises
    ------
    InputError
        A setting cannot be used.
    """
    settings = load_settings(city)
    taxonomy = load_taxonomy(*([settings.city.taxonomy] if settings.city.taxonomy else []))
    readers: list[Callable[[], object]] = [
        *(partial(read_reports, source, taxonomy, settings.city.time_zone) for source in settings.reports),
        partial(read_text_categories, settings, taxonomy),
        *(partial(read_roads, source) for source in settings.roads),
        *(partial(read_lamps, source) for source in settings.lamps),
        *(partial(read_admin_areas, source) for source in settings.admin_areas),
        *([] if settings.area.file is None else [partial(read_area, settings.area.file)]),
    ]
    errors = []
    for reader in readers:
        try:
            reader()
        except InputError as error:
            errors.append(error)
    return errors


def _quality(settings: Settings, inputs: Inputs, work: Work, placed: Placed) -> Quality:
    grid = inputs.grid
    files = tuple(
        InputFile(f["kind"], f["path"], f["rows_in"], f["rows_used"], f["rows_quarantined"], f["rows_excluded"])
        for f in inputs.files
    )
    reports = (
        check_reports(
            placed.reports,
            int(placed.usable.sum()),
            len(placed.incidents),
            inputs.unmapped,
            inputs.doubtful,
            settings.city.time_zone,
        )
        if inputs.reports
        else None
    )
    roads = check_roads(work.plane, grid)
    elevation = check_elevation(inputs.elevation, inputs.elevation_facts, grid, settings.terrain.sea_level_m)
    gaps = left_out(work.known, work.result.facts, work.result.skill)
    return Quality(
        name=settings.city.name,
        synthetic=settings.city.synthetic,
        area_km2=grid.area.area / 1e6,
        area_basis=inputs.area_basis,
        resolution=grid.resolution,
        cells=len(grid.cells),
        time_zone=settings.city.time_zone,
        files=files,
        refused=tuple(_refused(settings, inputs.quarantine)),
        reports=reports,
        roads=roads,
        lamps=None if work.plane.lamps is None else len(work.plane.lamps),
        elevation=elevation,
        left_out=tuple(Finding("note", row["code"], row["id"], row["en"]) for row in gaps),
        costs=tuple(_costs(work)),
        results=tuple((layer.name, len(table)) for layer, table in work.result.layers.items()),
        findings=findings(files, reports, roads, elevation),
        attribution=settings.city.attribution,
    )


def _refused(settings: Settings, quarantine: pd.DataFrame) -> Iterator[Refused]:
    texts = quarantine.astype({"row": "int64"}).fillna({"value": ""})
    for key, rows in texts.groupby(["file", "reason"], sort=True):
        file, code = map(str, key)
        shown = rows.head(EXAMPLES)
        examples = tuple(
            BadExample(int(row), str(field), str(redact(str(value)))[:_SHOWN])
            for row, field, value in zip(shown["row"], shown["field"], shown["value"], strict=True)
        )
        named = Path(file).relative_to(settings.folder.resolve(), walk_up=True).as_posix()
        yield Refused(named, code, *REASONS[code], len(rows), examples)


def _costs(work: Work) -> Iterator[Cost]:
    """Yield the columns that would hold nothing at all, by the reason that the version would give, gaps first."""
    empty: dict[tuple[bool, str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for layer, table in work.result.layers.items():
        for column, told in null_reasons(layer, table, work.known).items():
            if len(table) and (column not in table or table[column].isna().all()):
                gap = told != reason(layer, column, _EVERYTHING)
                empty[gap, told["id"], told["en"]][layer.name].append(column)
    for (gap, indonesian, english), layers in sorted(empty.items(), key=lambda row: not row[0][0]):
        yield Cost(gap, indonesian, english, tuple((name, tuple(columns)) for name, columns in layers.items()))
