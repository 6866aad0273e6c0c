"""The processes that are offered. A new one is one entry here and one function in `runs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.processes import runs
from services.processes.checks import column_can_be_scored, one_tide, polygon_is_one, version_is_there
from services.processes.errors import NO_SUCH_PROCESS, ProcessError
from services.processes.model import Input, Output, Process, Text
from spatial.contracts import FLOOD_ZONES, HEXAGONS, LIGHTING_ZONES
from spatial.lighting.repairs import RepairParameters
from spatial.summarise import MAX_VERTICES, SUSCEPTIBLE

MAX_RAIN_MM = 2000.0  # as of spatial.pipeline.scenario, which a server that only describes need not load
SCORED = (HEXAGONS.name, FLOOD_ZONES.name, LIGHTING_ZONES.name)  # as of spatial.evaluate
MIN_SHARE = 0.1
MAX_FEATURES = 50_000
PNG, CSV = "image/png", "text/csv"

_VERSION = Input(
    "version",
    Text("Versi terbit; yang disajikan bila kosong", "Published version; the served one by default"),
    {"type": "string", "pattern": "^[0-9a-f]{16}$"},
)
_POLYGON: Mapping[str, Any] = {
    "type": "object",
    "format": "geojson-geometry",
    "properties": {
        "type": {"enum": ["Polygon", "MultiPolygon"]},
        "coordinates": {"type": "array", "minItems": 1, "maxItems": MAX_VERTICES, "items": {"type": "array"}},
        "bbox": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6},
    },
    "required": ["type", "coordinates"],
    "additionalProperties": False,
}
_TRUTH: Mapping[str, Any] = {
    "type": "object",
    "format": "geojson-feature-collection",
    "properties": {
        "type": {"enum": ["FeatureCollection"]},
        "features": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_FEATURES,
            "items": {
                "type": "object",
                "properties": {
                    "type": {"enum": ["Feature"]},
                    "geometry": {"type": ["object", "null"]},
                    "properties": {"type": ["object", "null"]},
                },
                "required": ["type", "geometry"],
            },
        },
    },
    "required": ["type", "features"],
    "not": {"required": ["crs"]},
}


RUN_ANALYSIS = Process(
    "run-analysis",
    Text("Jalankan analisis", "Run the analysis"),
    Text(
        "Membaca masukan kota, menghitung semua lapisan, dan menerbitkan satu versi bila ada yang berubah.",
        "Reads the city's inputs, computes every layer and publishes a version where something has changed.",
    ),
    inputs=(
        Input(
            "force",
            Text("Terbitkan walau tak ada yang berubah", "Publish although nothing has changed"),
            {"type": "boolean", "default": False},
        ),
        Input(
            "drop_missing",
            Text("Lupakan laporan yang tak lagi ada di berkas", "Forget reports that their file no longer holds"),
            {"type": "boolean", "default": False},
        ),
    ),
    outputs=(Output("version", Text("Versi yang disajikan", "The served version")),),
    execute=runs.run_analysis,
    check=version_is_there,
    stages=11,
    guarded=True,
    serial=True,
)

FLOOD_SCENARIO = Process(
    "flood-scenario",
    Text("Skenario banjir", "Flood scenario"),
    Text(
        "Satu hujan di semua daratan dan satu pasang: apa yang tergenang. Terbit sebagai versi sendiri; versi yang "
        "disajikan tetap.",
        "One storm on all land and one tide: what is under water. Published as a version of its own; the served one "
        "stays.",
    ),
    inputs=(
        Input(
            "rain_mm",
            Text("Hujan di semua daratan, mm", "Rain on all land, mm"),
            {"type": "number", "minimum": 0, "maximum": MAX_RAIN_MM},
            required=True,
            unit="mm",
        ),
        Input(
            "tide_m",
            Text("Pasang di atas datumnya, m", "Tide above its datum, m"),
            {"type": "number", "minimum": -100, "maximum": 100},
            unit="m",
        ),
        Input(
            "tide_series",
            Text("Pakai deret pasang kota", "Use the city's own series of the tide"),
            {"type": "boolean", "default": False},
        ),
        _VERSION,
    ),
    outputs=(
        Output("scenario", Text("Skenario dan versinya", "The scenario and its version")),
        Output("map", Text("Peta genangan", "Map of the water"), PNG),
    ),
    execute=runs.flood_scenario,
    check=one_tide,
    stages=4,
    guarded=True,
    serial=True,
)

EVALUATE_LAYER = Process(
    "evaluate-layer",
    Text("Nilai lapisan", "Evaluate a layer"),
    Text(
        "Skor terbit terhadap kejadian nyata (titik atau poligon, CRS84): AUC dengan selang dari blok spasial dan "
        "pembanding di sel yang sama.",
        "A published score against what happened (points or polygons, CRS84): AUC with intervals from spatial blocks, "
        "and baselines on the same cells.",
    ),
    inputs=(
        Input("truth", Text("Kejadian nyata (GeoJSON)", "What happened (GeoJSON)"), _TRUTH, required=True),
        Input(
            "layer",
            Text("Lapisan", "Layer"),
            {"type": "string", "enum": list(SCORED), "default": SCORED[0]},
        ),
        Input(
            "score",
            Text("Kolom angka; flood_score atau score bila kosong", "Number column; flood_score or score by default"),
            {"type": "string", "maxLength": 100},
        ),
        _VERSION,
        Input(
            "background",
            Text("Asal sel latar: poligon, atau hull+km", "Where the background comes from: a polygon, or hull+km"),
            {
                "oneOf": [{"type": "string", "pattern": r"^hull(\+[0-9]{1,4}(\.[0-9]{1,6})?)?$"}, dict(_POLYGON)],
                "default": "hull+1",
            },
        ),
        Input(
            "min_share",
            Text("Bagian sel yang tertutup poligon", "Share of a cell that polygons must cover"),
            {"type": "number", "minimum": 0, "maximum": 1, "default": MIN_SHARE},
            unit="1",
        ),
    ),
    outputs=(
        Output("evaluation", Text("Penilaian", "Evaluation")),
        Output("roc", Text("Kurva ROC", "ROC curve"), PNG),
        Output("map", Text("Peta", "Map"), PNG),
        Output("reliability", Text("Kurva keandalan (peluang saja)", "Reliability (probabilities only)"), PNG, False),
    ),
    execute=runs.evaluate_layer,
    check=column_can_be_scored,
    stages=2,
    guarded=True,
)

REPAIR_PLAN = Process(
    "repair-plan",
    Text("Rencana perbaikan PJU", "Plan of street-light repairs"),
    Text(
        "Satu kunjungan per gangguan, menurut meter jalan gelap yang menyala per kunjungan; yang masih garansi atau "
        "milik lain dipisahkan.",
        "One visit per fault, by the metres of dark road that a visit relights; what is under warranty or another's is "
        "set apart.",
    ),
    inputs=(
        Input(
            "crews",
            Text("Regu", "Crews"),
            {"type": "integer", "minimum": 1, "maximum": 1000, "default": RepairParameters().crews},
        ),
        Input(
            "visits_per_day",
            Text("Kunjungan per regu per hari", "Visits per crew and day"),
            {"type": "integer", "minimum": 1, "maximum": 1000, "default": RepairParameters().visits_per_day},
        ),
        Input(
            "days",
            Text("Hari di peta", "Days on the map"),
            {"type": "integer", "minimum": 1, "maximum": 366, "default": 1},
        ),
        Input(
            "owners",
            Text("Hanya milik ini; semua bila kosong", "Lamps of these owners only; all by default"),
            {"type": "array", "maxItems": 100, "items": {"type": "string", "maxLength": 200}, "default": []},
        ),
        _VERSION,
    ),
    outputs=(
        Output("plan", Text("Ringkasan rencana", "The plan in short")),
        Output("visits", Text("Kunjungan", "Visits"), CSV),
        Output("referred", Text("Gangguan yang diserahkan", "Faults left to others"), CSV),
        Output("map", Text("Peta kunjungan", "Map of the visits"), PNG),
    ),
    execute=runs.repair_plan,
    check=version_is_there,
    stages=2,
    quick=True,
)

SUMMARISE_AREA = Process(
    "summarise-area",
    Text("Rangkum area", "Summarise an area"),
    Text(
        "Isi sebuah poligon (CRS84): laporan menurut kategori, zona, meter jalan menurut kelas dan yang terpapar, "
        "lampu, bangunan, fasilitas, penduduk bila ada. Panjang dipotong tepat di tepi poligon, dalam UTM kota.",
        "What a polygon (CRS84) holds: reports by category, zones, road metres by class and those exposed, lamps, "
        "buildings, facilities, population if given. Lengths are cut exactly at its edge, in the city's UTM zone.",
    ),
    inputs=(
        Input(
            "polygon",
            Text("Poligon (GeoJSON) atau tautan ke fitur di sini", "Polygon (GeoJSON), or a link to a feature here"),
            _POLYGON,
            required=True,
        ),
        _VERSION,
        Input(
            "susceptible_from",
            Text("Kerentanan sel mulai dari", "A cell is susceptible from"),
            {"type": "number", "minimum": 0, "maximum": 1, "default": SUSCEPTIBLE},
            unit="1",
        ),
    ),
    outputs=(Output("summary", Text("Rangkuman", "Summary")),),
    execute=runs.summarise_area,
    check=polygon_is_one,
    quick=True,
)

PROCESSES: tuple[Process, ...] = (RUN_ANALYSIS, FLOOD_SCENARIO, EVALUATE_LAYER, REPAIR_PLAN, SUMMARISE_AREA)
PROCESS_BY_ID = {process.id: process for process in PROCESSES}


def process_of(name: str) -> Process:
    """Return the process of an id. Raises ProcessError where there is none."""
    if name not in PROCESS_BY_ID:
        raise ProcessError(404, NO_SUCH_PROCESS, f"there is no process {name!r}; there are {', '.join(PROCESS_BY_ID)}")
    return PROCESS_BY_ID[name]
