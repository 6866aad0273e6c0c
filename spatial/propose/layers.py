"""What a raster, a file of lines or a file of polygons is."""

from __future__ import annotations

import math
import re
import warnings
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from pyproj import CRS, Geod, Transformer
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

from spatial.propose.model import FileProposal, Setting
from spatial.propose.values import SURE, Column
from spatial.sources.taxonomy import fold

RASTERS = (".tif", ".tiff", ".vrt", ".hgt", ".img", ".asc")
HIGHWAYS = frozenset((
    "motorway", "trunk", "primary", "secondary", "tertiary", "unclassified", "residential", "living_street",
    "service", "pedestrian", "footway", "track", "path", "cycleway", "steps", "road", "motorway_link",
    "trunk_link", "primary_link", "secondary_link", "tertiary_link",
))  # fmt: skip
_KODE = re.compile(r"\d{2}\.\d{2}(\.\d{2}(\.\d{4})?)?")
_KODE_LEVELS = {5: "boundary", 8: "kecamatan", 13: "kelurahan"}
_ROAD_NAMES = ("road", "roads", "street", "streets", "jalan", "highway", "highways", "ruas", "jaringan jalan")
_NAMES = ("nama", "name", "namobj", "wadmkd", "wadmkc", "nm kel", "nm kec", "kelurahan", "desa", "kecamatan")
_BOUNDARIES = ("boundary", "batas", "border", "perbatasan")
_NOT_HEIGHTS = ("depth", "kedalaman", "hand", "twi", "slope", "lereng", "landcover")
_IDS = ("road id", "osm id", "osmid", "id jalan", "id ruas")
_LIT = frozenset(("yes", "no", "24/7", "automatic", "limited", "disused", "sunset-sunrise"))


def columns_of(table: gpd.GeoDataFrame) -> list[Column]:
    """Return the attribute columns of a vector table, by name."""
    names = sorted(str(c) for c in table.columns if c != table.geometry.name)
    return [Column(name, table[name].astype(object)) for name in names]


def bounds_of(table: gpd.GeoDataFrame) -> tuple[float, float, float, float] | None:
    """Return west, south, east, north of nearly all features of a table in degrees (99 in 100 of their boxes)."""
    boxes = table.geometry.bounds.dropna()
    if boxes.empty:
        return None
    low, high = boxes.quantile(0.01), boxes.quantile(0.99)
    return float(low["minx"]), float(low["miny"]), float(high["maxx"]), float(high["maxy"])


def propose_lines(path: Path, table: gpd.GeoDataFrame) -> FileProposal:
    """Return a file of lines as roads, where a column holds OSM classes or the file is called so; else ask."""
    columns = columns_of(table)
    told = f"{len(table):,} garis / lines"
    settings = _road_columns(columns)
    called = next((w for w in _ROAD_NAMES if f" {w} " in f" {fold(path.stem)} "), None)
    if any(s.key == "columns.highway" for s in settings):
        return FileProposal(path, "roads", (told,), tuple(settings), (), bounds_of(table))
    if called:
        told = f"{told}; nama berkas memuat / the file's name holds `{called}`"
        names = ", ".join(f"`{c.name}`" for c in columns) or "–"
        ask = f"tanpa kelas jalan yang dikenal / no known road classes; kolom / columns: {names}"
        return FileProposal(path, "roads", (told,), tuple(settings), (ask,), bounds_of(table))
    ask = "garis apa ini: jalan, sungai? / what are these lines: roads, rivers?"
    return FileProposal(path, "unknown", (told,), (), (ask,), bounds_of(table))


def _road_columns(columns: list[Column]) -> list[Setting]:
    """Return highway, name, lit and road_id where content shows them."""
    settings = []
    known = [(c, *c.share(HIGHWAYS.__contains__)) for c in columns if c.filled]
    classes = [row for row in known if row[2] >= 0.5 * row[0].filled]
    if classes:
        column, count, rows = max(classes, key=lambda row: (row[2], row[0].name))
        evidence = f"{column.distinct} kata / words, {count} kelas / classes of OSM ({rows:,}/{column.rows:,})"
        doubt = f"{len(classes)} kolom memuat kelas / columns hold classes" if len(classes) > 1 else None
        settings.append(Setting("columns.highway", column.name, evidence, doubt))
    for key, words in (("name", ("name", "nama", "nama jalan", "street")), ("road_id", _IDS)):
        named = [c for c in columns if c.filled and c.named(words) == 2]
        if key == "road_id":
            named = [c for c in named if c.distinct == c.filled == c.rows]
        if len(named) == 1:
            counts = f"{named[0].filled:,} terisi / filled, {named[0].distinct:,} berbeda / different"
            settings.append(Setting(f"columns.{key}", named[0].name, counts))
    lit = [c for c in columns if c.filled and c.named(("lit", "penerangan")) == 2]
    if len(lit) == 1 and lit[0].share(lambda text: text in _LIT)[1] >= SURE * lit[0].filled:
        settings.append(Setting("columns.lit", lit[0].name, f"{lit[0].filled:,} terisi / filled"))
    return settings


def propose_polygons(path: Path, table: gpd.GeoDataFrame) -> FileProposal:
    """Return a file of polygons as kelurahan, kecamatan or the boundary, by Kemendagri codes; else ask."""
    columns = columns_of(table)
    told = f"{len(table):,} poligon / polygons"
    for column in columns:
        coded = column.share(lambda text: bool(_KODE.fullmatch(text)))[1]
        lengths = {len(text) for text in column.counts}
        if coded == column.filled == column.distinct == column.rows and len(lengths) == 1:
            level = _KODE_LEVELS[lengths.pop()]
            example = next(iter(column.counts))
            code = f"kolom / column `{column.name}`: {coded:,} kode Kemendagri / codes, mis. / e.g. {example}"
            if level == "boundary":
                return FileProposal(path, "boundary", (told, code), (), (), bounds_of(table))
            return _admin(path, table, told, column, level, code)
    called = next((word for word in _BOUNDARIES if word in fold(path.stem).split()), None)
    if len(table) == 1 and called:
        ask = "batas kota? / is it the city's boundary?"
        told = f"{told}; nama berkas memuat / the file's name holds `{called}`"
        return FileProposal(path, "boundary", (told,), (), (ask,), bounds_of(table))
    ask = "poligon apa ini: batas kota, kelurahan, kecamatan? / what are these: boundary, kelurahan, kecamatan?"
    return FileProposal(path, "unknown", (told,), (), (ask,), bounds_of(table))


def _admin(path: Path, table: gpd.GeoDataFrame, told: str, column: Column, level: str, evidence: str) -> FileProposal:
    settings = [Setting("level", level, f"panjang kode / length of the codes: {len(next(iter(column.counts)))}")]
    settings.append(Setting("columns.area_id", column.name, evidence))
    named = [c for c in columns_of(table) if c.filled == c.rows and not c.numeric and c.named(_NAMES)]
    best = [c for c in named if c.named(_NAMES) == max(n.named(_NAMES) for n in named)]
    if len(best) == 1:
        counts = f"{best[0].distinct:,} nama / names: {', '.join(sorted(best[0].counts)[:3])}"
        settings.append(Setting("columns.name", best[0].name, counts))
    else:
        names = ", ".join(f"`{c.name}`" for c in best) or "–"
        ask = f"kolom nama? / which column is the name? {names}"
        settings.append(Setting("columns.name", best[0].name if best else "?", "", ask, active=False))
    return FileProposal(path, "admin_areas", (told,), tuple(settings), (), bounds_of(table))


def propose_raster(path: Path) -> FileProposal:
    """Return a raster as elevation where its values can be heights in metres; else ask."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as file:
                crs = None if file.crs is None else CRS.from_user_input(file.crs)
                step = max(1, math.ceil(max(file.height, file.width) / 2000))
                band = file.read(1, out_shape=(file.height // step or 1, file.width // step or 1), masked=True)
                unit, place = file.units[0], None if crs is None else _bounds(file, crs)
                kind, bands, nodata, pixel = file.dtypes[0], file.count, file.nodata, _pixel(file, crs)
    except RasterioIOError as error:
        return FileProposal(path, "unknown", (), (), (f"tidak terbaca / cannot be read: {str(error).splitlines()[0]}",))
    values = np.asarray(band.compressed(), dtype=float)
    values = values[np.isfinite(values)]
    if crs is None or not len(values):
        return FileProposal(path, "unknown", (), (), ("tanpa CRS atau nilai / no CRS, or no values",))
    low, high = float(values.min()), float(values.max())
    told = (
        f"raster {kind}, CRS {crs.name}, piksel / pixel {pixel:.1f} m, nilai / values {low:g} … {high:g}",
        f"nodata: {'tanpa tanda / no tag' if nodata is None else nodata}",
    )
    ask = _doubt(path, low, high, bands, kind)
    if unit and unit.lower() not in ("m", "metre", "meter", "metres", "meters"):
        ask = f"satuan / unit `{unit}`: bukan meter? / not metres?"
    if ask:
        return FileProposal(path, "unknown", told, (), (ask,))
    datum = Setting("vertical_datum", "EGM2008", "", _DATUM, active=False)
    vertical = [sub.name for sub in crs.sub_crs_list if sub.is_vertical]
    if vertical:
        datum = Setting("vertical_datum", vertical[0], "dari berkas / from the file")
    return FileProposal(path, "elevation", told, (datum,), (), place, pixel)


_DATUM = "datum vertikal? SRTM: EGM96, Copernicus dan / and DEMNAS: EGM2008"


def _doubt(path: Path, low: float, high: float, bands: int, kind: str) -> str | None:
    name = fold(path.stem)
    other = next((word for word in _NOT_HEIGHTS if word in name.split()), None)
    if other:
        return f"nama berkas memuat / the file's name holds `{other}`: elevasi? / is it elevation?"
    if bands > 1 or kind == "uint8":
        return f"{bands} band {kind}, mungkin gambar / may be a picture: elevasi? / is it elevation?"
    if low < -500 or high > 9000:
        return f"{low:g} … {high:g}: satuan lain atau nodata tanpa tanda? / another unit, or nodata without a tag?"
    if high - low < 5:
        return f"{low:g} … {high:g}: terlalu datar untuk elevasi? / too flat for elevation?"
    return None


def _bounds(file: rasterio.DatasetReader, crs: CRS) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a raster in degrees, CRS84."""
    box = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform_bounds(*file.bounds)
    return float(box[0]), float(box[1]), float(box[2]), float(box[3])


def _pixel(file: rasterio.DatasetReader, crs: CRS | None) -> float:
    """Return the side of a pixel in metres, at the middle of the file (square root of its area)."""
    a = file.transform
    if crs is None or not crs.is_geographic:
        unit = 1.0 if crs is None else crs.axis_info[0].unit_conversion_factor
        return float(math.sqrt(abs(a.a * a.e - a.b * a.d)) * unit)
    x, y = (k[0] * file.width / 2 + k[1] * file.height / 2 + k[2] for k in (a[:3], a[3:6]))
    geod = Geod(ellps="WGS84")
    return float(math.sqrt(geod.inv(x, y, x + a.a, y)[2] * geod.inv(x, y, x, y + a.e)[2]))
