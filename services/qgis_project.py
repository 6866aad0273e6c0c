"""A QGIS project (`.qgs`) whose layers point at this server: styled, with aliases, map tips, legend and a print layout.

Written for QGIS 3.22's format, which later versions read. Nothing of the data is inside: QGIS fetches it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from pyproj import CRS, Transformer

from spatial.contracts import Column, Layer
from spatial.store.styles import qml

PAGE_SIZE = 1000
_GROUPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Zona", "Zones", ("lighting_faults", "lighting_zones", "flood_zones")),
    ("Laporan", "Reports", ("reports",)),
    ("Skenario", "Scenario", ("scenario_roads", "scenario_depressions", "scenario_cells")),
    ("Jaringan", "Network", ("street_lamps", "roads", "waterways", "streams")),
    ("Latar", "Context", ("facilities", "buildings", "depressions", "admin_areas", "hexagons", "catchments")),
)
_SHOWN = ("lighting_zones", "flood_zones", "roads", "admin_areas", "hexagons")
_POLYGONS = {"Point": "Point", "LineString": "Line", "MultiLineString": "Line"}
_TIP_COLUMNS = 6
_LAYOUT_ITEM = {"map": "65639", "legend": "65642", "label": "65641", "scale": "65646", "page": "65638"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a project is about.

    Attributes
    ----------
    title : the city's name, with the mark of a synthetic one.
    url : address of the server.
    crs : the city's UTM zone.
    bbox : west, south, east, north of what is drawn, degrees.
    subtitle : version and date, for the printed page.
    attribution : of the data, for the printed page.
    """

    title: str
    url: str
    crs: CRS
    bbox: tuple[float, float, float, float]
    subtitle: str
    attribution: str


def project(sheet: Sheet, layers: dict[Layer, tuple[float, float, float, float]], lang: str) -> bytes:
    """Return the project as XML in UTF-8.

    Parameters
    ----------
    layers : the layers to show and their bounds in degrees.
    lang : language of titles, `id` or `en`.
    """
    root = ET.Element("qgis", projectname=sheet.title, version="3.22.0-Białowieża")
    ET.SubElement(root, "title").text = sheet.title
    ET.SubElement(root, "projectCrs").append(_reference_system(sheet.crs))
    grouped = _grouped(layers, lang)
    tree = ET.SubElement(root, "layer-tree-group")
    for title, members in grouped:
        branch = ET.SubElement(tree, "layer-tree-group", name=title, expanded="1", checked="Qt::Checked")
        for layer in members:
            branch.append(_tree_layer(layer, sheet, lang))
    canvas = ET.SubElement(root, "mapcanvas", name="theMapCanvas", annotationsVisible="1")
    ET.SubElement(canvas, "units").text = "meters"
    canvas.append(_extent_of(_plane_bounds(sheet)))
    ET.SubElement(canvas, "destinationsrs").append(_reference_system(sheet.crs))
    listed = ET.SubElement(root, "projectlayers")
    order = ET.SubElement(root, "layerorder")
    for _, members in grouped:
        for layer in members:
            listed.append(_map_layer(layer, sheet, layers[layer], lang))
            ET.SubElement(order, "layer", id=_identifier(layer))
    root.append(_view(sheet))
    projections = ET.SubElement(ET.SubElement(root, "properties"), "SpatialRefSys")
    ET.SubElement(projections, "ProjectionsEnabled", type="int").text = "1"  # else QGIS forgets the project's CRS
    ET.SubElement(root, "Layouts").append(_layout(sheet, lang))
    head = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    return (head + ET.tostring(root, encoding="unicode")).encode()


def _grouped(layers: dict[Layer, Any], lang: str) -> list[tuple[str, list[Layer]]]:
    """Return the layers by group, uppermost first."""
    by_name = {layer.name: layer for layer in layers}
    named = [(en if lang == "en" else id_, [by_name[n] for n in names if n in by_name]) for id_, en, names in _GROUPS]
    return [(title, members) for title, members in named if members]


def _identifier(layer: Layer) -> str:
    return f"hexakota_{layer.name}"


def _title(thing: Layer | Column, lang: str) -> str:
    return thing.title_en if lang == "en" else thing.title_id


def _source(layer: Layer, sheet: Sheet) -> str:
    return (
        f"restrictToRequestBBOX='1' typename='{layer.name}' url='{sheet.url}' pagingEnabled='true' "
        f"pageSize='{PAGE_SIZE}'"
    )


def _tree_layer(layer: Layer, sheet: Sheet, lang: str) -> ET.Element:
    return ET.Element(
        "layer-tree-layer",
        id=_identifier(layer),
        name=_title(layer, lang),
        source=_source(layer, sheet),
        providerKey="OAPIF",
        expanded="1" if layer.name in _SHOWN[:2] else "0",
        checked="Qt::Checked" if layer.name in _SHOWN else "Qt::Unchecked",
    )


def _map_layer(layer: Layer, sheet: Sheet, bbox: tuple[float, float, float, float], lang: str) -> ET.Element:
    kind = _POLYGONS.get(layer.geometry, "Polygon")
    element = ET.Element(
        "maplayer", type="vector", geometry=kind, wkbType=layer.geometry, styleCategories="AllStyleCategories"
    )
    element.append(_extent_of(bbox))
    ET.SubElement(element, "id").text = _identifier(layer)
    ET.SubElement(element, "datasource").text = _source(layer, sheet)
    ET.SubElement(element, "layername").text = _title(layer, lang)
    ET.SubElement(element, "srs").append(_reference_system(CRS.from_epsg(4326)))
    ET.SubElement(element, "provider", encoding="").text = "OAPIF"
    ET.SubElement(element, "attribution", href="").text = sheet.attribution
    for part in ET.fromstring(qml(layer).split("\n", 1)[1]):
        element.append(part)
    aliases = element.find("aliases")
    for alias, column in zip(aliases if aliases is not None else (), layer.columns, strict=True):
        alias.set("name", _title(column, lang))
    ET.SubElement(element, "previewExpression").text = f'"{layer.id_column}"'
    ET.SubElement(element, "mapTip").text = map_tip(layer, lang)
    return element


def map_tip(layer: Layer, lang: str) -> str:
    """Return the HTML that QGIS shows under the pointer: the first columns, and why where the layer explains itself."""
    explanation = next((c for c in layer.columns if c.name == f"explanation_{lang}"), None)
    told = [c for c in layer.columns if c.kind != "json" and not c.name.startswith("explanation")][:_TIP_COLUMNS]
    rows = "".join(
        f"<tr><td>{_title(column, lang)}</td><td>{_shown(column)}{f' {column.unit}' if column.unit else ''}</td></tr>"
        for column in told
    )
    why = f"<p>{_shown(explanation)}</p>" if explanation else ""
    return f"<b>{_title(layer, lang)}</b><table>{rows}</table>{why}"


def _shown(column: Column) -> str:
    """Return QGIS's expression of a value in HTML; what people wrote must not be read as HTML."""
    if column.kind == "number":
        return f'[% round("{column.name}", 3) %]'
    escaped = f"replace(to_string(\"{column.name}\"), map('&', '&amp;', '<', '&lt;', '>', '&gt;'))"
    return f"[% {escaped if column.kind == 'string' else f'"{column.name}"'} %]"


def _reference_system(crs: CRS) -> ET.Element:
    element = ET.Element("spatialrefsys")
    epsg = crs.to_epsg()
    ET.SubElement(element, "wkt").text = crs.to_wkt()
    ET.SubElement(element, "srid").text = str(epsg)
    ET.SubElement(element, "authid").text = f"EPSG:{epsg}"
    ET.SubElement(element, "description").text = crs.name
    return element


def _extent_of(bounds: tuple[float, float, float, float]) -> ET.Element:
    element = ET.Element("extent")
    for name, value in zip(("xmin", "ymin", "xmax", "ymax"), bounds, strict=True):
        ET.SubElement(element, name).text = repr(float(value))
    return element


def _plane_bounds(sheet: Sheet) -> tuple[float, float, float, float]:
    """Return the bounds in the city's UTM zone, with a margin of a twentieth."""
    west, south, east, north = Transformer.from_crs(4326, sheet.crs, always_xy=True).transform_bounds(*sheet.bbox)
    x, y = (east - west) / 20, (north - south) / 20
    return west - x, south - y, east + x, north + y


def _view(sheet: Sheet) -> ET.Element:
    view = ET.Element("ProjectViewSettings", UseProjectScales="0", rotation="0")
    west, south, east, north = map(repr, _plane_bounds(sheet))
    extent = ET.SubElement(view, "DefaultViewExtent", xmin=west, ymin=south, xmax=east, ymax=north)
    extent.append(_reference_system(sheet.crs))
    return view


def _layout(sheet: Sheet, lang: str) -> ET.Element:
    """Return an A4 page, landscape: title, map, legend, scale, where the data is from."""
    layout = ET.Element("Layout", name="A4", units="mm", printResolution="300", worldFileMap="")
    pages = ET.SubElement(layout, "PageCollection")
    _item(pages, "page", (0, 0, 297, 210))
    legend_title = "Legend" if lang == "en" else "Legenda"
    map_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{sheet.url}/map"))
    drawn = _item(layout, "map", (10, 26, 210, 168), uuid=f"{{{map_id}}}", followPreset="false", keepLayerSet="false")
    drawn.set("frame", "true")
    west, south, east, north = _filling(_plane_bounds(sheet), 210 / 168)
    ET.SubElement(drawn, "Extent", xmin=repr(west), ymin=repr(south), xmax=repr(east), ymax=repr(north))
    legend = {"title": legend_title, "map_uuid": f"{{{map_id}}}", "resizeToContents": "1", "legendFilterByMap": "1"}
    _item(layout, "legend", (224, 26, 63, 150), **legend, symbolWidth="6", symbolHeight="3", columnCount="1")
    _label(layout, (10, 8, 277, 9), sheet.title, 16)
    _label(layout, (10, 17, 277, 7), sheet.subtitle, 9)
    _label(layout, (10, 197, 277, 8), sheet.attribution, 7)
    _item(
        layout,
        "scale",
        (224, 182, 60, 12),
        mapUuid=f"{{{map_id}}}",
        style="Single Box",
        unitType="km",
        unitLabel="km",
        numMapUnitsPerScaleBarUnit="1",
        segmentSizeMode="1",
        minBarWidth="25",
        maxBarWidth="50",
        numSegments="2",
        numSegmentsLeft="0",
    )
    return layout


def _filling(bounds: tuple[float, float, float, float], ratio: float) -> tuple[float, float, float, float]:
    """Return bounds of the given width by height around the same centre, not smaller."""
    west, south, east, north = bounds
    width, height = max(east - west, (north - south) * ratio), max(north - south, (east - west) / ratio)
    x, y = (west + east) / 2, (south + north) / 2
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _item(parent: ET.Element, kind: str, box: tuple[float, float, float, float], **more: str) -> ET.Element:
    x, y, width, height = box
    place = {"position": f"{x},{y},mm", "positionOnPage": f"{x},{y},mm", "size": f"{width},{height},mm"}
    common = {"visibility": "1", "opacity": "1", "referencePoint": "0", "background": "true", "frame": "false"}
    number = str(len(parent.findall("LayoutItem")) + 1)
    own = {"type": _LAYOUT_ITEM[kind], "zValue": number}
    return ET.SubElement(parent, "LayoutItem", common | place | own | more)


def _label(layout: ET.Element, box: tuple[float, float, float, float], text: str, size: int) -> None:
    label = _item(layout, "label", box, labelText=text, halign="1", valign="128", htmlState="0")
    label.set("background", "false")
    ET.SubElement(label, "LabelFont", description=f"Sans Serif,{size},-1,5,50,0,0,0,0,0")
