"""MapLibre styles (style specification, version 8) of the layers, with the colours and classes of `styles`.

No text is drawn, so no glyphs are needed; no sprite either: a style needs nothing but the tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spatial.contracts import Layer
from spatial.store.levels import POINT_COUNT
from spatial.store.styles import RGB, Look, look

SOURCE = "hexakota"
MEDIA_TYPE = "application/vnd.mapbox.style+json"
_GROUND = "#f7f5f0"
_OUTLINE = "rgba(60,60,60,0.78)"
_RADIUS_PX = 3.0
_AT_FIRST = ("hexagons", "roads", "flood_zones", "lighting_zones", "reports", "lighting_faults", "admin_areas")
_ORDER = (
    *("admin_areas", "catchments", "hexagons", "scenario_cells", "depressions", "scenario_depressions", "buildings"),
    *("streams", "waterways", "roads", "scenario_roads", "flood_zones", "lighting_zones"),
    *("street_lamps", "facilities", "reports", "lighting_faults"),
)  # from the ground up
Expression = list[Any]


def style(name: str, tiles: dict[str, Any], layers: Sequence[Layer], center: tuple[float, float]) -> dict[str, Any]:
    """Return a style.

    Parameters
    ----------
    name : for people.
    tiles : the TileJSON document of the tiles; with it the style needs no other request.
    layers : what is drawn. Of more than one, those that hide the rest are there but not visible at first.
    center : longitude and latitude, degrees.
    """
    ordered = sorted(layers, key=lambda layer: _ORDER.index(layer.name))
    source = {key: tiles[key] for key in ("tiles", "bounds", "minzoom", "maxzoom", "attribution", "scheme")}
    promoted = {layer.name: layer.id_column for layer in ordered}
    return {
        "version": 8,
        "name": name,
        "center": list(center),
        "zoom": 12,
        "sources": {SOURCE: {"type": "vector", **source, "promoteId": promoted}},
        "layers": [
            {"id": "background", "type": "background", "paint": {"background-color": _GROUND}},
            *(_layer(layer, len(layers) == 1 or layer.name in _AT_FIRST) for layer in ordered),
        ],
    }


def _layer(layer: Layer, visible: bool) -> dict[str, Any]:
    drawn = look(layer)
    kind = {"fill": "fill", "line": "line", "marker": "circle"}[drawn.kind]
    return {
        "id": layer.name,
        "type": kind,
        "source": SOURCE,
        "source-layer": layer.name,
        "layout": {"visibility": "visible" if visible else "none"},
        "paint": _paint(drawn),
        "metadata": {"title": f"{layer.title_id} / {layer.title_en}", "legend": _legend(drawn)},
    } | ({"filter": _known(drawn)} if drawn.attribute else {})


def _paint(drawn: Look) -> dict[str, Any]:
    opacity, colour = round(drawn.alpha / 255, 3), _colour(drawn)
    if drawn.kind == "fill":
        return {"fill-color": colour, "fill-opacity": opacity, "fill-outline-color": _OUTLINE}
    if drawn.kind == "line":
        return {"line-color": colour, "line-opacity": opacity, "line-width": 1.2}
    grown = ["^", ["coalesce", ["get", POINT_COUNT], 1], 0.25]  # the area of a disk grows with the root of the count
    return {
        "circle-color": colour,
        "circle-opacity": opacity,
        "circle-radius": ["*", _RADIUS_PX, ["min", grown, 5]],
        "circle-stroke-color": _OUTLINE,
        "circle-stroke-width": 0.5,
    }


def _colour(drawn: Look) -> str | Expression:
    if drawn.attribute is None:
        return css(drawn.colour)
    value = ["get", drawn.attribute]
    if drawn.steps:
        cases = [part for _, high, colour in drawn.steps[:-1] for part in (["<=", value, high], css(colour))]
        return ["case", *cases, css(drawn.steps[-1][2])]
    pairs = [part for name, _, colour in drawn.classes for part in (name, css(colour))]
    return ["match", value, *pairs, "rgba(0,0,0,0)"]


def _known(drawn: Look) -> Expression:
    """Return the filter that keeps features which have a class or a step."""
    value = ["get", drawn.attribute]
    if drawn.steps:
        low, high = drawn.steps[0][0], drawn.steps[-1][1]
        return ["all", ["has", drawn.attribute], [">=", value, low], ["<=", value, high]]
    return ["in", value, ["literal", [name for name, _, _ in drawn.classes]]]


def _legend(drawn: Look) -> list[dict[str, str]]:
    if drawn.steps:
        return [{"label": f"{low:g} – {high:g}", "colour": css(colour)} for low, high, colour in drawn.steps]
    if drawn.classes:
        return [{"label": label, "colour": css(colour)} for _, label, colour in drawn.classes]
    return [{"label": "", "colour": css(drawn.colour)}]


def css(colour: RGB) -> str:
    """Return a colour as CSS has it, such as `#084594`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
