"""How each layer looks: its symbol, colours and classes; and the QGIS style (QML) that is made of them.

QML is kept inside the GeoPackage, so that a layer opens styled, and served beside it; the styles of `maplibre` are made
of the same symbols.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as ET

from spatial.contracts import CATEGORIES, CATEGORY_LABELS, SEVERITIES, Layer

RGB = tuple[int, int, int]
Kind = Literal["fill", "line", "marker"]
FLOOD: dict[str, RGB] = {"low": (158, 202, 225), "medium": (66, 146, 198), "high": (8, 69, 148)}
LIGHTING: dict[str, RGB] = {"low": (254, 217, 118), "medium": (253, 141, 60), "high": (189, 0, 38)}
SEVERITY_LABELS = {"low": "rendah / low", "medium": "sedang / medium", "high": "tinggi / high"}
CATEGORY_COLOURS: dict[str, RGB] = {
    "waste": (140, 86, 75),
    "street_light": (230, 160, 20),
    "flood": (31, 119, 180),
    "drainage": (23, 190, 207),
    "tree": (44, 160, 44),
    "mobility": (148, 103, 189),
    "road": (90, 90, 90),
    "social_aid": (227, 119, 194),
    "other": (170, 170, 170),
}
FAULTS: tuple[tuple[str, str, RGB], ...] = (
    ("circuit", "satu panel / one circuit", (189, 0, 38)),
    ("lamp", "satu lampu / one lamp", (253, 174, 97)),
)
SCORE_STEPS: tuple[tuple[float, float, RGB], ...] = (
    (0.0, 0.2, (247, 251, 255)),
    (0.2, 0.4, (198, 219, 239)),
    (0.4, 0.6, (107, 174, 214)),
    (0.6, 0.8, (33, 113, 181)),
    (0.8, 1.0, (8, 48, 107)),
)


# layers of one symbol: kind, colour, opacity
SINGLE: dict[str, tuple[Kind, RGB, int]] = {
    "roads": ("line", (110, 110, 110), 255),
    "admin_areas": ("fill", (250, 244, 220), 60),
    "streams": ("line", (31, 119, 180), 255),
    "catchments": ("fill", (166, 206, 227), 50),
    "depressions": ("fill", (116, 173, 209), 150),
    "scenario_depressions": ("fill", (253, 174, 97), 90),
    "scenario_roads": ("line", (215, 48, 39), 255),
    "waterways": ("line", (8, 81, 156), 255),
    "buildings": ("fill", (150, 130, 110), 200),
    "facilities": ("marker", (106, 61, 154), 255),
    "street_lamps": ("marker", (255, 200, 40), 255),
}


@dataclass(frozen=True, slots=True)
class Look:
    """How a layer is drawn: by the classes of one column, by steps of one, or all alike. Other values are not drawn.

    Attributes
    ----------
    alpha : opacity of the colours, 0–255.
    attribute : the column that decides; None: `colour` for all.
    classes : value, label and colour of each class.
    steps : lowest and highest value and colour of each step; a value on a border belongs to the lower step.
    """

    kind: Kind
    alpha: int
    attribute: str | None = None
    classes: tuple[tuple[str, str, RGB], ...] = ()
    steps: tuple[tuple[float, float, RGB], ...] = ()
    colour: RGB = (0, 0, 0)


def look(layer: Layer) -> Look:
    """Return how a layer is drawn."""
    if layer.name == "flood_zones":
        return Look("fill", 180, "severity", tuple((s, SEVERITY_LABELS[s], FLOOD[s]) for s in SEVERITIES))
    if layer.name == "lighting_zones":
        return Look("fill", 180, "severity", tuple((s, SEVERITY_LABELS[s], LIGHTING[s]) for s in SEVERITIES))
    if layer.name == "lighting_faults":
        return Look("marker", 255, "kind", FAULTS)
    if layer.name == "hexagons":
        return Look("fill", 180, "flood_score", steps=SCORE_STEPS)
    if layer.name == "scenario_cells":
        return Look("fill", 180, "water_share", steps=SCORE_STEPS)
    if layer.name == "reports":
        rows = ((c, " / ".join(CATEGORY_LABELS[c]), CATEGORY_COLOURS[c]) for c in CATEGORIES)
        return Look("marker", 220, "category", tuple(rows))
    kind, colour, alpha = SINGLE[layer.name]
    return Look(kind, alpha, colour=colour)


def qml(layer: Layer) -> str:
    """Return the QML document of a layer: its renderer, and the Indonesian title of every field as alias."""
    root = ET.Element("qgis", version="3.22.0", styleCategories="Symbology|Fields")
    root.append(_renderer(layer))
    aliases = ET.SubElement(root, "aliases")
    for index, column in enumerate(layer.columns, start=1):
        ET.SubElement(aliases, "alias", field=column.name, index=str(index), name=column.title_id)
    return "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + ET.tostring(root, encoding="unicode")


def _renderer(layer: Layer) -> ET.Element:
    drawn = look(layer)
    if drawn.attribute is not None and drawn.steps:
        return _graduated(drawn.attribute, drawn.steps, drawn.alpha)
    if drawn.attribute is not None:
        return _categories(drawn.attribute, drawn.classes, drawn.kind, drawn.alpha)
    element = ET.Element("renderer-v2", type="singleSymbol", symbollevels="0", enableorderby="0", forceraster="0")
    ET.SubElement(element, "symbols").append(_symbol("0", drawn.kind, drawn.colour, drawn.alpha))
    return element


def _categories(attribute: str, rows: Sequence[tuple[str, str, RGB]], kind: str, alpha: int) -> ET.Element:
    element = ET.Element(
        "renderer-v2", type="categorizedSymbol", attr=attribute, symbollevels="0", enableorderby="0", forceraster="0"
    )
    categories, symbols = ET.SubElement(element, "categories"), ET.SubElement(element, "symbols")
    for index, (value, label, colour) in enumerate(rows):
        ET.SubElement(categories, "category", value=value, label=label, symbol=str(index), render="true", type="string")
        symbols.append(_symbol(str(index), kind, colour, alpha))
    return element


def _graduated(attribute: str, steps: Sequence[tuple[float, float, RGB]], alpha: int) -> ET.Element:
    element = ET.Element(
        "renderer-v2",
        type="graduatedSymbol",
        attr=attribute,
        graduatedMethod="GraduatedColor",
        symbollevels="0",
        enableorderby="0",
        forceraster="0",
    )
    ranges, symbols = ET.SubElement(element, "ranges"), ET.SubElement(element, "symbols")
    for index, (low, high, colour) in enumerate(steps):
        ET.SubElement(
            ranges,
            "range",
            lower=f"{low:.15f}",
            upper=f"{high:.15f}",
            label=f"{low:g} – {high:g}",
            symbol=str(index),
            render="true",
        )
        symbols.append(_symbol(str(index), "fill", colour, alpha))
    return element


_LAYER_CLASS = {"fill": "SimpleFill", "line": "SimpleLine", "marker": "SimpleMarker"}


def _symbol(name: str, kind: str, colour: RGB, alpha: int) -> ET.Element:
    symbol = ET.Element("symbol", name=name, type=kind, alpha="1", clip_to_extent="1", force_rhr="0")
    layer = ET.SubElement(symbol, "layer", {"class": _LAYER_CLASS[kind], "enabled": "1", "locked": "0", "pass": "0"})
    paint = ",".join(map(str, (*colour, alpha)))
    for key, value in _properties(kind, paint).items():
        ET.SubElement(layer, "prop", k=key, v=value)
    return symbol


def _properties(kind: str, paint: str) -> dict[str, str]:
    if kind == "line":
        return {"line_color": paint, "line_width": "0.26", "line_width_unit": "MM", "line_style": "solid"}
    outline = {"outline_color": "60,60,60,200", "outline_width": "0.2", "outline_style": "solid"}
    return outline | {"color": paint} | ({"size": "1.6", "name": "circle"} if kind == "marker" else {"style": "solid"})
