"""What the map of a page draws: layers of our own API, their colours, their legend. The script needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.labels import Reader
from services.messages import TEXTS
from services.parts import Part
from services.rendering import base_map
from services.shown import Context, Shown
from services.tables import main_columns
from spatial.contracts import CATEGORIES, SEVERITIES, Layer
from spatial.registry import LAYER_BY_NAME
from spatial.store import styles

_TILESETS = "tilesets-vector"
LIMIT = 2000  # features that the script loads of a layer at once
UNDERLAY = ("admin_areas", "roads")  # in place of a base map
_KINDS: Mapping[str, str] = {
    "Point": "circle",
    "LineString": "line",
    "MultiLineString": "line",
    "Polygon": "fill",
    "MultiPolygon": "fill",
}
_GRADUATED = {"hexagons": "flood_score", "scenario_cells": "water_share"}

Paint = dict[str, Any]


def paint_of(layer: Layer, reader: Reader) -> Paint:
    """Return how a layer is drawn, in the colours of its QGIS style.

    `kind` is fill, line or circle. `classes` hold a label and a colour each, with `value` (equal to it) or `from` (from
    it up) of `attribute`, or neither where the layer has one symbol. `rim` is the colour of a thin outline; without it
    the outline is as the filling.
    """
    return {"kind": _KINDS[layer.geometry]} | _classes(layer, reader)


def _classes(layer: Layer, reader: Reader) -> Paint:
    if layer.name in _GRADUATED:
        steps = [
            {"from": low, "label": f"{reader.bound(low)} – {reader.bound(high)}", "colour": _hex(colour)}
            for low, high, colour in styles.SCORE_STEPS
        ]
        return {"attribute": _GRADUATED[layer.name], "classes": steps, "opacity": 0.6, "rim": "#9aa5af"}
    named = {
        "flood_zones": ("severity", [(name, styles.FLOOD[name]) for name in SEVERITIES]),
        "lighting_zones": ("severity", [(name, styles.LIGHTING[name]) for name in SEVERITIES]),
        "lighting_faults": ("kind", [(name, colour) for name, _, colour in styles.FAULTS]),
        "reports": ("category", [(name, styles.CATEGORY_COLOURS[name]) for name in CATEGORIES]),
    }
    if layer.name in named:
        attribute, rows = named[layer.name]
        classes = [{"value": name, "label": reader.value(name), "colour": _hex(colour)} for name, colour in rows]
        return {"attribute": attribute, "classes": classes, "opacity": 0.75}
    _, colour, alpha = styles.SINGLE[layer.name]
    title = reader.of((layer.title_id, layer.title_en))
    return {"attribute": None, "classes": [{"label": title, "colour": _hex(colour)}], "opacity": max(alpha / 255, 0.2)}


def _hex(colour: styles.RGB) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def layer_on_map(name: str, reader: Reader, root: str, version: str, filters: str, tiles: str | None) -> dict[str, Any]:
    """Return one layer for the script: where its features are, how they are drawn, what a pop-up tells.

    Parameters
    ----------
    version : the one that the page shows.
    filters : the filters of the page, encoded; empty for none.
    tiles : address of its tile set, or None: then its features are loaded as GeoJSON, as far as the view goes.
    """
    layer = LAYER_BY_NAME[name]
    columns = {column.name: column for column in layer.columns}
    main = [columns[key] for key in main_columns(layer)]
    items = f"{root}/collections/{name}/items"
    return {
        "name": name,
        "title": reader.of((layer.title_id, layer.title_en)),
        "id": layer.id_column,
        "items": items,
        "query": filters,
        "version": version,
        "tiles": tiles,
        "limit": LIMIT,
        "paint": paint_of(layer, reader),
        "columns": [[c.name, reader.title(c), reader.unit(c), c.kind, bool(c.values)] for c in main],
    }


def script_texts(lang: str) -> dict[str, str]:
    """Return the sentences that the script says."""
    texts = TEXTS[lang]
    return {"more": texts.map_more, "failed": texts.map_failed, "open": texts.map_open, "empty": texts.empty}


def labels_of(layers: Sequence[str], reader: Reader) -> dict[str, str]:
    """Return the labels of every enumerated value that a pop-up of these layers can show."""
    values = {
        value
        for name in layers
        for column in LAYER_BY_NAME[name].columns
        if column.name in main_columns(LAYER_BY_NAME[name])
        for value in column.values or ()
    }
    return {value: reader.value(value) for value in sorted(values)}


def map_of(
    seen: Shown, names: list[str], bbox: list[float] | None, filters: str = "", feature: str | None = None
) -> Context:
    """Return what the script and the legend need to draw layers over the city's own roads and borders.

    Parameters
    ----------
    bbox : west, south, east, north of the first view; None for all of the first layer.
    filters : the page's filters as a query; a tile knows none, so features are loaded where there are any.
    feature : address of the one feature that is marked and that the first view shows, as GeoJSON.
    """
    layers = seen.manifest["layers"]
    under = [name for name in UNDERLAY if name not in names and layers.get(name, {}).get("rows")]
    drawn = []
    for name in [*under, *names]:
        own = filters if name in names else ""
        tiles = None if own else _tiles(seen, name)
        row = layer_on_map(name, seen.reader, seen.root, seen.manifest["version"], own, tiles)
        drawn.append(row | {"under": name in under})
    box = bbox or layers[names[0]]["bbox"] or seen.manifest["city"]["area"]["bbox"]
    shown_layers = [row for row in drawn if not row["under"]]
    script = {
        "bbox": box,
        "layers": drawn,
        "basemap": base_map(seen.edition),
        "texts": script_texts(seen.reader.lang),
        "labels": labels_of(names, seen.reader),
        "lang": seen.reader.lang,
        "feature": feature,
    }
    return {"script": script, "legend": shown_layers, "limit": LIMIT}


def _tiles(seen: Shown, name: str) -> str | None:
    parts: tuple[Part, ...] = seen.request.app.state.parts
    links = (link for part in parts for link in part.collection_links(seen.edition, name))
    if not any(link["rel"].endswith(_TILESETS) for link in links):
        return None
    return f"{seen.root}/collections/{name}/tiles/WebMercatorQuad"
