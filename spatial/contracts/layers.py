"""The published layers of reports, cells, roads and zones: columns with types, units, ranges and bilingual titles."""

from __future__ import annotations

from spatial.contracts.columns import (
    AREA_ID,
    EXPLANATION,
    KECAMATAN,
    KELURAHAN,
    RAIN_TO_FILL,
    count,
    length_m,
    number,
    share,
    text,
    time,
)
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

REPORTS = Layer(
    "reports",
    "Point",
    "Laporan warga",
    "Citizen reports",
    temporal="requested_datetime",
    columns=(
        text("report_id", "ID laporan", "Report id", nullable=False),
        text("source", "Sumber", "Source", nullable=False),
        text("category", "Kategori", "Category", values=CATEGORIES, nullable=False),
        text("category_raw", "Kategori asli", "Category as reported"),
        text("description", "Uraian", "Description"),
        text("status", "Status", "Status", values=STATUSES),
        time("requested_datetime", "Waktu laporan", "Reported at"),
        time("updated_datetime", "Waktu pembaruan", "Updated at"),
        time("resolved_datetime", "Waktu selesai", "Resolved at"),
        number("depth_m", "Kedalaman genangan", "Flood depth", "m", minimum=0.0),
        text("quality", "Catatan mutu", "Quality flags"),
        text("duplicate_of", "Duplikat dari", "Duplicate of"),
        text("incident_id", "ID kejadian", "Incident id"),
        text("cell", "Sel H3", "H3 cell"),
        KELURAHAN,
        KECAMATAN,
        AREA_ID,
        text("road_id", "ID jalan terdekat", "Nearest road id"),
        length_m("road_distance_m", "Jarak ke jalan", "Distance to road"),
    ),
)

HEXAGONS = Layer(
    "hexagons",
    "Polygon",
    "Sel heksagon",
    "Hexagon cells",
    columns=(
        text("cell", "Sel H3", "H3 cell", nullable=False),
        Column("resolution", "integer", "Resolusi H3", "H3 resolution", minimum=0, maximum=15, nullable=False),
        KELURAHAN,
        KECAMATAN,
        AREA_ID,
        count("reports_total", "Jumlah laporan", "Reports"),
        *(
            count(f"reports_{name}", f"Laporan: {CATEGORY_LABELS[name][0]}", f"Reports: {CATEGORY_LABELS[name][1]}")
            for name in CATEGORIES
        ),
        count("incidents_flood", "Kejadian banjir", "Flood incidents"),
        count("incidents_lighting", "Kejadian PJU padam (terbuka)", "Lighting incidents (open)"),
        number("exposure", "Paparan pelaporan", "Reporting exposure", minimum=0.0),
        text("exposure_basis", "Dasar paparan", "Exposure basis", values=EXPOSURE_BASES),
        number("report_rate", "Laju laporan", "Report rate", "reports per km of road", minimum=0.0),
        number("flood_gi_z", "Gi* banjir (z)", "Flood Gi* (z)"),
        share("flood_gi_q", "Gi* banjir (q)", "Flood Gi* (q)"),
        number("lighting_gi_z", "Gi* PJU (z)", "Lighting Gi* (z)"),
        share("lighting_gi_q", "Gi* PJU (q)", "Lighting Gi* (q)"),
        length_m("road_length_m", "Panjang jalan", "Road length"),
        length_m("road_length_major_m", "Panjang jalan utama", "Major road length"),
        length_m("lit_road_length_m", "Panjang jalan berlampu", "Lit road length"),
        count("lamps_total", "Jumlah lampu", "Lamps"),
        count("buildings_total", "Jumlah bangunan", "Buildings"),
        count("facilities_total", "Jumlah fasilitas", "Facilities"),
        number("elevation_mean_m", "Elevasi rata-rata", "Mean elevation", "m"),
        number("elevation_min_m", "Elevasi terendah", "Lowest elevation", "m"),
        number("slope_mean_deg", "Lereng rata-rata", "Mean slope", "deg", minimum=0.0, maximum=90.0),
        length_m("hand_mean_m", "HAND rata-rata", "Mean HAND"),
        length_m("hand_min_m", "HAND terendah", "Lowest HAND"),
        number("twi_mean", "TWI rata-rata", "Mean TWI"),
        number("gfi_mean", "GFI rata-rata (metode BNPB)", "Mean GFI (BNPB's method)"),
        number("gfi_disagreement", "Beda peringkat dari GFI", "Rank difference from GFI", minimum=-1.0, maximum=1.0),
        share("edge_fed_share", "Bagian dengan hulu terpotong", "Share with a catchment cut by the data's edge"),
        length_m("depression_depth_max_m", "Kedalaman cekungan", "Deepest depression"),
        share("depression_frequency", "Kekerapan cekungan", "Depression frequency"),
        RAIN_TO_FILL,
        share("flood_susceptibility", "Kerentanan banjir", "Flood susceptibility"),
        share("flood_evidence", "Bukti banjir", "Flood evidence"),
        share("flood_evidence_low", "Bukti banjir (batas bawah)", "Flood evidence (low)"),
        share("flood_evidence_high", "Bukti banjir (batas atas)", "Flood evidence (high)"),
        share("flood_score", "Skor banjir", "Flood score"),
        share("flood_probability", "Peluang banjir seperti yang dicatat", "Probability of a flood as recorded"),
        text("flood_class", "Kelas banjir", "Flood class", values=CLASSES),
        share("lighting_score", "Skor PJU", "Lighting score"),
        text("lighting_class", "Kelas PJU", "Lighting class", values=CLASSES),
        share("silence", "Peluang tidak ada yang melapor", "Silence"),
        *EXPLANATION,
    ),
)

ROADS = Layer(
    "roads",
    "MultiLineString",
    "Jalan",
    "Roads",
    columns=(
        text("road_id", "ID jalan", "Road id", nullable=False),
        text("highway", "Kelas jalan (OSM)", "Road class (OSM)"),
        text("name", "Nama jalan", "Road name"),
        text("lit", "Penerangan (OSM)", "Lit (OSM)"),
        length_m("length_m", "Panjang", "Length"),
        share("flood_susceptibility_max", "Kerentanan banjir tertinggi", "Highest flood susceptibility"),
        length_m("flood_length_m", "Panjang dalam zona banjir", "Length in flood zones"),
        text("flood_zone_ids", "Zona banjir", "Flood zones"),
        text("lighting_zone_ids", "Zona PJU", "Lighting zones"),
    ),
)


def _zone_columns(*own: Column) -> tuple[Column, ...]:
    return (
        text("zone_id", "ID zona", "Zone id", nullable=False),
        text("zone_type", "Jenis zona", "Zone type", values=ZONE_TYPES, nullable=False),
        text("severity", "Tingkat", "Severity", values=SEVERITIES, nullable=False),
        share("score", "Skor", "Score"),
        share("p_value", "Nilai p", "p-value"),
        count("n_reports", "Jumlah laporan", "Reports"),
        count("n_incidents", "Jumlah kejadian", "Incidents"),
        count("n_cells", "Jumlah sel", "Cells"),
        number("area_km2", "Luas", "Area", "km2", minimum=0.0),
        length_m("road_length_m", "Panjang jalan", "Road length"),
        count("buildings_exposed", "Bangunan di dalam zona", "Buildings in the zone"),
        count("facilities_exposed", "Fasilitas di dalam zona", "Facilities in the zone"),
        KELURAHAN,
        KECAMATAN,
        AREA_ID,
        time("first_report", "Laporan pertama", "First report"),
        time("last_report", "Laporan terakhir", "Last report"),
        text("trend", "Tren", "Trend", values=TRENDS),
        text("change", "Perubahan", "Change", values=CHANGES),
        Column("priority_rank", "integer", "Peringkat prioritas", "Priority rank", minimum=1),
        *EXPLANATION,
        text("version", "Versi", "Version", nullable=False),
        *own,
    )


FLOOD_ZONES = Layer(
    "flood_zones",
    "MultiPolygon",
    "Zona rawan banjir",
    "Flood-risk zones",
    temporal="last_report",
    columns=_zone_columns(
        share("susceptibility_mean", "Kerentanan rata-rata", "Mean susceptibility"),
        length_m("hand_min_m", "HAND terendah", "Lowest HAND"),
        length_m("depression_depth_max_m", "Kedalaman cekungan", "Deepest depression"),
        share("depression_frequency", "Kekerapan cekungan", "Depression frequency"),
        RAIN_TO_FILL,
    ),
)

LIGHTING_ZONES = Layer(
    "lighting_zones",
    "MultiPolygon",
    "Zona PJU padam",
    "Lighting-outage zones",
    temporal="last_report",
    columns=_zone_columns(
        count("lamps_affected", "Lampu padam", "Lamps affected"),
        count("lamps_total", "Lampu dalam zona", "Lamps in zone"),
        length_m("lit_road_length_m", "Panjang jalan berlampu", "Lit road length"),
        text("cause", "Dugaan penyebab", "Probable cause", values=CAUSES),
        share("cause_probability", "Peluang penyebab", "Cause probability"),
        text("panel_id", "ID panel", "Panel id"),
    ),
)
