"""What a version does not know and why: a reason per column that holds nulls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import geopandas as gpd

from spatial.contracts import Layer
from spatial.pipeline import ground

Text = dict[str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """What the city's inputs give: the facts that decide which columns can be filled."""

    min_count: int
    released: int
    reports: bool
    flood_incidents: int
    lighting_incidents: int
    times: bool
    background: bool
    terrain_leads: bool
    elevation: bool
    elevation_error: bool
    roads: bool
    road_classes: bool
    lit: bool
    lamps: bool
    labels: bool
    kelurahan: bool
    kecamatan: bool
    buildings: bool
    facilities: bool
    lighting_basis: str
    too_fine: bool


def text(indonesian: str, english: str) -> Text:
    """Return a bilingual text."""
    return {"id": indonesian, "en": english}


_TERRAIN = (*ground.COLUMNS, "flood_susceptibility_max", "susceptibility_mean")
_OF_REPORTS = (
    "exposure*",
    "report_rate",
    "flood_evidence*",
    "flood_gi_*",
    "lighting_gi_*",
    "lighting_score",
    "lighting_class",
)
_NO_ELEVATION = text("kota ini tidak punya data elevasi", "the city has no elevation data")
_NO_REPORTS = text("kota ini tidak punya laporan", "the city has no reports")
_NO_ROADS = text("tidak ada data jalan di dalam wilayah", "there are no roads inside the area")
_NO_CLASSES = text("data jalan tanpa kelas jalan", "the roads carry no class")
_NO_LIT = text("data jalan tanpa atribut penerangan (lit)", "the roads carry no lighting attribute (lit)")
_NO_LAMPS = text("tidak ada inventaris lampu", "there is no lamp inventory")
_NO_TIMES = text("laporan tanpa waktu", "the reports carry no time")
_FEW = text("terlalu sedikit kejadian (kurang dari 30)", "too few incidents (fewer than 30)")

Rule = tuple[tuple[str, ...], Callable[[Known], bool], Text]
_RULES: tuple[Rule, ...] = (
    (
        ("hexagons.reports_*", "hexagons.incidents_*", "admin_areas.reports_*", "n_reports", "n_incidents"),
        lambda k: k.min_count > 0,
        text(
            "ditahan: belum ada laporan yang dilepas di sini, jadi 0 sampai min_count − 1 kejadian di tiap sel acuan "
            "dan kategori ([privacy])",
            "withheld: no report is released here, so 0 to min_count − 1 incidents in every anchor cell and category "
            "([privacy])",
        ),
    ),
    (
        (
            "category_raw",
            "description",
            "status",
            "updated_datetime",
            "resolved_datetime",
            "depth_m",
            "quality",
            "duplicate_of",
            "category_basis",
            "reports.lamp_id",
            "reports.lamp_probability",
            "reports.road_id",
            "reports.road_distance_m",
        ),
        lambda k: k.min_count > 0,
        text(
            "ditahan: laporan yang dilepas sama dalam satu kelompok ([privacy])",
            "withheld: released reports are alike within their batch ([privacy])",
        ),
    ),
    (
        ("requested_datetime",),
        lambda k: k.min_count > 0,
        text("kelompok dengan laporan tanpa waktu", "a batch that holds a report without a time"),
    ),
    (
        (*_OF_REPORTS, "flood_zones.p_value"),
        lambda k: k.min_count > 0 and not k.reports,
        text("belum ada laporan yang dilepas ([privacy])", "no reports are released ([privacy])"),
    ),
    (
        ("lighting_zones.p_value",),
        lambda k: True,
        text(
            "kurang dari sepuluh lampu padam, atau tanpa laporan lain dan kelurahan kebiasaan melapor tidak diketahui",
            "fewer than ten dark lamps, or neither other reports nor kelurahan tell of reporting habits",
        ),
    ),
    (("flood_zones.p_value",), lambda k: not k.reports, _NO_REPORTS),
    (("flood_zones.p_value",), lambda k: k.flood_incidents < 30, _FEW),
    (
        ("flood_zones.p_value",),
        lambda k: True,
        text(
            "tanpa laporan lain dan kelurahan kebiasaan melapor tidak diketahui",
            "neither other reports nor kelurahan tell of reporting habits",
        ),
    ),
    (
        ("depression_frequency",),
        lambda k: k.elevation and not k.elevation_error,
        text(
            "galat elevasi tidak dinyatakan: tulis [dem_error] di city.toml",
            "the error of the elevation is not stated: write [dem_error] in city.toml",
        ),
    ),
    (
        ("rain_to_fill_mm",),
        lambda k: k.elevation,
        text("tidak ada cekungan cukup dalam di sini", "no depression here is deep enough"),
    ),
    (
        ("frequency",),
        lambda k: not k.elevation_error,
        text(
            "galat elevasi tidak dinyatakan: tulis [dem_error] di city.toml",
            "the error of the elevation is not stated: write [dem_error] in city.toml",
        ),
    ),
    (("spills_into",), lambda k: True, text("airnya keluar dari wilayah", "its water leaves")),
    (
        ("flood_probability",),
        lambda k: not k.labels,
        text(
            "kota ini tidak menyebut banjir yang pernah terjadi ([[flood_labels]])",
            "the city names no past flood ([[flood_labels]])",
        ),
    ),
    (
        ("flood_probability",),
        lambda k: True,
        text(
            "terlalu sedikit banjir yang tercatat, atau sel tanpa medan dan laporan",
            "too few floods are recorded, or the cell has neither terrain nor reports",
        ),
    ),
    (("silence", "reporting_rate*"), lambda k: not k.reports, _NO_REPORTS),
    (
        ("silence", "reporting_rate*"),
        lambda k: k.min_count > 0,
        text("ditahan: laporan berulang tidak dilepas ([privacy])", "withheld: repeats are not released ([privacy])"),
    ),
    (
        ("silence", "reporting_rate*"),
        lambda k: True,
        text(
            "sel tanpa jalan dan laporan, kurang dari 30 kejadian di kota, atau tak ada yang dilaporkan dua kali",
            "a cell without road and report, fewer than 30 incidents in the city, or none that was reported twice",
        ),
    ),
    (
        ("reports.lamp_id", "reports.lamp_probability"),
        lambda k: True,
        text(
            "bukan laporan PJU yang terbuka, atau tidak ada lampu di dekatnya", "no open lamp report, or no lamp near"
        ),
    ),
    (("lighting_zones.age_days",), lambda k: True, _NO_TIMES),
    (("lighting_zones.dark_road_by_class_m",), lambda k: not k.road_classes, _NO_CLASSES),
    (("lighting_zones.dark_road_by_class_m",), lambda k: True, text("tidak ada jalan di dekatnya", "no road is near")),
    (("lighting_zones.panel_id",), lambda k: True, text("bukan satu panel", "not one circuit")),
    (
        ("lighting_faults.panel_id", "cause_probability"),
        lambda k: True,
        text("satu lampu, bukan satu panel", "one lamp, no circuit"),
    ),
    (
        ("lighting_faults.lamp_ids",),
        lambda k: True,
        text(
            "tempat yang disebut laporan, tanpa lampu atau jalan di dekatnya",
            "a place of a report, no lamp or road near",
        ),
    ),
    (("lighting_faults.lighting_zone_ids",), lambda k: True, text("di luar zona", "in no zone")),
    (_TERRAIN, lambda k: not k.elevation, _NO_ELEVATION),
    (
        ("hand_mean_m", "hand_min_m", "gfi_mean", "gfi_disagreement"),
        lambda k: True,
        text(
            "laut, tanpa data elevasi, atau aliran keluar dari data elevasi sebelum bertemu saluran",
            "sea, no elevation data, or the flow leaves the elevation before it meets drainage",
        ),
    ),
    (_TERRAIN, lambda k: True, text("laut atau tanpa data elevasi di sini", "sea, or no elevation data here")),
    (
        ("flood_score", "flood_class"),
        lambda k: not k.elevation and not k.reports,
        text("tanpa elevasi dan tanpa laporan tidak ada skor", "without elevation and reports there is no score"),
    ),
    (
        ("flood_score", "flood_class"),
        lambda k: True,
        text("laut atau tanpa data elevasi di sini", "sea, or no elevation data here"),
    ),
    (
        ("lighting_score", "lighting_class"),
        lambda k: k.reports and k.lighting_incidents == 0,
        text("tidak ada laporan PJU yang terbuka", "there are no open street-light reports"),
    ),
    (
        ("lighting_score", "lighting_class"),
        lambda k: k.reports,
        text("sel tanpa lampu atau jalan yang bisa padam", "no lamp or road in the cell that could be dark"),
    ),
    (("lighting_gi_z", "lighting_gi_q"), lambda k: k.reports and k.lighting_incidents < 30, _FEW),
    (("flood_gi_z", "flood_gi_q"), lambda k: k.reports and k.flood_incidents < 30, _FEW),
    (
        ("reports_*", "incidents_*", *_OF_REPORTS, "category_basis"),
        lambda k: not k.reports,
        _NO_REPORTS,
    ),
    (
        ("flood_gi_*", "lighting_gi_*"),
        lambda k: True,
        text(
            "sel tanpa paparan atau tanpa tetangga, atau tidak ada beda antarsel untuk diuji",
            "a cell without exposure or neighbours, or a map that does not vary enough to be tested",
        ),
    ),
    (("flood_emergence", "lighting_emergence"), lambda k: not k.reports, _NO_REPORTS),
    (("flood_emergence", "lighting_emergence"), lambda k: not k.times, _NO_TIMES),
    (
        ("flood_emergence", "lighting_emergence"),
        lambda k: True,
        text(
            "kurang dari 30 kejadian atau dari sepuluh bulan catatan, atau sel tanpa paparan",
            "fewer than 30 incidents or ten months on record, or a cell without exposure",
        ),
    ),
    (("report_rate", "roads_touched"), lambda k: not k.roads, _NO_ROADS),
    (("report_rate",), lambda k: True, text("sel tanpa jalan", "the cell has no road")),
    (
        ("road_length_m", "road_length_major_m", "lit_road_length_m", "road_id", "road_distance_m"),
        lambda k: not k.roads,
        _NO_ROADS,
    ),
    (("road_length_major_m", "highway"), lambda k: not k.road_classes, _NO_CLASSES),
    (("lit_road_length_m", "lit"), lambda k: not k.lit, _NO_LIT),
    (("lit",), lambda k: True, text("jalan ini tanpa atribut penerangan", "this road carries no lighting attribute")),
    (("flood_susceptibility",), lambda k: True, text("di luar sel kota", "outside the city's cells")),
    (("name",), lambda k: True, text("sumber tidak memberi nama", "the source gives no name")),
    (("lighting_zones.dark_road_length_*", "lighting_zones.road_names"), lambda k: not k.roads, _NO_ROADS),
    (("lighting_zones.dark_road_length_major_m",), lambda k: not k.road_classes, _NO_CLASSES),
    (
        ("lighting_zones.dark_road_length_*",),
        lambda k: True,
        text("tidak ada jalan dalam 30 m dari lampunya", "there is no road within 30 m of its lamps"),
    ),
    (("lighting_zones.road_names",), lambda k: True, text("jalannya tidak bernama", "its roads have no name")),
    (
        ("lighting_zones.lamps_total", "lighting_zones.lamps_affected"),
        lambda k: True,
        text("tidak ada lampu maupun jalan di dekat laporannya", "there is neither a lamp nor a road near its reports"),
    ),
    (("lamps_total",), lambda k: not k.lamps, _NO_LAMPS),
    (("buildings_*",), lambda k: not k.buildings, text("data bangunan tidak diberikan", "no buildings are given")),
    (("facilities_*",), lambda k: not k.facilities, text("data fasilitas tidak diberikan", "no facilities are given")),
    (("panel_id",), lambda k: True, text("inventaris tidak menyebut panel", "the inventory names no panel")),
    (("owner", "warranty_until"), lambda k: True, text("inventaris tidak memuatnya", "the inventory does not tell it")),
    (("kind",), lambda k: True, text("sumber tidak memberikannya", "the source does not give it")),
    (("kelurahan",), lambda k: not k.kelurahan, text("batas kelurahan tidak diberikan", "no kelurahan boundaries")),
    (("kecamatan",), lambda k: not k.kecamatan, text("batas kecamatan tidak diberikan", "no kecamatan boundaries")),
    (
        ("area_id",),
        lambda k: not (k.kelurahan or k.kecamatan),
        text("batas wilayah tidak diberikan", "no administrative boundaries"),
    ),
    (
        ("kelurahan", "kecamatan", "area_id"),
        lambda k: True,
        text("di luar semua batas wilayah", "outside all administrative boundaries"),
    ),
    (("requested_datetime", "first_report", "last_report", "trend"), lambda k: k.reports and not k.times, _NO_TIMES),
    (("first_report", "last_report"), lambda k: True, text("zona tanpa laporan", "the zone has no reports")),
    (("trend",), lambda k: True, text("kurang dari enam bulan laporan", "fewer than six months of reports")),
    (
        (
            "requested_datetime",
            "updated_datetime",
            "resolved_datetime",
            "depth_m",
            "status",
            "description",
            "category_raw",
            "highway",
        ),
        lambda k: True,
        text("sumber tidak memberikannya", "the source does not give it"),
    ),
    (
        ("category_basis",),
        lambda k: True,
        text("laporan disimpan oleh rilis yang lebih lama", "the report was stored by an earlier release"),
    ),
    (("quality",), lambda k: True, text("tanpa catatan", "no flag applies")),
    (("duplicate_of",), lambda k: True, text("bukan duplikat", "not a duplicate")),
    (
        ("incident_id",),
        lambda k: True,
        text(
            "tidak dihitung: di luar wilayah, lokasi bawaan, atau sesudah as_of",
            "not counted: outside the area, on a default location, or made after as_of",
        ),
    ),
    (("flood_zone_ids", "lighting_zone_ids"), lambda k: True, text("tidak memotong zona", "crosses no zone")),
    (("explanation_*",), lambda k: True, text("tidak ada skor untuk dijelaskan", "there is no score to explain")),
)


def null_reasons(layer: Layer, table: gpd.GeoDataFrame, known: Known) -> dict[str, Text]:
    """Return the reason for every column of a layer that holds a null (or is missing from the table).

    A layer without features gives the reasons of the columns that the city could not fill.
    """
    empty = [
        c.name
        for c in layer.columns
        if c.name not in table or (table[c.name].isna().any() if len(table) else c.nullable)
    ]
    reasons = {name: reason(layer, name, known) for name in empty}
    return {name: told for name, told in reasons.items() if told is not None}


def reason(layer: Layer, column: str, known: Known) -> Text | None:
    """Return why a column holds nulls in a city that knows this much; None where no rule speaks of it.

    A pattern is of the column's name, or of `layer.column` where the layer matters.
    """
    names = (column, f"{layer.name}.{column}")
    for patterns, applies, told in _RULES:
        if any(fnmatchcase(name, pattern) for pattern in patterns for name in names) and applies(known):
            return told
    return None
