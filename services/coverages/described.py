"""What the API says of a raster: the description of its collection, its schema, its links, its colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from services.coverages.asked import CRS84, MERCATOR, uri_of
from services.coverages.encodings import MEDIA, UCUM
from services.parts import Link
from services.site import SYNTHETIC, Edition
from spatial.charts import Ramp, ramp_of
from spatial.contracts import COVERAGE_BY_NAME, COVERAGES, Coverage
from spatial.errors import NotFoundError
from spatial.store.grids import Grid, box_in, grid_of

OGC_REL = "http://www.opengis.net/def/rel/ogc/1.0"
_PLACE = {"id": "laut atau tanpa data elevasi di sini", "en": "sea, or no elevation data here"}
_FLOW = {
    "id": "laut, tanpa data elevasi, atau aliran keluar dari data elevasi sebelum bertemu saluran",
    "en": "sea, no elevation data, or the flow leaves the elevation before it meets drainage",
}
_NO_DATA = {"id": "tanpa data elevasi di sini", "en": "no elevation data here"}
_HOLLOW = {"id": "di luar cekungan", "en": "in no depression"}
_RANKED = {
    "id": "di luar sel kota, laut, atau salah satu dari kedua nilai tidak diketahui",
    "en": "outside the city's cells, sea, or one of the two values is not known",
}
_WHY = {"elevation": _NO_DATA, "elevation_cut": _NO_DATA, "depression_frequency": _NO_DATA, "rain_to_fill": _HOLLOW} | {
    "hand": _FLOW,
    "gfi": _FLOW,
    "gfi_disagreement": _RANKED,
}


def names(edition: Edition) -> list[str]:
    """Return the rasters of a version, in the contract's order; none where the city has no elevation."""
    there = edition.manifest.get("rasters", {})
    return [coverage.name for coverage in COVERAGES if coverage.name in there]


def file_of(edition: Edition, name: str) -> Path:
    """Return the file of a raster. Raises NotFoundError, which says why the version has none."""
    raster = edition.manifest.get("rasters", {}).get(name)
    if raster is None:
        why = [row["en"] for row in edition.manifest["left_out"] if row["code"] == "no_elevation"]
        hint = "; ".join(why) or "it is an older version, one without its inputs, or no scenario"
        raise NotFoundError(f"version {edition.version.id} has no coverage {name!r}: {hint}")
    return edition.version.path / str(raster["file"])


def ramp(edition: Edition, name: str) -> Ramp:
    """Return the colour ramp of a version's raster."""
    raster = edition.manifest["rasters"][name]
    return ramp_of(COVERAGE_BY_NAME[name], raster["minimum"], raster["maximum"])


def title(edition: Edition, coverage: Coverage) -> str:
    """Return the title in both languages; a synthetic city's says so."""
    mark = SYNTHETIC if edition.manifest["city"]["synthetic"] else ""
    return f"{mark}{coverage.title_id} / {coverage.title_en}"


def described(edition: Edition, name: str) -> dict[str, Any]:
    """Return the description of a raster's collection (19-087, `/req/core/collection-description`)."""
    coverage, grid = COVERAGE_BY_NAME[name], grid_of(file_of(edition, name))
    city = edition.manifest["city"]
    return {
        "id": name,
        "title": title(edition, coverage),
        "description": " / ".join(descriptions(edition, coverage).values()),
        "keywords": ["raster", "coverage", name],
        "attribution": "; ".join(city["attribution"]),
        "itemType": "coverage",
        "extent": _extent(edition, name, grid),
        "crs": list(dict.fromkeys(map(uri_of, (grid.crs, CRS84, MERCATOR)))),
        "storageCrs": uri_of(grid.crs),
        "domainset": _domain_set(grid),
        "links": links(edition, name),
        "hexakota": _metadata(edition, coverage),
    }


def descriptions(edition: Edition, coverage: Coverage) -> dict[str, str]:
    """Return what the raster is, in both languages: range, pixels, where unknown, datum, what was left out."""
    raster, city = edition.manifest["rasters"][coverage.name], edition.manifest["city"]
    low, high, datum = raster["minimum"], raster["maximum"], city["vertical_datum"] or "?"
    span = "" if low is None else f" {low:.4g} – {high:.4g} {coverage.unit or '1'}"
    left_out = {lang: " ".join(row[lang] for row in edition.manifest["left_out"]) for lang in ("id", "en")}
    share, size, why = 100 * raster["known_share"], raster["pixel_size_m"], _WHY.get(coverage.name, _PLACE)
    return {
        "id": f"{coverage.title_id}:{span}, piksel {size:g} m, diketahui pada {share:.0f} % (selain itu: {why['id']}). "
        f"Datum vertikal elevasi: {datum}. {left_out['id']}".strip(),
        "en": f"{coverage.title_en}:{span}, pixels of {size:g} m, known in {share:.0f} % (elsewhere: {why['en']}). "
        f"Vertical datum of the elevation: {datum}. {left_out['en']}".strip(),
    }


def _metadata(edition: Edition, coverage: Coverage) -> dict[str, Any]:
    city, raster = edition.manifest["city"], edition.manifest["rasters"][coverage.name]
    shades = ramp(edition, coverage.name)
    return {
        "version": edition.version.id,
        "synthetic": city["synthetic"],
        "as_of": city["as_of"],
        "title": {"id": coverage.title_id, "en": coverage.title_en},
        "unit": coverage.unit,
        **{key: raster[key] for key in ("minimum", "maximum", "known_share", "pixel_size_m", "sha256")},
        "attribution": city["attribution"],
        "vertical_datum": city["vertical_datum"],
        "left_out": edition.manifest["left_out"],
        "null_because": {coverage.name: _WHY.get(coverage.name, _PLACE)},
        "ramp": {"colours": f"matplotlib {shades.colours}", "low": shades.low, "high": shades.high},
    }


def _extent(edition: Edition, name: str, grid: Grid) -> dict[str, Any]:
    box = box_in(grid.bounds, grid.crs, CRS84)
    spatial = {
        "bbox": [[round(value, 7) for value in box or edition.manifest["city"]["area"]["bbox"]]],
        "crs": uri_of(CRS84),
        "storageCrsBbox": [list(grid.bounds)],
    }
    return {"spatial": spatial}


def _domain_set(grid: Grid) -> dict[str, Any]:
    """Return the grid as CIS JSON has it (09-146r8); the bounds are the pixels' outer edges."""
    west, south, east, north = grid.bounds
    axes = (("E", west, east, grid.dx), ("N", south, north, grid.dy))
    return {
        "type": "DomainSet",
        "generalGrid": {
            "type": "GeneralGridCoverage",
            "srsName": uri_of(grid.crs),
            "axisLabels": ["E", "N"],
            "axis": [
                {"type": "RegularAxis", "axisLabel": label, "lowerBound": low, "upperBound": high}
                | {"resolution": size, "uomLabel": "m"}
                for label, low, high, size in axes
            ],
            "gridLimits": {
                "type": "GridLimits",
                "srsName": "http://www.opengis.net/def/crs/OGC/0/Index2D",
                "axisLabels": ["i", "j"],
                "axis": [
                    {"type": "IndexAxis", "axisLabel": label, "lowerBound": 0, "upperBound": size - 1}
                    for label, size in (("i", grid.width), ("j", grid.height))
                ],
            },
        },
    }


def schema(edition: Edition, name: str) -> dict[str, Any]:
    """Return the range type as JSON Schema (19-087, `/req/core/coverage-schema`): one field, named as the coverage."""
    coverage = COVERAGE_BY_NAME[name]
    bounds = {"minimum": coverage.minimum, "maximum": coverage.maximum}
    field = {
        "type": "number",
        "title": f"{coverage.title_id} / {coverage.title_en}",
        "x-ogc-propertySeq": 1,
        "x-ogc-unit": UCUM[coverage.unit],
        "x-ogc-unitLang": "UCUM",
    } | {key: value for key, value in bounds.items() if value is not None}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{edition.api.get_collections_url()}/{name}/schema",
        "type": "object",
        "title": title(edition, coverage),
        "properties": {name: field},
        "additionalProperties": False,
    }


def links(edition: Edition, name: str) -> list[Link]:
    """Return the links of a raster's collection; none of them leads elsewhere than to what is served."""
    here = f"{edition.api.get_collections_url()}/{name}"
    pages = (
        ("self", "application/json", "Dokumen ini / this document", f"{here}?f=json"),
        ("alternate", "text/html", "Halaman / page", f"{here}?f=html"),
        ("collection", "application/json", "Koleksi / collections", edition.api.get_collections_url()),
        (f"{OGC_REL}/coverage", MEDIA["tif"], "GeoTIFF", f"{here}/coverage?f=tif"),
        (f"{OGC_REL}/coverage", MEDIA["covjson"], "CoverageJSON", f"{here}/coverage?f=covjson"),
        (f"{OGC_REL}/coverage", MEDIA["png"], "Gambar / picture", f"{here}/coverage?f=png"),
        (f"{OGC_REL}/map", MEDIA["png"], "Peta / map", f"{here}/map?f=png"),
        (f"{OGC_REL}/schema", "application/schema+json", "Skema / schema", f"{here}/schema?f=json"),
        (f"{OGC_REL}/coverage-schema", "application/schema+json", "Skema / schema", f"{here}/schema?f=json"),
        (f"{OGC_REL}/legend", MEDIA["png"], "Legenda / legend", f"{here}/legend?f=png"),
        ("describedby", "application/geo+json", "Metadata (OGC API Records)", f"{here}/metadata?f=json"),
        ("describedby", "application/ld+json", "Metadata (DCAT-AP)", f"{here}/metadata?f=dcat"),
        ("describedby", "application/xml", "Metadata (ISO 19139)", f"{here}/metadata?f=iso"),
    )
    return [{"rel": rel, "type": kind, "title": told, "href": href} for rel, kind, told, href in pages]
