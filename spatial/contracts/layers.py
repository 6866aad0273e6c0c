"""The published layers: their columns with types, units, ranges, enumerations and bilingual titles."""

from __future__ import annotations

from typing import Any

from spatial.contracts.enumerations import (
    CATEGORIES,
    CATEGORY_LABELS,
    CAUSES,
    CHANGES,
    CLASSES,
    EXPOSURE_BASES,
    SEVERITIES,
    STATUSES,
    TRENDS,
    ZONE_TYPES,
)
from spatial.contracts.model import Column, Layer


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
        _i("buildings_total", "Jumlah bangunan", "Buildings"),
        _i("facilities_total", "Jumlah fasilitas", "Facilities"),
        _n("elevation_mean_m", "Elevasi rata-rata", "Mean elevation", "m"),
        _n("elevation_min_m", "Elevasi terendah", "Lowest elevation", "m"),
        _n("slope_mean_deg", "Lereng rata-rata", "Mean slope", "deg", minimum=0.0, maximum=90.0),
        _length("hand_mean_m", "HAND rata-rata", "Mean HAND"),
        _length("hand_min_m", "HAND terendah", "Lowest HAND"),
        _n("twi_mean", "TWI rata-rata", "Mean TWI"),
        _n("gfi_mean", "GFI rata-rata (metode BNPB)", "Mean GFI (BNPB's method)"),
        _n("gfi_disagreement", "Beda peringkat dari GFI", "Rank difference from GFI", minimum=-1.0, maximum=1.0),
        _share("edge_fed_share", "Bagian dengan hulu terpotong", "Share with a catchment cut by the data's edge"),
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
        _i("buildings_exposed", "Bangunan di dalam zona", "Buildings in the zone"),
        _i("facilities_exposed", "Fasilitas di dalam zona", "Facilities in the zone"),
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

_KIND = _s("kind", "Jenis", "Kind")
_NAME = _s("name", "Nama", "Name")
_FLOOD_ZONE_IDS = _s("flood_zone_ids", "Zona banjir", "Flood zones")
_LIGHTING_ZONE_IDS = _s("lighting_zone_ids", "Zona PJU", "Lighting zones")

STREAMS = Layer(
    "streams",
    "LineString",
    "Jaringan sungai dari medan",
    "Streams from terrain",
    columns=(
        _s("stream_id", "ID alur", "Stream id", nullable=False),
        _n("upstream_area_km2", "Luas hulu", "Upstream area", "km2", minimum=0.0),
        _length("length_m", "Panjang", "Length"),
    ),
)

CATCHMENTS = Layer(
    "catchments",
    "MultiPolygon",
    "Daerah tangkapan air",
    "Catchments",
    columns=(
        _s("catchment_id", "ID daerah tangkapan", "Catchment id", nullable=False),
        _n("area_km2", "Luas", "Area", "km2", minimum=0.0),
        _s("outlet", "Titik keluar (bujur, lintang)", "Outlet (longitude, latitude)"),
    ),
)

WATERWAYS = Layer(
    "waterways",
    "LineString",
    "Saluran dan sungai terpetakan",
    "Mapped waterways",
    columns=(
        _s("waterway_id", "ID saluran", "Waterway id", nullable=False),
        _KIND,
        _NAME,
        _length("length_m", "Panjang", "Length"),
    ),
)

BUILDINGS = Layer(
    "buildings",
    "MultiPolygon",
    "Bangunan",
    "Buildings",
    columns=(
        _s("building_id", "ID bangunan", "Building id", nullable=False),
        _KIND,
        _NAME,
        _n("area_m2", "Luas tapak", "Footprint", "m2", minimum=0.0),
        _s("cell", "Sel H3", "H3 cell"),
        _share("flood_susceptibility", "Kerentanan banjir sel", "Flood susceptibility of the cell"),
        _FLOOD_ZONE_IDS,
    ),
)

FACILITIES = Layer(
    "facilities",
    "Point",
    "Sekolah, rumah sakit, puskesmas",
    "Schools, hospitals, clinics",
    columns=(
        _s("facility_id", "ID fasilitas", "Facility id", nullable=False),
        _KIND,
        _NAME,
        _s("cell", "Sel H3", "H3 cell"),
        _share("flood_susceptibility", "Kerentanan banjir sel", "Flood susceptibility of the cell"),
        _FLOOD_ZONE_IDS,
        _LIGHTING_ZONE_IDS,
    ),
)

STREET_LAMPS = Layer(
    "street_lamps",
    "Point",
    "Lampu jalan",
    "Street lamps",
    columns=(
        _s("lamp_id", "ID lampu", "Lamp id", nullable=False),
        _s("panel_id", "ID panel", "Panel id"),
        _s("source", "Asal data", "Where it comes from", nullable=False),
        _s("cell", "Sel H3", "H3 cell"),
        _LIGHTING_ZONE_IDS,
    ),
)

ADMIN_AREAS = Layer(
    "admin_areas",
    "MultiPolygon",
    "Kelurahan dan kecamatan",
    "Administrative areas",
    columns=(
        _s("area_id", "Kode wilayah (Kemendagri)", "Area code (Kemendagri)", nullable=False),
        _s("level", "Tingkat", "Level", nullable=False),
        _s("name", "Nama", "Name", nullable=False),
        _i("reports_total", "Jumlah laporan", "Reports"),
        *(
            _i(f"reports_{name}", f"Laporan: {CATEGORY_LABELS[name][0]}", f"Reports: {CATEGORY_LABELS[name][1]}")
            for name in CATEGORIES
        ),
        _i("flood_zones", "Zona banjir", "Flood zones"),
        _i("lighting_zones", "Zona PJU", "Lighting zones"),
    ),
)
