"""The published layers of what lies around: districts, water, hollows, buildings, lamps; and those of a scenario."""

from __future__ import annotations

from spatial.contracts.columns import count, length_m, number, share, text, time
from spatial.contracts.enumerations import CATEGORIES, CATEGORY_LABELS, LAMP_KINDS
from spatial.contracts.model import Layer

_KIND = text("kind", "Jenis", "Kind", free_text=True)
_NAME = text("name", "Nama", "Name", free_text=True)
_FLOOD_ZONE_IDS = text("flood_zone_ids", "Zona banjir", "Flood zones")
_LIGHTING_ZONE_IDS = text("lighting_zone_ids", "Zona PJU", "Lighting zones")

STREAMS = Layer(
    "streams",
    "LineString",
    "Jaringan sungai dari medan",
    "Streams from terrain",
    columns=(
        text("stream_id", "ID alur", "Stream id", nullable=False),
        number("upstream_area_km2", "Luas hulu", "Upstream area", "km2", minimum=0.0),
        length_m("length_m", "Panjang", "Length"),
    ),
)

CATCHMENTS = Layer(
    "catchments",
    "MultiPolygon",
    "Daerah tangkapan air",
    "Catchments",
    columns=(
        text("catchment_id", "ID daerah tangkapan", "Catchment id", nullable=False),
        number("area_km2", "Luas", "Area", "km2", minimum=0.0),
        count("edge_fed", "Hulu terpotong tepi data (1: ya)", "Cut by the edge of the elevation (1: yes)", maximum=1),
        text("outlet", "Titik keluar (bujur, lintang)", "Outlet (longitude, latitude)"),
    ),
)

_DEPRESSION = (
    text("depression_id", "ID cekungan", "Depression id", nullable=False),
    length_m("depth_max_m", "Kedalaman terdalam", "Greatest depth"),
    number("volume_m3", "Volume", "Volume", "m3", minimum=0.0),
    number("area_km2", "Luas", "Area", "km2", minimum=0.0),
    number("catchment_km2", "Luas daerah tangkapan", "Catchment area", "km2", minimum=0.0),
    number("rain_to_fill_mm", "Hujan pengisi", "Rain to fill", "mm", minimum=0.0),
    text("spills_into", "Meluap ke cekungan", "Spills into depression"),
)

DEPRESSIONS = Layer(
    "depressions",
    "MultiPolygon",
    "Cekungan",
    "Depressions (bluespots)",
    columns=(
        *_DEPRESSION,
        count("spill_order", "Urutan meluap", "Spill order"),
        share("frequency", "Kekerapan titik terdalamnya", "Frequency of its deepest point"),
    ),
)

SCENARIO_CELLS = Layer(
    "scenario_cells",
    "Polygon",
    "Skenario: sel tergenang",
    "Scenario: cells under water",
    columns=(
        text("cell", "Sel H3", "H3 cell", nullable=False),
        share("water_share", "Bagian daratan yang tergenang", "Share of its land under water"),
        length_m("water_depth_mean_m", "Kedalaman rata-rata genangan", "Mean depth where wet"),
        length_m("water_depth_max_m", "Kedalaman terdalam", "Greatest depth"),
        number("water_volume_m3", "Volume air", "Water volume", "m3", minimum=0.0),
        share("tide_share", "Bagian daratan yang tergenang pasang", "Share of its land under the tide"),
        length_m("road_water_length_m", "Jalan tergenang", "Road under water"),
    ),
)

SCENARIO_ROADS = Layer(
    "scenario_roads",
    "MultiLineString",
    "Skenario: jalan tergenang",
    "Scenario: roads under water",
    columns=(
        text("road_id", "ID jalan", "Road id", nullable=False),
        text("highway", "Kelas jalan (OSM)", "Road class (OSM)"),
        text("name", "Nama jalan", "Road name", free_text=True),
        length_m("length_m", "Panjang", "Length"),
        length_m("water_length_m", "Panjang tergenang", "Length under water"),
        length_m("water_depth_max_m", "Kedalaman terdalam", "Greatest depth"),
    ),
)

SCENARIO_DEPRESSIONS = Layer(
    "scenario_depressions",
    "MultiPolygon",
    "Skenario: daerah tangkapan yang meluap",
    "Scenario: catchments that overflow",
    columns=(
        *_DEPRESSION,
        number("stored_m3", "Air tertahan", "Water held", "m3", minimum=0.0),
        number("overflow_m3", "Air meluap", "Water passed on", "m3", minimum=0.0),
    ),
)

WATERWAYS = Layer(
    "waterways",
    "LineString",
    "Saluran dan sungai terpetakan",
    "Mapped waterways",
    columns=(
        text("waterway_id", "ID saluran", "Waterway id", nullable=False),
        _KIND,
        _NAME,
        length_m("length_m", "Panjang", "Length"),
    ),
)

BUILDINGS = Layer(
    "buildings",
    "MultiPolygon",
    "Bangunan",
    "Buildings",
    columns=(
        text("building_id", "ID bangunan", "Building id", nullable=False),
        _KIND,
        _NAME,
        number("area_m2", "Luas tapak", "Footprint", "m2", minimum=0.0),
        text("cell", "Sel H3", "H3 cell"),
        share("flood_susceptibility", "Kerentanan banjir sel", "Flood susceptibility of the cell"),
        _FLOOD_ZONE_IDS,
    ),
)

FACILITIES = Layer(
    "facilities",
    "Point",
    "Sekolah, rumah sakit, puskesmas",
    "Schools, hospitals, clinics",
    columns=(
        text("facility_id", "ID fasilitas", "Facility id", nullable=False),
        _KIND,
        _NAME,
        text("cell", "Sel H3", "H3 cell"),
        share("flood_susceptibility", "Kerentanan banjir sel", "Flood susceptibility of the cell"),
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
        text("lamp_id", "ID lampu", "Lamp id", nullable=False),
        text("panel_id", "ID panel", "Panel id"),
        text("kind", "Jenis lampu", "Kind of lamp", values=LAMP_KINDS),
        text("owner", "Pemilik", "Owner", free_text=True),
        time("warranty_until", "Garansi sampai", "Under warranty until"),
        text("source", "Asal data", "Where it comes from", nullable=False),
        text("cell", "Sel H3", "H3 cell"),
        _LIGHTING_ZONE_IDS,
    ),
)

ADMIN_AREAS = Layer(
    "admin_areas",
    "MultiPolygon",
    "Kelurahan dan kecamatan",
    "Administrative areas",
    columns=(
        text("area_id", "Kode wilayah (Kemendagri)", "Area code (Kemendagri)", nullable=False),
        text("level", "Tingkat", "Level", nullable=False),
        text("name", "Nama", "Name", nullable=False),
        count("reports_total", "Jumlah laporan", "Reports"),
        *(
            count(f"reports_{name}", f"Laporan: {CATEGORY_LABELS[name][0]}", f"Reports: {CATEGORY_LABELS[name][1]}")
            for name in CATEGORIES
        ),
        count("flood_zones", "Zona banjir", "Flood zones"),
        count("lighting_zones", "Zona PJU", "Lighting zones"),
    ),
)
