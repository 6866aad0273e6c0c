"""Street lamps of a city: an inventory of points, or OSM nodes with highway=street_lamp."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from spatial.errors import InputError
from spatial.sources.columns import Columns
from spatial.sources.coordinates import locate
from spatial.sources.formats import read_raw
from spatial.sources.geo_points import as_points
from spatial.sources.ledger import Ledger
from spatial.sources.raw import RawTable
from spatial.sources.roads import geometry_hashes
from spatial.sources.times import parse_time
from spatial.sources.vectors import check_mapping, is_osm, read_vectors

COLUMNS = ("lamp_id", "panel_id", "kind", "owner", "warranty_until", "lon", "lat")
NOTHING = ("-", "--", "?", "n/a", "na", "null", "none", "tidak ada", "tidak diketahui", "belum ada", "kosong")
KINDS: Mapping[str, str] = {
    **dict.fromkeys(("wired", "pju", "listrik", "jaringan", "kabel", "pln", "grid", "mains"), "wired"),
    **dict.fromkeys(("solar", "pjuts", "surya", "tenaga surya", "panel surya", "plts", "off-grid"), "solar"),
}


@dataclass(frozen=True, slots=True)
class LampSource:
    """One file of lamps: points in any of `POINT_FORMATS` (`layer` where there are several), OSM PBF or XML.

    `columns` maps `lamp_id, panel_id, kind, owner, warranty_until, lon, lat` to columns of the file; without, those of
    the same names are taken. A kind is one of the words of `KINDS`; a warranty ends on a date, ISO 8601.
    """

    path: Path
    layer: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class LampTable:
    """Lamps of one file; `rows_in == len(lamps) + len(quarantine)`.

    `lamps`: points in EPSG:4326, longitude first; columns `lamp_id` (unique string), `panel_id` (string), `kind`
    ("wired" or "solar"), `owner` (string), `warranty_until` (datetime64[ms, UTC], the start of its last day), all null
    where unknown, and `source` ("inventory" or "osm"). `quarantine`: see `quarantine.quarantine_table`. `unknown`:
    words of kind and warranty that say nothing here, with how many lamps bear them; the lamp stays, with a null.
    """

    lamps: gpd.GeoDataFrame
    quarantine: pd.DataFrame
    rows_in: int
    unknown: Mapping[str, int] = field(default_factory=dict)


def read_lamps(source: LampSource) -> LampTable:
    """Read one file of lamps.

    Ids are the source's (`node/<id>` of OSM), else `geom/<16 hex digits>` of the point; a repeated one is refused.

    Raises
    ------
    InputError
        Missing, cut off or unreadable file, no CRS, no coordinates, a named column that does not exist, no lamps.
    """
    check_mapping(source.path, source.columns, COLUMNS)
    osm = is_osm(source.path)
    raw = _osm(source.path) if osm else read_raw(source.path, layer=source.layer)
    if raw.frame.empty:
        raise InputError(source.path, "geometry", "no points in the file", "deliver lamps as points")
    mapping = {"lamp_id": "osm_id"} if osm else source.columns
    columns = Columns(source.path, raw, mapping, COLUMNS)
    ledger = Ledger(source.path, raw)
    placed = locate(ledger, columns.points(), columns.point_names(), columns.crs(None))
    points = gpd.GeoSeries(gpd.points_from_xy(placed["lon"], placed["lat"]), index=placed.index, crs="EPSG:4326")
    hashes = pd.Series(geometry_hashes(points.to_numpy()), index=placed.index, dtype=object)
    ids = columns.texts("lamp_id")
    ids = "node/" + ids if osm else ids.where(ids.notna(), "geom/" + hashes)
    ledger.refuse_repeats(ids, columns.name("lamp_id"))
    words, ends, panels, owners = (_told(columns.texts(n)) for n in ("kind", "warranty_until", "panel_id", "owner"))
    kinds = words.map({word: KINDS.get(word.lower()) for word in words.dropna().unique()})
    until = ends.map({told: parse_time(told, UTC) for told in ends.dropna().unique()})
    kept = ledger.kept()
    lost = Counter([*words[words.notna() & kinds.isna()], *ends[ends.notna() & until.isna()]])
    texts = {"lamp_id": ids, "panel_id": panels, "kind": kinds, "owner": owners}
    table = pd.DataFrame(texts, dtype="string").loc[kept]
    table["warranty_until"] = pd.Series(list(until[kept]), index=kept, dtype="datetime64[ms, UTC]")
    table["source"] = pd.Series("osm" if osm else "inventory", index=kept, dtype="string")
    lamps = gpd.GeoDataFrame(table, geometry=points[kept], crs="EPSG:4326").reset_index(drop=True)
    return LampTable(lamps, ledger.table(ids), raw.rows_in, dict(lost))


def _told(texts: pd.Series[Any]) -> pd.Series[Any]:
    """Return texts, None where they only say that nothing is known."""
    said = [None if text is None or text.lower() in NOTHING else text for text in texts]
    return pd.Series(said, index=texts.index, dtype=object)


def _osm(path: Path) -> RawTable:
    features = read_vectors(path, "points", "highway = 'street_lamp'")
    return as_points(path, pd.DataFrame(features.drop(columns=features.geometry.name)), features.geometry)
