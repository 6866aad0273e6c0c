"""What a city's published version says of itself, as a pygeoapi configuration and as metadata of its collections."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pygeoapi.api import API
from pygeoapi.openapi import get_oas

import services
from services.crs import CRS84
from services.features import schema_of
from spatial.errors import StoreError
from spatial.registry import LAYER_BY_NAME
from spatial.store.versions import Version, Versions

SYNTHETIC = "[SINTETIS / SYNTHETIC] "
SchemaKind = Literal["schema", "queryables", "sortables"]
GREGORIAN = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"


@dataclass(frozen=True, eq=False, slots=True)
class Edition:
    """One published version behind an API: the pygeoapi object and the manifest."""

    version: Version
    manifest: dict[str, Any]
    api: API

    def metadata(self, name: str) -> dict[str, Any]:
        """Return what a collection's readers must know: version, gaps with their reasons, notes, attribution, datum."""
        city, layer = self.manifest["city"], self.manifest["layers"][name]
        return {
            "version": self.version.id,
            "synthetic": city["synthetic"],
            "as_of": city["as_of"],
            "attribution": city["attribution"],
            "vertical_datum": city["vertical_datum"],
            "left_out": self.manifest["left_out"],
            "notes": layer["notes"],
            "null_because": layer["null_because"],
            "rows": layer["rows"],
        } | ({"skill": self.manifest.get("skill", {})} if name in ("hexagons", "flood_zones") else {})

    def extent(self, name: str) -> dict[str, Any]:
        """Return the extent of a collection as Features Part 1 has it."""
        layer, city = self.manifest["layers"][name], self.manifest["city"]
        extent: dict[str, Any] = {"spatial": {"bbox": [layer["bbox"] or city["area"]["bbox"]], "crs": CRS84}}
        if layer["interval"] is not None:
            extent["temporal"] = {"interval": [layer["interval"]], "trs": GREGORIAN}
        return extent

    def schema(self, name: str, url: str, kind: SchemaKind) -> dict[str, Any]:
        """Return the JSON Schema of a collection's features, or of what can be queried or sorted by."""
        layer = LAYER_BY_NAME[name]
        geometry = {"title": "Geometri / Geometry", "format": f"geometry-{layer.geometry.lower()}"}
        properties: dict[str, Any] = {"geometry": geometry | {"x-ogc-role": "primary-geometry"}}
        for index, column in enumerate(layer.columns):
            role = "id" if column.name == layer.id_column else None
            role = "primary-instant" if column.name == layer.temporal else role
            own = schema_of(column) | {"x-ogc-propertySeq": index + 1}
            properties[column.name] = own | ({"x-ogc-role": role} if role else {})
        if kind == "sortables":
            del properties["geometry"]
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": url,
            "type": "object",
            "title": f"{layer.title_id} / {layer.title_en}",
            "properties": properties,
            "additionalProperties": kind == "schema",
        }


class Site:
    """The published versions of one city; the served one is looked up anew for every request."""

    def __init__(self, city: Path, url: str) -> None:
        self.city, self.url = city.resolve(), url.rstrip("/")
        self.versions = Versions(self.city / "var")
        self._edition: Edition | None = None

    def edition(self) -> Edition:
        """Return the served version. Raises StoreError where nothing was published."""
        kept = self._edition
        if kept is not None and self.versions.served_id() == kept.version.id:
            return kept  # the usual request: one small file was read
        version = self.versions.current()
        if version is None:
            raise StoreError(f"{self.city}: nothing is published yet; run `hexakota run {self.city.name}` first")
        manifest = version.manifest
        config = configuration(self.city, self.url, manifest)
        self._edition = Edition(version, manifest, API(config, get_oas(config)))
        return self._edition


def configuration(city: Path, url: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """Return pygeoapi-config.yml with addresses, extents, titles and notes filled in from a version's manifest."""
    text = files(services).joinpath("pygeoapi-config.yml").read_text("utf-8")
    text = text.replace("${HEXAKOTA_URL:-http://127.0.0.1:5000}", url)
    config: dict[str, Any] = yaml.safe_load(text)
    config["logging"]["level"] = "CRITICAL"  # pygeoapi logs a client's mistake as an error with its traceback
    mark = SYNTHETIC if manifest["city"]["synthetic"] else ""
    name = manifest["city"]["name"]
    identification = config["metadata"]["identification"]
    identification["title"] = {lang: f"{mark}{name} – Hexakota" for lang in ("id", "en")}
    # a version that an older program published has fewer layers
    config["resources"] = {name: own for name, own in config["resources"].items() if name in manifest["layers"]}
    for layer, resource in config["resources"].items():
        known = manifest["layers"][layer]
        resource["title"] = {lang: f"{mark}{title}" for lang, title in resource["title"].items()}
        resource["description"] = {
            lang: " ".join([resource["description"][lang], *_told(manifest, known, lang)]) for lang in ("id", "en")
        }
        resource["extents"]["spatial"]["bbox"] = known["bbox"] or manifest["city"]["area"]["bbox"]
        for provider in resource["providers"]:
            provider["data"] = str(city)
    return config


def _told(manifest: dict[str, Any], layer: dict[str, Any], lang: str) -> list[str]:
    """Return the layer's notes, what the run did without, and the columns without a value, as sentences."""
    sentences = [row[lang] for row in (*layer["notes"], *manifest["left_out"])]
    empty = "; ".join(f"{column}: {reason[lang]}" for column, reason in layer["null_because"].items())
    label = {"id": "Kolom yang (sebagian) kosong", "en": "Columns with nulls"}[lang]
    return [*sentences, f"{label}: {empty}."] if empty else sentences
