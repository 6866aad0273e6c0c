"""A city from its name: `init_place` writes the boundary and `city.toml`, `fetch_city` the open data that it needs.

Only these two ask anything of the network, through the `download_*` functions of `sources`. They stand above the
pipeline because elevation is wanted as far as the terrain analysis needs it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from rasterio.features import geometry_mask
from shapely.geometry import MultiPolygon, Polygon

import spatial
from spatial.config import FILE_NAME, Settings, load_settings
from spatial.contracts import Progress, Silent
from spatial.errors import InputError
from spatial.flood.terrain import analyse
from spatial.pipeline.inputs import read_city_area
from spatial.sources.download import (
    GLO30_ATTRIBUTION,
    GLO30_LICENCE,
    OSM_ATTRIBUTION,
    OSM_LICENCE,
    Attempts,
    Cache,
    FetchParameters,
    Mirrors,
    replace,
)
from spatial.sources.elevation import ElevationSource, read_elevation
from spatial.sources.glo30 import VERTICAL_DATUM, download_elevation
from spatial.sources.osm import Place, download_features, download_place, write_geojson
from spatial.sources.osm_layers import QUERIES, OsmQuery
from spatial.sources.provenance import Origin, file_sha256, read_provenance, write_provenance

STAGES = len(QUERIES) + 1
_BOUNDARY = "data/boundary.geojson"
_ELEVATION = "data/elevation.tif"
_MOST_KM2 = 50_000
_GLO30_RESOLUTION = 9  # the finest for pixels of 30 m: cells of 0.1 km² hold some 110


@dataclass(frozen=True, slots=True)
class Fetched:
    """What `fetch_city` did: features per file (None for the elevation), and how many answers it took."""

    files: dict[str, int | None]
    requests: int


def init_place(
    folder: Path, query: str, mirrors: Mirrors, progress: Progress, parameters: FetchParameters | None = None
) -> Place:
    """Write `city.toml` and the boundary of a place into a folder.

    Raises
    ------
    InputError
        The folder has a `city.toml` already.
    DownloadError
        The geocoder knows no such place, or does not answer. Nothing is written then.
    """
    target = folder / FILE_NAME
    if target.exists():
        raise InputError(target, "file", "it exists already", "edit it, or name another folder")
    progress.stage("place", f"Batas dari OpenStreetMap / boundary from OpenStreetMap: {query}")
    attempts = Attempts(parameters or FetchParameters(), progress)
    place = download_place(query, mirrors, attempts, Cache(folder / "data" / "cache"))
    name = query.split(",")[0].strip()
    row = {"name": [name], "osm_id": [place.osm_id]}
    table = gpd.GeoDataFrame(row, geometry=[place.area], crs="EPSG:4326").astype({"name": "str", "osm_id": "str"})
    boundary = folder / _BOUNDARY
    replace(boundary, write_geojson(boundary, table))
    rows = read_provenance(folder)
    rows[_BOUNDARY] = Origin(f"{mirrors.nominatim}/search", OSM_LICENCE, place.retrieved, file_sha256(boundary))
    write_provenance(folder, rows)
    replace(target, _city_toml(name, place, mirrors).encode())
    return place


def _city_toml(name: str, place: Place, mirrors: Mirrors) -> str:
    head, rest = files(spatial).joinpath("template.toml").read_text("utf-8").split("[city]", 1)
    inputs = rest[rest.index("# [[reports]]") :]
    zone, language = time_zone(place.area), "id" if place.name.rstrip().endswith("Indonesia") else "en"
    attribution = ", ".join(_quoted(text) for text in (OSM_ATTRIBUTION, GLO30_ATTRIBUTION))
    other = [
        f"{f.name} = {_quoted(getattr(mirrors, f.name))}\n"
        for f in dataclasses.fields(Mirrors)
        if getattr(mirrors, f.name) != f.default
    ]
    return (
        f"{head}[city]\n"
        f"name = {_quoted(name)}            # {place.name}\n"
        f"resolution = {_GLO30_RESOLUTION}                # resolusi H3; 9 cocok untuk elevasi 30 m / suits 30 m\n"
        f"time_zone = {_quoted(zone)}   # dari letaknya / from where it lies\n"
        f"language = {_quoted(language)}\n"
        f"seed = 1\n"
        f"attribution = [{attribution}]\n\n"
        f"[area]                        # {place.osm_id} dari / of OpenStreetMap, {place.retrieved}\n"
        f"file = {_quoted(_BOUNDARY)}\n\n"
        + (
            f"[mirrors]                     # alamat unduhan / where downloads come from\n{''.join(other)}\n"
            if other
            else ""
        )
        + inputs
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def time_zone(area: Polygon | MultiPolygon) -> str:
    """Return the IANA time zone of an area (EPSG:4326) by a point within it; "UTC" where none is known."""
    from timezonefinder import TimezoneFinder

    point = shapely.point_on_surface(area)
    return TimezoneFinder().timezone_at(lng=point.x, lat=point.y) or "UTC"


def fetch_city(folder: Path, progress: Progress | None = None, refresh: bool = False) -> Fetched:
    """Download what a city needs into `data/`, and name it in `city.toml`.

    Finished chunks lie in `data/cache`, so a second call asks only for what is missing; `refresh` asks for everything
    again. A file in `data/` that is not as `fetch` wrote it is kept as it is.

    Raises
    ------
    InputError
        `city.toml` cannot be used, or its area is out of proportion.
    DownloadError
        Something could not be had. What was finished before stays, and nothing partial is there.
    """
    progress = progress or Silent()
    settings = load_settings(folder)
    area = _area(settings)
    cache = Cache(settings.folder / "data" / "cache")
    if refresh:
        for pattern in (*(f"{query.name}/*" for query in QUERIES), "glo30/*/*"):
            cache.forget(pattern)
    attempts = Attempts(settings.fetch, progress)
    job = _Fetch(settings, area, attempts, cache)
    for query in QUERIES:
        job.features(query)
    job.elevation()
    job.name_inputs()
    return Fetched(job.made, attempts.requests)


def _area(settings: Settings) -> Polygon | MultiPolygon:
    shape = read_city_area(settings)
    series = gpd.GeoSeries([shape], crs="EPSG:4326")
    km2 = float(series.to_crs(series.estimate_utm_crs()).area.iloc[0]) / 1e6
    if km2 > _MOST_KM2:
        problem = f"it covers {km2:,.0f} km²; fetch asks for {_MOST_KM2:,} at most"
        raise InputError(settings.file, "area", problem, "check for points far away, or give a bbox or a boundary")
    return shape


def _widened(shape: Polygon | MultiPolygon, metres: float) -> Polygon | MultiPolygon:
    series = gpd.GeoSeries([shape], crs="EPSG:4326")
    wide: Polygon | MultiPolygon = series.to_crs(series.estimate_utm_crs()).buffer(metres).to_crs("EPSG:4326").iloc[0]
    return wide


class _Fetch:
    """One call of `fetch_city`: writes each file as soon as it is whole, and remembers where it came from."""

    def __init__(self, settings: Settings, area: Polygon | MultiPolygon, attempts: Attempts, cache: Cache) -> None:
        self.settings, self.area, self.attempts, self.cache = settings, area, attempts, cache
        self.origins = read_provenance(settings.folder)
        self.made: dict[str, int | None] = {}
        self.inputs: list[tuple[str, str, str]] = []
        self.wide = _widened(area, settings.fetch.buffer_m)
        self.margin_m = settings.terrain_window.margin_m

    def features(self, query: OsmQuery) -> None:
        """Download one query of OpenStreetMap and write its files."""
        settings, attempts = self.settings, self.attempts
        attempts.progress.stage(query.name, query.title)
        found = download_features(query.name, query.tags, self.wide, settings.mirrors, attempts, self.cache)
        for file in query.files:
            name = f"data/{file.name}.geojson"
            table = file.make(found.table, self.area)
            if table.empty:
                attempts.progress.note(f"{name}: OpenStreetMap tidak punya / OpenStreetMap has none here")
                continue
            source = f"{settings.mirrors.overpass}/interpreter"
            if self._keep(name, write_geojson(Path(name), table), source, OSM_LICENCE, found.retrieved):
                self.made[name] = len(table)
                self.inputs.append((file.kind, name, file.settings))

    def elevation(self) -> None:
        """Download the elevation as far as the area's catchments reach."""
        settings = self.settings
        series = gpd.GeoSeries([self.area], crs="EPSG:4326")
        crs = series.estimate_utm_crs()
        area = series.to_crs(crs).iloc[0]
        part = self.cache.folder / "elevation.tif"

        def touches(path: Path, margin_m: float) -> bool:
            raster, _ = read_elevation([ElevationSource(path)], area, crs, margin_m, 0.0)
            terrain = analyse(raster.values, raster.pixel_size_m, settings.terrain)
            inside = geometry_mask([area], raster.values.shape, raster.transform, invert=True)
            return bool(np.any(terrain.edge_fed & inside & ~terrain.sea))

        made = download_elevation(area, crs, self.margin_m, part, touches, settings.mirrors, self.attempts, self.cache)
        if not made.whole:
            self.attempts.progress.note(
                f"Daerah tangkapan melampaui batas {made.margin_m / 1000:g} km / catchments reach beyond the limit of "
                f"{made.margin_m / 1000:g} km ([fetch] elevation_limit_m)"
            )
        source = f"{settings.mirrors.glo30}: {', '.join(made.tiles)}"
        if self._keep(_ELEVATION, part.read_bytes(), source, GLO30_LICENCE, made.retrieved):
            self.made[_ELEVATION] = None
            stated = "dem_error" in tomllib.loads(settings.file.read_text("utf-8"))
            error = "" if stated else '\n[dem_error]\nproduct = "glo30"\n'
            self.inputs.append(("elevation", _ELEVATION, f"vertical_datum = {_quoted(VERTICAL_DATUM)}\n{error}"))
            self.margin_m = made.margin_m
        part.unlink()

    def _keep(self, name: str, content: bytes, source: str, licence: str, retrieved: str) -> bool:
        """Write a file and its origin; leave one that is not as we wrote it, and return False."""
        path, known = self.settings.folder / name, self.origins.get(name)
        if path.exists() and (known is None or file_sha256(path) != known.sha256):
            self.attempts.progress.note(f"{name}: bukan dari fetch, dibiarkan / not as fetch wrote it, left as it is")
            return False
        replace(path, content)
        self.origins[name] = Origin(source, licence, retrieved, file_sha256(path))
        write_provenance(self.settings.folder, self.origins)
        return True

    def name_inputs(self) -> None:
        """Add to `city.toml` what it does not name yet; every line that is there stays."""
        settings, added = self.settings, ""
        kinds = {f.name for f in dataclasses.fields(Settings)}
        for kind, name, lines in self.inputs:
            if kind not in kinds:
                continue
            named = [s for s in getattr(settings, kind) if getattr(s, "level", "") in (*lines.split('"'), "")]
            if any(source.path == (settings.folder / name).resolve() for source in named):
                continue
            if named:
                self.attempts.progress.note(
                    f"{FILE_NAME} sudah menyebut / names its own [[{kind}]]: {name} tidak ditambahkan / is not added"
                )
                continue
            added += f"\n[[{kind}]]\npath = {_quoted(name)}\n{lines}"
        if self.margin_m != settings.terrain_window.margin_m:
            added += self._window()
        if added:
            _append(settings, f"\n# Ditambahkan oleh / added by hexakota fetch{added}")

    def _window(self) -> str:
        text = self.settings.file.read_text("utf-8")
        if "terrain_window" in tomllib.loads(text):
            self.attempts.progress.note(f"[terrain_window] margin_m: tulis / write {self.margin_m:.0f}")
            return ""
        return f"\n[terrain_window]\nmargin_m = {self.margin_m:.1f}\n"


def _append(settings: Settings, lines: str) -> None:
    """Append lines to `city.toml`, if it is still a city's settings with them."""
    text = settings.file.read_text("utf-8").rstrip("\n") + "\n" + lines
    trial = settings.folder / ".city.part.toml"
    try:
        trial.write_text(text, "utf-8")
        load_settings(trial)
        os.replace(trial, settings.file)
    finally:
        trial.unlink(missing_ok=True)
