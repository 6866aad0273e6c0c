"""GraphML street networks, as OSMnx writes them, as tables of street segments.

Both directions of a two-way street are edges of the graph; a segment stands here once. The graph itself is not built.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import geopandas as gpd
import pandas as pd
import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError

from spatial.errors import InputError

_NS = "{http://graphml.graphdrawing.org/xmlns}"
# Of a segment that was joined from ways of several classes, the class that comes first here counts.
_CLASSES = (
    *(f"{name}{link}" for name in ("motorway", "trunk", "primary", "secondary", "tertiary") for link in ("", "_link")),
    *("unclassified", "residential", "living_street", "service", "pedestrian", "track", "cycleway", "footway", "path"),
    "steps",
)
_COLUMNS = ("road_id", "osmid", "highway", "name", "lit", "oneway", "directions")


def check_xml(path: Path, root: str) -> None:
    """Raise InputError where a file is not whole XML with the element `root` at its top."""
    for first, element in _elements(path):
        element.clear()
        if first.tag.removeprefix(_NS) != root:
            raise InputError(path, "file", f"the document is <{first.tag}>, not <{root}>", "deliver another file")


def read_graphml(path: Path, layer: str | None = None, where: str | None = None) -> gpd.GeoDataFrame:
    """Return the street segments of a graph, in the graph's CRS, in the order of the file.

    Two edges between the same two nodes whose lines are the same, either way round, are one segment; its line is that
    of the edge that comes first. An edge without a line gets the straight one between its nodes. `road_id` is
    `way/<ids of the OSM ways>/<lower node>-<higher node>`; values that the joining of ways made a list are joined by
    ";", but of `highway` the highest class. `directions` is the number of edges, 1 or 2.

    Raises
    ------
    InputError
        Not GraphML, cut off, without a CRS, an edge whose node is not in the file or has no place.
    """
    keys: dict[str, str] = {}
    graph: dict[str, str] = {}
    nodes: dict[str, tuple[float, float]] = {}
    segments: dict[tuple[Any, ...], dict[str, Any]] = {}
    for root, element in _elements(path):
        if root.tag != f"{_NS}graphml":
            raise InputError(path, "file", f"the document is <{root.tag}>, not GraphML", "deliver OSMnx's GraphML")
        if element.tag == f"{_NS}key":
            keys[element.get("id", "")] = element.get("attr.name", "")
        elif element.tag == f"{_NS}node":
            nodes |= _node(path, element, _data(element, keys))
        elif element.tag == f"{_NS}edge":
            _add_edge(path, element, _data(element, keys), nodes, segments)
        elif element.tag == f"{_NS}graph":
            graph |= _data(element, keys)
        if element.tag in (f"{_NS}node", f"{_NS}edge"):
            element.clear()
    table = pd.DataFrame(list(segments.values()), columns=[*_COLUMNS, "geometry"])
    return gpd.GeoDataFrame(table, geometry="geometry", crs=_crs(path, graph.get("crs")))


def _elements(path: Path) -> Iterator[tuple[ET.Element, ET.Element]]:
    """Yield the document's root and each element as it ends; raises InputError where the XML is broken."""
    root: ET.Element | None = None
    try:
        for event, element in ET.iterparse(path, ("start", "end")):
            if root is None:
                root = element
            if event == "end":
                yield root, element
    except ET.ParseError as error:
        raise InputError(path, "file", f"is cut off or not XML ({error})", "deliver the file again") from error


def _data(element: ET.Element, keys: Mapping[str, str]) -> dict[str, str]:
    items = element.findall(f"{_NS}data")
    return {keys.get(item.get("key", ""), ""): item.text for item in items if item.text is not None}


def _node(path: Path, element: ET.Element, data: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    name = element.get("id", "")
    try:
        return {name: (float(data["x"]), float(data["y"]))}
    except (KeyError, ValueError) as error:
        raise InputError(path, f"node {name}", "has no x and y", "deliver OSMnx's GraphML") from error


def _add_edge(
    path: Path,
    element: ET.Element,
    data: Mapping[str, str],
    nodes: Mapping[str, tuple[float, float]],
    segments: dict[tuple[Any, ...], dict[str, Any]],
) -> None:
    ends = (element.get("source", ""), element.get("target", ""))
    try:
        places = [nodes[end] for end in ends]
        text = data.get("geometry")
        line = shapely.LineString(places) if text is None else shapely.from_wkt(text)
    except (KeyError, shapely.errors.GEOSException) as error:
        problem = f"a node or its line is not readable ({error})"
        raise InputError(path, f"edge {ends[0]}-{ends[1]}", problem, "deliver OSMnx's GraphML") from error
    low, high = sorted(ends, key=lambda node: (len(node), node))
    key = (low, high, _either_way(line))
    if key in segments:
        segments[key]["directions"] += 1
        return
    ways = sorted(_values(data.get("osmid")), key=lambda way: (len(way), way))
    classes = _values(data.get("highway"))
    segments[key] = {
        "road_id": f"way/{'+'.join(ways)}/{low}-{high}" if ways else None,
        "osmid": _joined(ways),
        "highway": min(classes, key=_rank) if classes else None,
        "name": _joined(sorted(_values(data.get("name")))),
        "lit": _joined(sorted(_values(data.get("lit")))),
        "oneway": data.get("oneway"),
        "directions": 1,
        "geometry": line,
    }


def _either_way(line: Any) -> bytes:
    """Return the same bytes for a line and its reverse, on a grid of 1e-9 units (OSMnx writes both from one)."""
    rounded = shapely.set_precision(line, 1e-9, mode="pointwise")
    return min(bytes(shapely.to_wkb(line)) for line in (rounded, shapely.reverse(rounded)))


def _values(text: str | None) -> list[str]:
    """Return the distinct values of an attribute: OSMnx writes a list of several as Python's own text."""
    if text is None or text in ("", "nan", "None"):
        return []
    if not text.startswith("["):
        return [text]
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return [text]
    return list(dict.fromkeys(str(value) for value in found if value is not None and value == value))


def _joined(values: list[str]) -> str | None:
    return ";".join(values) or None


def _rank(name: str) -> tuple[int, str]:
    return (_CLASSES.index(name) if name in _CLASSES else len(_CLASSES), name)


def _crs(path: Path, text: str | None) -> CRS:
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise InputError(path, "crs", f"the graph's CRS ({text}) is not known", "save it with OSMnx") from error
