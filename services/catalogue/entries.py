"""What is known of a collection, in one form for every encoding: from the version's manifest and its history."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.coverages import described
from services.coverages.asked import CRS84, uri_of
from services.parts import Link, Part
from services.site import SYNTHETIC, Edition
from spatial.contracts import COVERAGE_BY_NAME
from spatial.errors import NotFoundError
from spatial.registry import LAYER_BY_NAME
from spatial.store.versions import Versions

Words = dict[str, str]  # a text in Indonesian (`id`) and English (`en`)
_NOT_DATA = ("self", "alternate", "collection", "describedby", "license")


@dataclass(frozen=True, slots=True)
class Entry:
    """One collection of one version.

    Attributes
    ----------
    title, abstract, lineage : in both languages.
    box : west, south, east, north in degrees, CRS84. interval : UTC, None where open or unknown; None without times.
    crs : address of the CRS it is stored in. updated : when the version was published, ISO 8601 UTC.
    licence : name and address of the licence of what is published here.
    credits : whom the inputs are owed to, with their licences; sources : the input files as the manifest has them.
    quality : rows in and out, reasons of quarantine, skill, gaps, as the manifest has them.
    links : where the data are.
    """

    name: str
    kind: str
    title: Words
    abstract: Words
    keywords: tuple[str, ...]
    box: tuple[float, float, float, float]
    interval: tuple[str | None, str | None] | None
    crs: str
    updated: str
    licence: tuple[str, str]
    credits: tuple[str, ...]
    lineage: Words
    sources: tuple[dict[str, Any], ...]
    parameters: dict[str, Any]
    quality: dict[str, Any]
    vertical_datum: str | None
    contact: dict[str, str]
    links: tuple[Link, ...]
    address: str
    version: str
    previous: str | None


def entry_names(edition: Edition) -> list[str]:
    """Return the collections of a version: its layers, then its rasters."""
    return [*edition.api.config["resources"], *described.names(edition)]


def entry_of(edition: Edition, name: str, parts: Sequence[Part]) -> Entry:
    """Return what is known of a collection; an older version's manifest may tell less. Raises NotFoundError."""
    manifest, config = edition.manifest, edition.api.config
    if name not in entry_names(edition):
        raise NotFoundError(f"there is no collection {name!r}")
    coverage = COVERAGE_BY_NAME.get(name)
    extent = edition.extent(name) if coverage is None else described.described(edition, name)["extent"]
    title, abstract = _told(edition, name)
    interval = extent.get("temporal", {}).get("interval", [None])[0]
    metadata = config["metadata"]
    return Entry(
        name=name,
        kind="vector" if coverage is None else "grid",
        title=title,
        abstract=abstract,
        keywords=_keywords(edition, name),
        box=tuple(extent["spatial"]["bbox"][0]),
        interval=None if interval is None else (interval[0], interval[1]),
        crs=uri_of(CRS84 if coverage is None else str(manifest["city"]["crs"])),
        updated=updated(edition),
        licence=(str(metadata["license"]["name"]), str(metadata["license"]["url"])),
        credits=_credits(manifest),
        lineage=_lineage(manifest),
        sources=tuple(manifest.get("inputs", ())),
        parameters=manifest.get("parameters", {}),
        quality=_quality(manifest, name),
        vertical_datum=manifest["city"]["vertical_datum"],
        contact={"name": str(metadata["contact"]["name"]), "email": str(metadata["contact"]["email"])},
        links=tuple(_links(edition, name, parts)),
        address=f"{edition.api.get_collections_url()}/{name}",
        version=edition.version.id,
        previous=manifest.get("previous"),
    )


def updated(edition: Edition) -> str:
    """Return when a version was published, ISO 8601 UTC; the time of its manifest where the history does not tell."""
    times = {version.id: time for version, time in Versions(edition.version.path.parents[1]).all()}
    changed = (edition.version.path / "manifest.json").stat().st_mtime
    return times.get(edition.version.id) or datetime.fromtimestamp(changed, UTC).isoformat(timespec="seconds")


def _told(edition: Edition, name: str) -> tuple[Words, Words]:
    if name in LAYER_BY_NAME:
        resource = edition.api.config["resources"][name]
        return dict(resource["title"]), dict(resource["description"])
    coverage = COVERAGE_BY_NAME[name]
    mark = SYNTHETIC if edition.manifest["city"]["synthetic"] else ""
    titles = {"id": f"{mark}{coverage.title_id}", "en": f"{mark}{coverage.title_en}"}
    return titles, described.descriptions(edition, coverage)


def _keywords(edition: Edition, name: str) -> tuple[str, ...]:
    resource = edition.api.config["resources"].get(name, {"keywords": ["raster", name]})
    return (*map(str, resource["keywords"]), str(edition.manifest["city"]["name"]))


def _credits(manifest: dict[str, Any]) -> tuple[str, ...]:
    """Return the attribution of the city, and each licence that an input file came under."""
    licences = [f"{row['path']}: {row['licence']}" for row in manifest.get("inputs", ()) if row.get("licence")]
    return tuple(dict.fromkeys([*manifest["city"]["attribution"], *licences]))


def _lineage(manifest: dict[str, Any]) -> Words:
    files = "; ".join(
        f"{row['path']} ({row['kind']}, SHA-256 {row['sha256'] or '–'})" for row in manifest.get("inputs", ())
    )
    packages = ", ".join(f"{name} {release}" for name, release in manifest.get("packages", {}).items())
    made = f"Hexakota {manifest['hexakota']}, {manifest.get('code', '–')}; {packages}"
    previous, seed = manifest.get("previous") or "–", manifest.get("seed", "–")
    return {
        "id": f"Dihitung dari: {files}. Dengan: {made}; benih {seed}. Versi {manifest['version']}, dari {previous}.",
        "en": f"Computed from: {files}. With: {made}; seed {seed}. Version {manifest['version']}, previous {previous}.",
    }


def _quality(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    own = manifest["layers"].get(name) or manifest["rasters"][name]
    told = manifest.get("reports", {})
    reports = {key: value for key, value in told.items() if not isinstance(value, dict)}
    kept = ("rows", "content_sha256", "null_because", "notes", "known_share", "minimum", "maximum", "sha256")
    return {
        "collection": {key: own[key] for key in kept if key in own},
        "reports": reports | {"quarantine_reasons": told.get("quarantine_reasons", {})},
        "skill": manifest.get("skill", {}),
        "left_out": manifest["left_out"],
    }


def _links(edition: Edition, name: str, parts: Sequence[Part]) -> list[Link]:
    """Return where the data of a collection are; what is only about it is left out."""
    if name in COVERAGE_BY_NAME:
        return [link for link in described.links(edition, name) if link["rel"] not in _NOT_DATA]
    items = f"{edition.api.get_collections_url()}/{name}/items"
    own = [
        {"rel": "items", "type": "application/geo+json", "title": "GeoJSON", "href": f"{items}?f=json"},
        {"rel": "items", "type": "text/csv", "title": "CSV", "href": f"{items}?f=csv"},
    ]
    more = [link for part in parts for link in part.collection_links(edition, name) if link["rel"] not in _NOT_DATA]
    return own + [link for link in more if link["href"] not in {row["href"] for row in own}]


def as_text(value: Any) -> str:
    """Return a value of the manifest as one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
