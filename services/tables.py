"""Features as rows for people: which columns come first, each value told in the reader's language, links to others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from services.labels import Reader
from spatial.contracts import Column, Layer

_ZONE = "priority_rank severity kelurahan score p_value n_incidents n_reports road_length_m change last_report"
_MAIN: Mapping[str, str] = {
    "reports": "report_id category status requested_datetime description kelurahan incident_id quality",
    "hexagons": "cell kelurahan reports_total flood_score flood_class lighting_score lighting_class road_length_m",
    "flood_zones": f"zone_id {_ZONE}",
    "lighting_zones": f"zone_id {_ZONE} lamps_affected road_names",
    "lighting_faults": "fault_id kind lamps_dark kelurahan n_reports lighting_zone_ids last_report",
    "roads": "road_id name highway length_m flood_length_m flood_zone_ids lighting_zone_ids",
}
_MOST_COLUMNS = 9  # of a layer that is not named above
_LINKED: Mapping[str, str] = {
    "cell": "hexagons",
    "road_id": "roads",
    "flood_zone_ids": "flood_zones",
    "lighting_zone_ids": "lighting_zones",
    "duplicate_of": "reports",
    "spills_into": "depressions",
    "area_id": "admin_areas",
}
_EXPLAINED = ("explanation_parts", "explanation_id", "explanation_en")


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as a page shows it. `links` lead to the features that it names, with their ids as text."""

    text: str
    number: bool = False
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Detail:
    """One property of a feature. `reason` says why it has no value, where it has none."""

    name: str
    title: str
    unit: str
    cell: Cell | None
    reason: str | None
    parts: tuple[tuple[str, str], ...] = ()


def main_columns(layer: Layer) -> tuple[str, ...]:
    """Return the columns that a table or a pop-up of a layer shows, the id first."""
    if layer.name in _MAIN:
        return tuple(_MAIN[layer.name].split())
    return tuple(c.name for c in layer.columns if c.kind != "json" and c.name not in _EXPLAINED)[:_MOST_COLUMNS]


def item_path(root: str, name: str, identifier: str, version: str | None) -> str:
    """Return the address of a feature's page on this host."""
    pinned = f"?version={quote(version, safe='')}" if version else ""
    return f"{root}/collections/{name}/items/{quote(identifier, safe='')}{pinned}"


def rows_of(
    features: Sequence[Mapping[str, Any]], columns: Sequence[Column], reader: Reader
) -> list[tuple[str, list[str]]]:
    """Return the id and the told values of each feature; a null is an empty text."""
    tellers = [(column.name, reader.formatter(column)) for column in columns]
    return [(str(feature["id"]), _told(feature["properties"], tellers)) for feature in features]


def _told(properties: Mapping[str, Any], tellers: Sequence[tuple[str, Callable[[Any], str]]]) -> list[str]:
    return ["" if (value := properties.get(name)) is None else tell(value) for name, tell in tellers]


def details_of(
    layer: Layer,
    properties: Mapping[str, Any],
    reasons: Mapping[str, Mapping[str, str]],
    reader: Reader,
    place: tuple[str, str | None, frozenset[str]],
) -> list[Detail]:
    """Return every property of a feature but its explanation, which the page tells on its own.

    Parameters
    ----------
    reasons : the manifest's `null_because` of the layer.
    place : root of the addresses, `version=` of the request, names of the layers that are there to link to.
    """
    details = []
    for column in layer.columns:
        value = properties.get(column.name)
        if column.name in _EXPLAINED:
            continue
        reason = reasons.get(column.name, {}).get(reader.lang) if value is None else None
        parts = parts_of_json(value, reader) if column.kind == "json" and value is not None else ()
        cell = None if value is None or parts else _cell(layer, column, value, reader, place)
        details.append(Detail(column.name, reader.title(column), reader.unit(column), cell, reason, parts))
    return details


def _cell(
    layer: Layer, column: Column, value: Any, reader: Reader, place: tuple[str, str | None, frozenset[str]]
) -> Cell:
    root, version, layers = place
    target = _LINKED.get(column.name, "")
    links: tuple[tuple[str, str], ...] = ()
    if target in layers and column.name != layer.id_column:
        names = [name for part in str(value).split(",") if (name := part.strip())]
        links = tuple((item_path(root, target, name, version), name) for name in names)
    return Cell(reader.formatter(column)(value), column.kind in ("integer", "number"), links)


def parts_of_json(text: str, reader: Reader) -> tuple[tuple[str, str], ...]:
    """Return the keys of a JSON object, labelled, with their numbers told; one level of nesting is joined by a dash."""
    return tuple((label, reader.number(value)) for label, value in score_parts(text, reader))


def score_parts(text: str | None, reader: Reader) -> list[tuple[str, float]]:
    """Return the parts of a score, labelled, the largest first."""
    told: Mapping[str, Any] = orjson.loads(text) if text else {}
    flat: list[tuple[str, float]] = []
    for key, value in told.items():
        if isinstance(value, Mapping):
            flat += [(f"{reader.part(key)} – {reader.part(inner)}", float(number)) for inner, number in value.items()]
        else:
            flat.append((reader.part(key), float(value)))
    return sorted(flat, key=lambda part: -part[1])
