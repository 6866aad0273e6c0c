"""What crosses module borders: the columns of every published layer, the raster, the enumerations, progress.

All geometry of a layer is CRS84 (longitude, latitude, degrees); every time is UTC; metres are in the city's UTM zone.
Property order is the order of `Layer.columns`. What is not known is null, and the version's manifest says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import geopandas as gpd
import numpy as np
import pandas as pd
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

from spatial.errors import ContractError

Kind = Literal["string", "integer", "number", "datetime", "json"]
GeometryType = Literal["Point", "LineString", "MultiLineString", "Polygon", "MultiPolygon"]

CATEGORIES = ("waste", "street_light", "flood", "drainage", "tree", "mobility", "road", "social_aid", "other")
CATEGORY_LABELS: Mapping[str, tuple[str, str]] = {
    "waste": ("sampah", "waste"),
    "street_light": ("PJU rusak", "broken street light"),
    "flood": ("banjir", "flood"),
    "drainage": ("drainase", "drainage"),
    "tree": ("tanaman bermasalah", "problem tree"),
    "mobility": ("mobilitas dan akses", "mobility and access"),
    "road": ("jalan rusak", "damaged road"),
    "social_aid": ("bantuan sosial", "social aid"),
    "other": ("lainnya", "other"),
}
STATUSES = ("open", "closed")
QUALITY_FLAGS = ("duplicate", "default_location", "outside_area", "time_unknown", "location_rounded")
CLASSES = ("low", "medium", "high")
SEVERITIES = ("low", "medium", "high")
TRENDS = ("rising", "steady", "falling")
CAUSES = ("circuit", "independent", "unknown")
CHANGES = ("new", "grown", "shrunk", "split", "merged", "unchanged")
EXPOSURE_BASES = ("background_reports", "road_length_m", "lit_road_length_m", "lamps", "none")
ZONE_TYPES = ("flood", "lighting")


@dataclass(frozen=True, slots=True)
class Column:
    """One property of a layer: its type, unit, range, enumeration and its label in Indonesian and English."""

    name: str
    kind: Kind
    title_id: str
    title_en: str
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] | None = None
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Layer:
    """A stored table behind a collection. `columns` starts with the id; `temporal` names its datetime column."""

    name: str
    geometry: GeometryType
    title_id: str
    title_en: str
    columns: tuple[Column, ...]
    temporal: str | None = None

    @property
    def id_column(self) -> str:
        """Name of the column that identifies a feature."""
        return self.columns[0].name

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in their published order, the id first."""
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True, eq=False, slots=True)
class Raster:
    """A single-band raster: `values` is (rows, columns), NaN where unknown; `transform` maps (column, row) to x, y."""

    values: NDArray[np.floating[Any]]
    transform: Affine
    crs: CRS

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or not np.issubdtype(self.values.dtype, np.floating):
            raise ContractError(f"a raster is a 2-D array of floats, not {self.values.ndim}-D {self.values.dtype}")

    @property
    def pixel_size_m(self) -> float:
        """Side of a pixel in units of the CRS (metres in a UTM zone)."""
        return abs(float(self.transform.a))


class Progress(Protocol):
    """Told of what a long job does: `stage` opens a stage, `note` says a line that the person should see."""

    def stage(self, name: str, title: str) -> None:
        """Start the stage `name`; `title` is for people."""

    def note(self, text: str) -> None:
        """Say one line."""


class Silent:
    """A `Progress` that says nothing."""

    def stage(self, name: str, title: str) -> None:
        """Ignore the stage."""

    def note(self, text: str) -> None:
        """Ignore the line."""


def _s(name: str, title_id: str, title_en: str, **more: Any) -> Column:
    return Column(name, "string", title_id, title_en, **more)


def _i(name: str, title_id: str, title_en: str, **more: Any) -> Column:
    return Column(name, "integer", title_id, title_en, minimum=0, **more)


def _n(name: str, title_id: str, title_en: str, unit: str | None = None, **more: Any) -> Column:
    return Column(name, "number", title_id, title_en, unit=unit, **more)


def _share(name: str, title_id: str, title_en: str) -> Column:
    return _n(name, title_id, title_en, minimum=0.0, maximum=1.0)


def _length(name: str, title_id: str, title_en: str) -> Column:
    return _n(name, title_id, title_en, "m", minimum=0.0)


def _t(name: str, title_id: str, title_en: str) -> Column:
    return Column(name, "datetime", title_id, title_en)


_KELURAHAN = _s("kelurahan", "Kelurahan", "Kelurahan (urban village)")
_KECAMATAN = _s("kecamatan", "Kecamatan", "Kecamatan (district)")
_AREA_ID = _s("area_id", "Kode wilayah (Kemendagri)", "Area code (Kemendagri)")
_EXPLANATION = (
    Column("explanation_parts", "json", "Bagian skor", "Parts of the score"),
    _s("explanation_id", "Penjelasan", "Explanation (Indonesian)"),
    _s("explanation_en", "Penjelasan (Inggris)", "Explanation (English)"),
)

REPORTS = Layer(
    "reports",
    "Point",
    "Laporan warga",
    "Citizen reports",
    temporal="requested_datetime",
    columns=(
        _s("report_id", "ID laporan", "Report id", nullable=False),
        _s("source", "Sumber", "Source", nullable=False),
        _s("category", "Kategori", "Category", values=CATEGORIES, nullable=False),
        _s("category_raw", "Kategori asli", "Category as reported"),
        _s("description", "Uraian", "Description"),
        _s("status", "Status", "Status", values=STATUSES),
        _t("requested_datetime", "Waktu laporan", "Reported at"),
        _t("updated_datetime", "Waktu pembaruan", "Updated at"),
        _t("resolved_datetime", "Waktu selesai", "Resolved at"),
        _n("depth_m", "Kedalaman genangan", "Flood depth", "m", minimum=0.0),
        _s("quality", "Catatan mutu", "Quality flags"),
        _s("duplicate_of", "Duplikat dari", "Duplicate of"),
        _s("incident_id", "ID kejadian", "Incident id"),
        _s("cell", "Sel H3", "H3 cell"),
        _KELURAHAN,
        _KECAMATAN,
        _AREA_ID,
        _s("road_id", "ID jalan terdekat", "Nearest road id"),
        _length("road_distance_m", "Jarak ke jalan", "Distance to road"),
    ),
)

HEXAGONS = Layer(
    "hexagons",
    "Polygon",
    "Sel heksagon",
    "Hexagon cells",
    columns=(
        _s("cell", "Sel H3", "H3 cell", nullable=False),
        Column("resolution", "integer", "Resolusi H3", "H3 resolution", minimum=0, maximum=15, nullable=False),
        _KELURAHAN,
        _KECAMATAN,
        _AREA_ID,
        _i("reports_total", "Jumlah laporan", "Reports"),
        *(
            _i(f"reports_{name}", f"Laporan: {CATEGORY_LABELS[name][0]}", f"Reports: {CATEGORY_LABELS[name][1]}")
            for name in CATEGORIES
        ),
        _i("incidents_flood", "Kejadian banjir", "Flood incidents"),
        _i("incidents_lighting", "Kejadian PJU padam (terbuka)", "Lighting incidents (open)"),
        _n("exposure", "Paparan pelaporan", "Reporting exposure", minimum=0.0),
        _s("exposure_basis", "Dasar paparan", "Exposure basis", values=EXPOSURE_BASES),
        _n("report_rate", "Laju laporan", "Report rate", "reports per km of road", minimum=0.0),
        _n("flood_gi_z", "Gi* banjir (z)", "Flood Gi* (z)"),
        _share("flood_gi_q", "Gi* banjir (q)", "Flood Gi* (q)"),
        _n("lighting_gi_z", "Gi* PJU (z)", "Lighting Gi* (z)"),
        _share("lighting_gi_q", "Gi* PJU (q)", "Lighting Gi* (q)"),
        _length("road_length_m", "Panjang jalan", "Road length"),
        _length("road_length_major_m", "Panjang jalan utama", "Major road length"),
        _length("lit_road_length_m", "Panjang jalan berlampu", "Lit road length"),
        _i("lamps_total", "Jumlah lampu", "Lamps"),
        _n("elevation_mean_m", "Elevasi rata-rata", "Mean elevation", "m"),
        _n("elevation_min_m", "Elevasi terendah", "Lowest elevation", "m"),
        _n("slope_mean_deg", "Lereng rata-rata", "Mean slope", "deg", minimum=0.0, maximum=90.0),
        _length("hand_mean_m", "HAND rata-rata", "Mean HAND"),
        _length("hand_min_m", "HAND terendah", "Lowest HAND"),
        _n("twi_mean", "TWI rata-rata", "Mean TWI"),
        _length("depression_depth_max_m", "Kedalaman cekungan", "Deepest depression"),
        _share("depression_frequency", "Kekerapan cekungan", "Depression frequency"),
        _share("flood_susceptibility", "Kerentanan banjir", "Flood susceptibility"),
        _share("flood_evidence", "Bukti banjir", "Flood evidence"),
        _share("flood_evidence_low", "Bukti banjir (batas bawah)", "Flood evidence (low)"),
        _share("flood_evidence_high", "Bukti banjir (batas atas)", "Flood evidence (high)"),
        _share("flood_score", "Skor banjir", "Flood score"),
        _s("flood_class", "Kelas banjir", "Flood class", values=CLASSES),
        _share("lighting_score", "Skor PJU", "Lighting score"),
        _s("lighting_class", "Kelas PJU", "Lighting class", values=CLASSES),
        _share("silence", "Peluang tidak ada yang melapor", "Silence"),
        *_EXPLANATION,
    ),
)

ROADS = Layer(
    "roads",
    "MultiLineString",
    "Jalan",
    "Roads",
    columns=(
        _s("road_id", "ID jalan", "Road id", nullable=False),
        _s("highway", "Kelas jalan (OSM)", "Road class (OSM)"),
        _s("name", "Nama jalan", "Road name"),
        _s("lit", "Penerangan (OSM)", "Lit (OSM)"),
        _length("length_m", "Panjang", "Length"),
        _share("flood_susceptibility_max", "Kerentanan banjir tertinggi", "Highest flood susceptibility"),
        _length("flood_length_m", "Panjang dalam zona banjir", "Length in flood zones"),
        _s("flood_zone_ids", "Zona banjir", "Flood zones"),
        _s("lighting_zone_ids", "Zona PJU", "Lighting zones"),
    ),
)


def _zone_columns(*own: Column) -> tuple[Column, ...]:
    return (
        _s("zone_id", "ID zona", "Zone id", nullable=False),
        _s("zone_type", "Jenis zona", "Zone type", values=ZONE_TYPES, nullable=False),
        _s("severity", "Tingkat", "Severity", values=SEVERITIES, nullable=False),
        _share("score", "Skor", "Score"),
        _share("p_value", "Nilai p", "p-value"),
        _i("n_reports", "Jumlah laporan", "Reports"),
        _i("n_incidents", "Jumlah kejadian", "Incidents"),
        _i("n_cells", "Jumlah sel", "Cells"),
        _n("area_km2", "Luas", "Area", "km2", minimum=0.0),
        _length("road_length_m", "Panjang jalan", "Road length"),
        _KELURAHAN,
        _KECAMATAN,
        _AREA_ID,
        _t("first_report", "Laporan pertama", "First report"),
        _t("last_report", "Laporan terakhir", "Last report"),
        _s("trend", "Tren", "Trend", values=TRENDS),
        _s("change", "Perubahan", "Change", values=CHANGES),
        Column("priority_rank", "integer", "Peringkat prioritas", "Priority rank", minimum=1),
        *_EXPLANATION,
        _s("version", "Versi", "Version", nullable=False),
        *own,
    )


FLOOD_ZONES = Layer(
    "flood_zones",
    "MultiPolygon",
    "Zona rawan banjir",
    "Flood-risk zones",
    temporal="last_report",
    columns=_zone_columns(
        _share("susceptibility_mean", "Kerentanan rata-rata", "Mean susceptibility"),
        _length("hand_min_m", "HAND terendah", "Lowest HAND"),
        _length("depression_depth_max_m", "Kedalaman cekungan", "Deepest depression"),
        _share("depression_frequency", "Kekerapan cekungan", "Depression frequency"),
        _n("rain_to_fill_mm", "Hujan pengisi cekungan", "Rain to fill", "mm", minimum=0.0),
    ),
)

LIGHTING_ZONES = Layer(
    "lighting_zones",
    "MultiPolygon",
    "Zona PJU padam",
    "Lighting-outage zones",
    temporal="last_report",
    columns=_zone_columns(
        _i("lamps_affected", "Lampu padam", "Lamps affected"),
        _i("lamps_total", "Lampu dalam zona", "Lamps in zone"),
        _length("lit_road_length_m", "Panjang jalan berlampu", "Lit road length"),
        _s("cause", "Dugaan penyebab", "Probable cause", values=CAUSES),
        _share("cause_probability", "Peluang penyebab", "Cause probability"),
        _s("panel_id", "ID panel", "Panel id"),
    ),
)


def checked(layer: Layer, table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return `table` with exactly the layer's columns in their order, plus geometry; every value checked.

    Parameters
    ----------
    table : GeoDataFrame in CRS84 or EPSG:4326 with longitude first. A column that is missing is filled with null.

    Raises
    ------
    ContractError
        Unknown column, wrong geometry type or CRS, null or repeated id, value outside its range or enumeration.
    """
    problems = list(_problems(layer, table))
    if problems:
        raise ContractError(f"layer {layer.name}: " + "; ".join(problems))
    columns = {c.name: _typed(table[c.name], c) if c.name in table else _empty(c, table.index) for c in layer.columns}
    return gpd.GeoDataFrame(columns, geometry=table.geometry.to_numpy(), index=table.index, crs="EPSG:4326")


def _problems(layer: Layer, table: gpd.GeoDataFrame) -> Iterator[str]:
    unknown = [str(c) for c in table.columns if c not in layer.names and c != table.geometry.name]
    if unknown:
        yield f"unknown columns {unknown}"
    if table.crs is None or (table.crs.to_epsg() != 4326 and table.crs != CRS("OGC:CRS84")):
        yield f"CRS is {table.crs}, expected CRS84"
    if layer.id_column not in table:
        yield f"no id column {layer.id_column}"
    elif not table[layer.id_column].is_unique:
        yield f"ids repeat: {table.loc[table[layer.id_column].duplicated(), layer.id_column].head(3).tolist()}"
    wrong = set(table.geom_type.dropna()) - {layer.geometry}
    if wrong or table.geometry.isna().any():
        yield f"geometry is {sorted(wrong) or 'null'}, expected {layer.geometry}"
    for column in layer.columns:
        if column.name in table:
            yield from _column_problems(column, table[column.name])
        elif not column.nullable:
            yield f"{column.name} is missing"


def _column_problems(column: Column, values: pd.Series[Any]) -> Iterator[str]:
    known = values.dropna()
    if not column.nullable and len(known) < len(values):
        yield f"{column.name} has {len(values) - len(known)} nulls"
    if column.values is not None and not known.isin(column.values).all():
        yield f"{column.name} has values outside {column.values}: {sorted(set(known) - set(column.values))[:3]}"
    if column.kind in ("integer", "number") and len(known):
        numbers = known.astype(float)
        if not np.isfinite(numbers).all():
            yield f"{column.name} is not finite"
        if column.minimum is not None and numbers.min() < column.minimum:
            yield f"{column.name} has {numbers.min()}, below {column.minimum}"
        if column.maximum is not None and numbers.max() > column.maximum:
            yield f"{column.name} has {numbers.max()}, above {column.maximum}"


_DTYPES: Mapping[Kind, Any] = {
    "string": "string",
    "json": "string",
    "integer": "Int64",
    "number": "float64",
    "datetime": "datetime64[ms, UTC]",
}


def _typed(values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    if column.kind == "datetime":
        values = pd.to_datetime(values, utc=True)
    typed: pd.Series[Any] = values.astype(_DTYPES[column.kind])
    return typed


def _empty(column: Column, index: pd.Index[Any]) -> pd.Series[Any]:
    return _typed(pd.Series([None] * len(index), index=index, dtype="object"), column)
