"""Files of elevation: GeoTIFF, SRTM's .hgt, VRT and folders of them, opened, checked and read in metres."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Transformer
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.io import DatasetReader
from rasterio.windows import Window
from shapely.geometry import MultiPolygon, Polygon

from spatial.errors import InputError

DRIVERS = ("GTiff", "COG", "SRTMHGT", "VRT")
SUFFIXES = (".tif", ".tiff", ".hgt", ".vrt")
UNITS = {"m": 1.0, "ft": 0.3048, "cm": 0.01, "dm": 0.1}
# Land lies between the Dead Sea's shore and Everest; on no land is half of the ground steeper than 45 degrees.
LOWEST_M, HIGHEST_M, STEEPEST = -500.0, 9000.0, 1.0
_TAGGED = {
    **dict.fromkeys(("m", "metre", "meter", "metres", "meters"), "m"),
    **dict.fromkeys(("ft", "foot", "feet", "us survey foot", "us-ft"), "ft"),
    **dict.fromkeys(("cm", "centimetre", "centimeter"), "cm"),
    **dict.fromkeys(("dm", "decimetre", "decimeter"), "dm"),
}
EDGE_POINTS = 21


@dataclass(frozen=True, slots=True)
class ElevationSource:
    """A file of elevation (GeoTIFF, .hgt or VRT; band 1), or a folder of such tiles.

    `vertical_datum` is passed on as stated. `nodata`: a value that means "unknown", besides the file's own tag.
    `unit`: "m", "ft" (0.3048 m), "cm" or "dm"; default what the file's tag says, else metres if they can be.
    """

    path: Path
    vertical_datum: str | None = None
    nodata: float | None = None
    unit: str | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Tile:
    """A file at the city: `footprint` in the city's UTM zone; `pixel_size_m` of its pixels at the city's centre."""

    source: ElevationSource
    crs: CRS
    footprint: Polygon
    pixel_size_m: float
    notes: tuple[str, ...]


def files_of(source: ElevationSource) -> tuple[ElevationSource, ...]:
    """Return a source per file: itself, or one per tile of its folder, in the order of their names.

    Raises
    ------
    InputError
        A folder without any tile; a unit that is not known.
    """
    if source.unit is not None and source.unit not in UNITS:
        raise InputError(source.path, "unit", f"'{source.unit}' is not known", f"known: {', '.join(UNITS)}")
    if not source.path.is_dir():
        return (source,)
    tiles = sorted(path for path in source.path.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not tiles:
        raise InputError(source.path, "folder", "holds no elevation", f"known: {', '.join(SUFFIXES)}")
    return tuple(replace(source, path=path) for path in tiles)


def input_files(source: ElevationSource) -> tuple[Path, ...]:
    """Return every file that a source's values come from: its tiles, and the files that a VRT names."""
    found: dict[Path, None] = {}
    for tile in files_of(source):
        found[tile.path] = None
        if tile.path.suffix.lower() == ".vrt":
            with opened(tile.path) as file:
                found |= dict.fromkeys(Path(name).resolve() for name in file.files if Path(name).is_file())
    return tuple(found)


def tile_of(source: ElevationSource, area_utm: Polygon | MultiPolygon, crs_utm: CRS) -> Tile:
    """Return what is known of a file before its values are read; raises InputError as `opened`."""
    with opened(source.path) as file:
        crs = CRS.from_user_input(file.crs)
        to_utm = Transformer.from_crs(crs, crs_utm, always_xy=True)
        footprint = _footprint(source.path, file, to_utm)
        x, y = to_utm.transform(area_utm.centroid.x, area_utm.centroid.y, direction="INVERSE")
        corners = [(x, y), (x + file.transform.a, y + file.transform.d), (x + file.transform.b, y + file.transform.e)]
        here, right, down = (np.array(to_utm.transform(*corner)) for corner in corners)
        u, v = right - here, down - here
        return Tile(source, crs, footprint, math.sqrt(abs(u[0] * v[1] - u[1] * v[0])), tuple(_notes(source, file)))


def opened(path: Path) -> DatasetReader:
    """Return a file of elevation, opened.

    Raises
    ------
    InputError
        Missing, of another format, without CRS or place; a VRT that reads from elsewhere than files.
    """
    if not path.is_file():
        raise InputError(path, "file", "does not exist", "check the path; it is relative to city.toml")
    if path.suffix.lower() == ".vrt" and (far := re.search(rb"/vsi(?!zip)\w+|\w+://", _sources(path))):
        raise InputError(path, "file", f"reads from {far[0].decode()}", "a VRT may name files beside it only")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            file = rasterio.open(path)
    except RasterioIOError as error:
        hint = "deliver elevation as GeoTIFF, VRT, or .hgt under its own name (S09E115.hgt)"
        raise InputError(path, "file", "is not a GeoTIFF, .hgt or VRT, or is not whole", hint) from error
    problem = None
    if file.driver not in DRIVERS:
        problem = ("file", f"is {file.driver}, not a GeoTIFF, .hgt or VRT", "deliver elevation as GeoTIFF")
    elif file.crs is None:
        problem = ("crs", "the file has no CRS", "write it into the file, e.g. gdal_edit.py -a_srs EPSG:32651")
    elif file.transform.is_identity or file.transform.is_degenerate:
        problem = ("transform", "the file does not say where its pixels lie", "georeference it")
    if problem:
        file.close()
        raise InputError(path, *problem)
    return file


def _sources(path: Path) -> bytes:
    return b"".join(re.findall(rb"<SourceFilename[^>]*>[^<]*<|<SourceDataset[^>]*>[^<]*<", path.read_bytes()))


def values_m(file: DatasetReader, source: ElevationSource, window: Window) -> NDArray[np.float64]:
    """Return a window of band 1 in metres, NaN where unknown.

    Raises
    ------
    InputError
        The file cannot be read to its end, or no unit is stated and the values cannot be metres.
    """
    try:
        band = file.read(1, window=window, masked=True)
    except RasterioIOError as error:
        raise InputError(source.path, "band 1", "cannot be read to its end", "deliver the file again") from error
    values: NDArray[np.float64] = band.astype(np.float64).filled(np.nan) * file.scales[0] + file.offsets[0]
    if source.nodata is not None:
        values[band.data == source.nodata] = np.nan
    unit = source.unit or _tag(file)
    if unit is None:
        _refuse_other_units(source.path, values, _pixel_m(file))
    return values * UNITS[unit or "m"]


def _tag(file: DatasetReader) -> str | None:
    return _TAGGED.get((file.units[0] or "").strip().lower())


def _pixel_m(file: DatasetReader) -> float:
    """Return about how wide a pixel is, in metres; of degrees, at the equator (no pixel is wider elsewhere)."""
    side = math.sqrt(abs(file.transform.a * file.transform.e - file.transform.b * file.transform.d))
    return side * (111_320.0 if file.crs.is_geographic else file.crs.linear_units_factor[1])


def _refuse_other_units(path: Path, values: NDArray[np.float64], pixel_m: float) -> None:
    """Raise InputError where values without a stated unit cannot be metres."""
    if not np.isfinite(values).any():
        return
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    hint = 'state unit = "m", "ft", "cm" or "dm" in [[elevation]], or nodata'
    if low < LOWEST_M or high > HIGHEST_M:
        raise InputError(path, "unit", f"none is stated, and {low:g} to {high:g} cannot be metres", hint)
    steps = np.concatenate([np.abs(np.diff(values, axis=axis)).ravel() for axis in (0, 1)])
    steps = steps[np.isfinite(steps) & (steps > 0)]
    median = float(np.median(steps)) if steps.size else 0.0
    if median > STEEPEST * pixel_m and high - low > pixel_m:
        problem = (
            f"none is stated, and half of the steps between pixels of {pixel_m:.3g} m are over {median:.3g}: "
            f"{low:g} to {high:g} cannot be metres"
        )
        raise InputError(path, "unit", problem, hint)


def _notes(source: ElevationSource, file: DatasetReader) -> list[str]:
    name, notes = source.path.name, []
    if file.count > 1:
        notes.append(f"{name}: has {file.count} bands, band 1 is read")
    if file.nodata is None and source.nodata is None:
        notes.append(f"{name}: has no nodata tag, every pixel is taken as measured")
    if (file.scales[0], file.offsets[0]) != (1.0, 0.0):
        notes.append(f"{name}: scale {file.scales[0]} and offset {file.offsets[0]} of band 1 are applied")
    tagged = _tag(file)
    unit = source.unit or tagged or "m"
    if unit != "m":
        notes.append(f"{name}: {unit} are converted to metres ({'stated' if source.unit else 'by the tag of band 1'})")
    if source.unit and tagged and source.unit != tagged:
        notes.append(f"{name}: the tag of band 1 says {tagged}, the setting {unit} counts")
    return notes


def _footprint(path: Path, file: DatasetReader, to_utm: Transformer) -> Polygon:
    steps = np.linspace(0.0, 1.0, EDGE_POINTS)[:-1]
    ring = [(s, 0.0) for s in steps] + [(1.0, s) for s in steps] + [(1 - s, 1.0) for s in steps]
    ring += [(0.0, 1 - s) for s in steps]
    columns, rows = np.array(ring).T * np.array([[file.width], [file.height]])
    x, y = place(file.transform, columns, rows)
    shape = Polygon(np.column_stack(to_utm.transform(x, y)))
    if not np.isfinite(shape.bounds).all():
        raise InputError(path, "crs", "the file reaches where the city's UTM zone does not", "cut the file to the city")
    return shape


def place(transform: Affine, columns: ArrayLike, rows: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y of pixel coordinates."""
    c, r = np.asarray(columns, float), np.asarray(rows, float)
    return transform.a * c + transform.b * r + transform.c, transform.d * c + transform.e * r + transform.f


def vertical_datums(sources: Sequence[ElevationSource]) -> tuple[str, ...]:
    """Return the distinct vertical datums that are stated."""
    return tuple(dict.fromkeys(s.vertical_datum for s in sources if s.vertical_datum))
