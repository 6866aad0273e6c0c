"""Features as rows for people: which columns come first, each value told in the reader's language, links to others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import orjson
from markupsafe import Markup, escape

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
_UNIT = "\x1f"  # between texts that are escaped together
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


def is_number(column: Column) -> bool:
    """Tell whether a column's values stand at the right of their cell."""
    return column.kind in ("integer", "number")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the features of a collection have their pages: on this host, in the version that was asked for, if any."""

    root: str
    collection: str
    version: str | None

    def of(self, identifier: str) -> str:
        """Return the address of a feature's page."""
        pinned = f"?version={quote(self.version, safe='')}" if self.version else ""
        return f"{self.root}/collections/{self.collection}/items/{quote(identifier, safe='')}{pinned}"


def rows_of(
    features: Sequence[Mapping[str, Any]], columns: Sequence[Column], reader: Reader, place: Place
) -> list[Markup]:
    """Return a table's row for each feature: its id, which leads to its page, and its told values; nulls are empty.

    A row is escaped as one text: a value at a time, in the template, took four times as long.
    """
    tellers = [(column.name, reader.formatter(column)) for column in columns]
    cells = "".join('<td class="r">%s</td>' if is_number(column) else "<td>%s</td>" for column in columns)
    row = f'<tr><th scope="row"><a href="%s">%s</a></th>{cells}</tr>'
    rows = []
    for feature in features:
        identifier, properties = str(feature["id"]), feature["properties"]
        told = ["" if (value := properties.get(name)) is None else tell(value) for name, tell in tellers]
        rows.append(Markup(row % tuple(_escaped([place.of(identifier), identifier, *told]))))
    return rows


def _escaped(texts: Sequence[str]) -> Sequence[str]:
    pieces = str(escape(_UNIT.join(texts))).split(_UNIT)
    return pieces if len(pieces) == len(texts) else [str(escape(text)) for text in texts]


def details_of(
    layer: Layer,
    properties: Mapping[str, Any],
    reasons: Mapping[str, Mapping[str, str]],
    reader: Reader,
    place: Place,
    layers: Collection[str],
) -> list[Detail]:
    """Return every property of a feature but its explanation, which the page tells on its own.

    Parameters
    ----------
    reasons : the manifest's `null_because` of the layer.
    place : where the features of this layer have their pages.
    layers : names of the layers that are there to link to.
    """
    details = []
    for column in layer.columns:
        value = properties.get(column.name)
        if column.name in _EXPLAINED:
            continue
        reason = reasons.get(column.name, {}).get(reader.lang) if value is None else None
        parts = parts_of_json(value, reader) if column.kind == "json" and value is not None else ()
        target = _LINKED.get(column.name, "") if column.name != layer.id_column else ""
        told = None
        if value is not None and not parts:
            links = _links(str(value), replace(place, collection=target)) if target in layers else ()
            told = Cell(reader.formatter(column)(value), links)
        details.append(Detail(column.name, reader.title(column), reader.unit(column), told, reason, parts))
    return details


def _links(names: str, place: Place) -> tuple[tuple[str, str], ...]:
    return tuple((place.of(name), name) for part in names.split(",") if (name := part.strip()))


def parts_of_json(text: str, reader: Reader) -> tuple[tuple[str, str], ...]:
    """Return the keys of a JSON object, labelled, with their numbers told; one level of nesting is joined by a dash."""
    return tuple((label, reader.number(value)) for label, value in score_parts(text, reader))


def score_parts(text: str | None, reader: Reader) -> list[tuple[str, float]]:
    """Return the parts of a score, labelled, the largest first."""
    told: Mapping[str, Any] = orjson.loads(text) if text else {}
    flat: list[tuple[str, float]] = []
    for key, value in told.items():
        if isinstance(value, Mapping):
            of = f"{reader.part(key)} – " if len(told) > 1 else ""
            flat += [(of + reader.part(inner), float(number)) for inner, number in value.items()]
        else:
            flat.append((reader.part(key), float(value)))
    return sorted(flat, key=lambda part: -part[1])
