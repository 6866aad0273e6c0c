"""What given files are, and a `city.toml` that says so: every line with its evidence, every doubt as a question.

Nothing is decided in silence: a setting is active only where the values of the file speak for it; what is doubtful is
written as a comment, or active and marked, and is listed among the questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import shapely

from spatial.errors import InputError
from spatial.propose.layers import RASTERS, bounds_of, propose_lines, propose_polygons, propose_raster
from spatial.propose.model import FileProposal, Proposal, Setting
from spatial.propose.places import indonesian_zone
from spatial.propose.render import as_lines, as_toml
from spatial.propose.reports import propose_points
from spatial.sources.formats import POINT_FORMATS, RawTable, read_raw
from spatial.sources.taxonomy import load_taxonomy
from spatial.sources.vectors import VECTOR_FORMATS, is_osm, read_vectors

__all__ = ["FileProposal", "Proposal", "Setting", "as_lines", "as_toml", "propose", "propose_file"]

_WIDE_DEG = 2.0
_DELIMITERS = (";", "\t", "|")


def propose(files: Sequence[Path], name: str) -> Proposal:
    """Look at files and return what a city of them would be.

    Parameters
    ----------
    files : at least one; any kind of input.
    name : of the city, until a person says better.

    Raises
    ------
    InputError
        A file is missing, empty, or cannot be read at all.
    """
    found = tuple(proposed for path in files for proposed in propose_file(path))
    return Proposal(_city(found, name), _area(found), tuple(_apart(file, found) for file in found))


def _apart(file: FileProposal, files: Sequence[FileProposal]) -> FileProposal:
    """Ask about a file that lies apart from all others: another city, a wrong CRS, or longitude for latitude."""
    others = [other.bounds for other in files if other.path != file.path and other.bounds]
    if not file.bounds or not others:
        return file
    here, rest = shapely.box(*file.bounds), shapely.union_all([shapely.box(*box) for box in others])
    if here.intersects(rest):
        return file
    west, south, east, north = file.bounds
    ask = "tidak bertemu berkas lain: kota lain, CRS salah? / does not meet the other files: another city, wrong CRS?"
    if shapely.box(south, west, north, east).intersects(rest):
        ask = "bujur dan lintang tertukar? Bila ditukar, bertemu berkas lain / swapped? If swapped, it meets the others"
    return replace(file, questions=(*file.questions, ask))


def propose_file(path: Path) -> list[FileProposal]:
    """Return what one file is; an OSM PBF may be both roads and lamps. Raises InputError where it cannot be read."""
    if not path.is_file():
        raise InputError(path, "file", "does not exist", "check the path")
    suffix = path.suffix.lower()
    if suffix in RASTERS:
        return [propose_raster(path)]
    if is_osm(path):
        return _pbf(path)
    points = any(suffix in known.suffixes for known in POINT_FORMATS)
    if any(suffix in known.suffixes for known in VECTOR_FORMATS) and (proposed := _vectors(path, points)):
        return [proposed]
    if not points or (suffix == ".txt" and _is_prose(path)):
        ask = f"jenis berkas tak dikenal / unknown kind of file: {suffix or path.name}"
        return [FileProposal(path, "unknown", (), (), (ask,))]
    raw, settings = _table(path)
    proposed = propose_points(path, raw, load_taxonomy())
    return [replace(proposed, settings=(*settings, *proposed.settings))]


def _is_prose(path: Path) -> bool:
    """Tell a text for people from a table: it cannot be read as one, or has fewer than three columns."""
    try:
        return len(_table(path)[0].frame.columns) < 3
    except InputError:
        return True


def _vectors(path: Path, points: bool) -> FileProposal | None:
    """Return what a file of lines or polygons is; None for points and tables."""
    try:
        table = read_vectors(path)
    except InputError:
        if points:
            return None
        raise
    kinds = table.geometry.geom_type.value_counts()
    ends = ("LineString", "olygon")
    lines, areas = (sum(int(n) for kind, n in kinds.items() if str(kind).endswith(end)) for end in ends)
    if lines > 0.5 * len(table):
        return propose_lines(path, table)
    if areas > 0.5 * len(table):
        return propose_polygons(path, table)
    if points:
        return None
    ask = "titik dalam format ini: lampu atau laporan? / points in this format: lamps or reports?"
    return FileProposal(path, "unknown", (f"{len(table):,} titik / points",), (), (ask,), bounds_of(table))


def _pbf(path: Path) -> list[FileProposal]:
    found = []
    roads = read_vectors(path, "lines", "highway is not null")
    told = f"OSM: {len(roads):,} jalan / ways with `highway`"
    found.append(FileProposal(path, "roads", (told,), (), (), bounds_of(roads)))
    try:
        lamps = read_vectors(path, "points", "highway = 'street_lamp'")
    except InputError:
        return found
    told = f"OSM: {len(lamps):,} simpul / nodes `highway=street_lamp`"
    return [*found, FileProposal(path, "lamps", (told,), (), (), bounds_of(lamps))]


def _table(path: Path) -> tuple[RawTable, tuple[Setting, ...]]:
    """Return a table; where the usual delimiter leaves one column, with the one that parts it into most."""
    raw = read_raw(path)
    if raw.points is None and len(raw.frame.columns) == 1:
        header = str(raw.frame.columns[0])
        best = max(_DELIMITERS, key=header.count)
        if header.count(best):
            raw = read_raw(path, None, best)
            return raw, (Setting("delimiter", best, f"{header.count(best) + 1} kolom / columns"),)
    return raw, ()


def _city(files: Sequence[FileProposal], name: str) -> tuple[Setting, ...]:
    settings = [Setting("name", name, "nama folder / the folder's name")]
    pixels = [f.pixel_size_m for f in files if f.pixel_size_m]
    if pixels:
        size = min(pixels)
        resolution = 10 if size <= 12 else 9 if size <= 45 else 8
        settings.append(Setting("resolution", resolution, f"piksel elevasi / pixel of the elevation: {size:.1f} m"))
    else:
        settings.append(Setting("resolution", 9, "tanpa elevasi: bawaan / no elevation: the default"))
    return (*settings, *_time_zone(files), *_attribution(files))


def _time_zone(files: Sequence[FileProposal]) -> list[Setting]:
    """Ask for the time zone of times without one; in Indonesia the longitude proposes it."""
    told = "; ".join(row for file in files for row in file.zoneless)
    if not told:
        return []
    ask = "zona waktu apa? / which time zone are the times in?"
    boxes = [f.bounds for f in files if f.bounds and f.zoneless] or [f.bounds for f in files if f.bounds]
    zones = {indonesian_zone(box) for box in boxes}
    zone = zones.pop() if len(zones) == 1 else None
    if zone and boxes:
        west, east = min(b[0] for b in boxes), max(b[2] for b in boxes)
        where = f"bujur / longitude {west:.2f} … {east:.2f}: {zone[1]}"
        return [Setting("time_zone", zone[0], f"{told}; {where}", f"benar {zone[1]}, bukan UTC? / is it, not UTC?")]
    return [Setting("time_zone", "UTC", told, f"{ask} Asia/Jakarta | Asia/Makassar | Asia/Jayapura | …", active=False)]


def _attribution(files: Sequence[FileProposal]) -> list[Setting]:
    osm = [f.path.name for f in files if is_osm(f.path)]
    if osm:
        return [Setting("attribution", ("© OpenStreetMap contributors, ODbL 1.0",), f"{osm[0]}: OSM PBF")]
    ask = "siapa pemilik data, apa lisensinya? / whose are the data, under which licence?"
    return [Setting("attribution", ("© …",), "", ask, active=False)]


def _area(files: Sequence[FileProposal]) -> tuple[Setting, ...]:
    """Return the boundary where one is given, else the hull of reports or roads; ask where they lie far apart."""
    boundaries = [f for f in files if f.kind == "boundary"]
    if boundaries:
        ask = "beberapa batas / several boundaries" if len(boundaries) > 1 else None
        return (Setting("file", str(boundaries[0].path), boundaries[0].evidence[-1], ask, active=ask is None),)
    kinds = {f.kind for f in files}
    chosen = next((kind for kind in ("reports", "roads") if kind in kinds), None)
    if chosen is None:
        ask = "wilayah kota? / what is the city's area? barat, selatan, timur, utara / west, south, east, north"
        return (Setting("bbox", (0.0, 0.0, 0.0, 0.0), "", ask, active=False),)
    boxes = [shapely.box(*f.bounds) for f in files if f.kind == chosen and f.bounds]
    if not boxes:
        ask = "letak data belum pasti / where the data lie is not certain"
        return (Setting("hull_of", chosen, "", ask, active=False),)
    west, south, east, north = shapely.union_all(boxes).bounds
    told = f"98 % di antara / of it within {west:.3f}, {south:.3f} … {east:.3f}, {north:.3f}"
    if max(east - west, north - south) > _WIDE_DEG:
        ask = f"lebih dari satu kota: {chosen} tersebar / more than one city: {chosen} are spread over degrees"
        return (Setting("hull_of", chosen, told, ask, active=False),)
    return (Setting("hull_of", chosen, told),)
