"""Roads in every format: the same streets from each, and a street of a graph once, not once per direction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import osmium
import osmnx
import pandas as pd
import pytest
import shapely

from spatial.errors import InputError
from spatial.hexgrid.join import city_grid, line_lengths, to_plane
from spatial.sources.roads import RoadSource, read_roads
from spatial.sources.vectors import VECTOR_FORMATS, read_vectors

from .data import real

KEYS = {"d0": ("graph", "crs"), "d1": ("node", "x"), "d2": ("node", "y")} | {
    f"d{i}": ("edge", name) for i, name in enumerate(("osmid", "highway", "name", "geometry", "oneway"), 3)
}


def graphml(path: Path, edges: str, crs: str | None = "epsg:4326", nodes: str | None = None) -> Path:
    """Write a graph of the nodes 1 (0, 0), 2 (1, 0), 3 (1, 1)."""
    keys = "".join(f'<key id="{key}" for="{of}" attr.name="{name}"/>' for key, (of, name) in KEYS.items())
    places = nodes or "".join(
        f'<node id="{n}"><data key="d1">{x}</data><data key="d2">{y}</data></node>'
        for n, x, y in ((1, 0, 0), (2, 1, 0), (3, 1, 1))
    )
    about = f'<data key="d0">{crs}</data>' if crs else ""
    graph = f'<graph edgedefault="directed">{about}{places}{edges}</graph>'
    path.write_text(f'<graphml xmlns="http://graphml.graphdrawing.org/xmlns">{keys}{graph}</graphml>')
    return path


def edge(u: int, v: int, osmid: str = "9", highway: str = "residential", geometry: str = "", name: str = "") -> str:
    data = {"d3": osmid, "d4": highway, "d5": name, "d6": geometry}
    inside = "".join(f'<data key="{key}">{value}</data>' for key, value in data.items() if value)
    return f'<edge source="{u}" target="{v}">{inside}</edge>'


def test_a_street_of_a_graph_stands_once(tmp_path: Path) -> None:
    bent = "LINESTRING (1 0, 1.5 0.5, 1 1)"
    path = graphml(
        tmp_path / "g.graphml",
        edge(1, 2)
        + edge(2, 1)
        + edge(2, 3, "[12, 7]", "['service', 'primary']", bent, "['B', 'A']")
        + edge(3, 2, "[7, 12]", "['primary', 'service']", "LINESTRING (1 1, 1.5 0.5, 1 0)")
        + edge(2, 3, "8")
        + edge(3, 1, "8"),
    )
    features = read_vectors(path)
    assert features["directions"].tolist() == [2, 2, 1, 1]
    table = read_roads(RoadSource(path))
    assert (table.rows_in, table.rows_used, len(table.quarantine)) == (4, 4, 0)
    assert table.roads["road_id"].tolist() == ["way/9/1-2", "way/7+12/2-3", "way/8/2-3", "way/8/1-3"]
    assert table.roads["highway"].tolist() == ["residential", "primary", "residential", "residential"]
    assert table.roads["name"].tolist()[1] == "A;B"
    assert table.roads.geometry.to_wkt().tolist()[:2] == ["LINESTRING (0 0, 1 0)", bent]


@pytest.mark.parametrize(
    ("edges", "crs", "nodes", "problem"),
    [
        (edge(1, 2), None, None, "crs: the graph's CRS"),
        (edge(1, 4), "epsg:4326", None, "edge 1-4: a node or its line"),
        (edge(1, 2, geometry="LINE"), "epsg:4326", None, "edge 1-2: a node or its line"),
        (edge(1, 2), "epsg:4326", '<node id="1"/>', "node 1: has no x and y"),
    ],
)
def test_a_graph_that_cannot_be_used(tmp_path: Path, edges: str, crs: str | None, nodes: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        read_roads(RoadSource(graphml(tmp_path / "g.graphml", edges, crs, nodes)))


def test_xml_that_is_cut_off_or_another_document(tmp_path: Path) -> None:
    whole = graphml(tmp_path / "g.graphml", edge(1, 2)).read_text()
    for name, text in (("cut.graphml", whole[:-20]), ("cut.osm", "<osm><node id='1'/>")):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match="cut off"):
            read_roads(RoadSource(tmp_path / name))
    (tmp_path / "o.graphml").write_text("<osm/>")
    (tmp_path / "g.osm").write_text(whole)
    for name in ("o.graphml", "g.osm"):
        with pytest.raises(InputError, match="the document is <"):
            read_roads(RoadSource(tmp_path / name))


@pytest.mark.parametrize("name", ["simpl_balikpapan_kota_drive", "simpl_klandasan_ilir_drive"])
def test_graphs_of_balikpapan_against_osmnx(name: str) -> None:
    path = real(f"balikpapan/{name}.graphml")
    table = read_roads(RoadSource(path))
    expected = osmnx.convert.to_undirected(osmnx.load_graphml(path))
    lines = osmnx.graph_to_gdfs(expected, nodes=False).geometry
    assert len(table.roads) == table.rows_in == len(lines)
    crs = lines.estimate_utm_crs()
    assert table.roads.to_crs(crs).length.sum() == pytest.approx(lines.to_crs(crs).length.sum(), rel=1e-12)


WRITERS: dict[str, tuple[str, Callable[[gpd.GeoDataFrame, Path], None]]] = {
    "geojson": ("r.geojson", lambda t, p: t.to_file(p, engine="pyogrio")),
    "geopackage": ("r.gpkg", lambda t, p: t.to_file(p, engine="pyogrio")),
    "shapefile": ("r.shp", lambda t, p: t.to_file(p, engine="pyogrio")),
    "flatgeobuf": ("r.fgb", lambda t, p: t.to_file(p, engine="pyogrio")),
    "kml": ("r.kml", lambda t, p: t.to_file(p, engine="pyogrio", driver="LIBKML")),
    "parquet": ("r.parquet", lambda t, p: t.to_parquet(p)),
    "osm_pbf": ("r.osm.pbf", lambda t, p: write_osm(t, p)),
    "osm_xml": ("r.osm", lambda t, p: write_osm(t, p)),
    "graphml": ("r.graphml", lambda t, p: write_graph(t, p)),
}


def write_osm(roads: gpd.GeoDataFrame, path: Path) -> None:
    """Write each road as a way of the number that its id ends with, with nodes of its own."""
    node = 0
    ways = []
    writer = osmium.SimpleWriter(str(path))
    for row in roads.itertuples():
        first = node + 1
        for x, y in row.geometry.coords:
            node += 1
            writer.add_node(osmium.osm.mutable.Node(id=node, location=(x, y)))
        tags = {k: v for k in ("highway", "name", "lit") if not pd.isna(v := getattr(row, k))}
        way = int(row.road_id.split("/")[1])
        ways.append(osmium.osm.mutable.Way(id=way, nodes=list(range(first, node + 1)), tags=tags))
    for way in sorted(ways, key=lambda way: way.id):
        writer.add_way(way)
    writer.close()


def write_graph(roads: gpd.GeoDataFrame, path: Path) -> None:
    """Write each road as two edges, there and back."""
    nodes, edges = [], []
    for i, row in enumerate(roads.itertuples()):
        for j, place in ((2 * i, row.geometry.coords[0]), (2 * i + 1, row.geometry.coords[-1])):
            nodes.append(f'<node id="{j}"><data key="d1">{place[0]}</data><data key="d2">{place[1]}</data></node>')
        way = row.road_id.split("/")[1]
        for u, v, line in ((2 * i, 2 * i + 1, row.geometry), (2 * i + 1, 2 * i, row.geometry.reverse())):
            name = "" if pd.isna(row.name) else row.name
            edges.append(edge(u, v, way, row.highway, shapely.to_wkt(line, rounding_precision=-1), name))
    graphml(path, "".join(edges), nodes="".join(nodes))


def lengths(roads: gpd.GeoDataFrame) -> pd.Series:
    """Return the metres of road per cell of a city around them."""
    area = shapely.box(*roads.total_bounds)
    crs = roads.estimate_utm_crs()
    table = line_lengths(to_plane(roads.geometry.to_numpy(), crs), city_grid(area, 9, crs))
    return table.groupby("cell")["length_m"].sum()


def test_every_format_gives_the_same_streets(tmp_path: Path) -> None:
    assert set(WRITERS) == {known.name for known in VECTOR_FORMATS}, "a new format needs a writer here"
    graph = read_roads(RoadSource(real("balikpapan/simpl_balikpapan_kota_drive.graphml"))).roads
    graph["road_id"] = [f"way/{i}" for i in range(1, len(graph) + 1)]
    graph["name"] = graph["name"].str.replace("&", "+")
    expected = lengths(graph)
    assert len(expected) > 100
    for name, (file, write) in WRITERS.items():
        write(graph, tmp_path / file)
        table = read_roads(RoadSource(tmp_path / file))
        assert len(table.roads) == len(graph), name
        found = lengths(table.roads)
        assert found.index.equals(expected.index), name
        assert np.allclose(found, expected, rtol=1e-6, atol=0), name
        assert set(table.roads["road_id"].str.split("/").str[1]) == set(graph["road_id"].str.split("/").str[1]), name
        for column in ("highway", "name"):
            assert sorted(table.roads[column].fillna("")) == sorted(graph[column].fillna("")), (name, column)
