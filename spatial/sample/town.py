"""The sample city's people: kelurahan, kecamatan, streets with classes, drains, and who reports at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from spatial.sample.frame import Bools, Floats, Frame, Ints
from spatial.sample.landscape import TRUNK_INLAND_M, Coast, Landscape

SEEDS_A_SIDE = 4
KELURAHAN = (
    "Muara Rekaan",
    "Tanjung Contoh",
    "Pasir Andai",
    "Karang Misal",
    "Kampung Umpama",
    "Pasar Contoh",
    "Sungai Andai",
    "Rawa Misal",
    "Sawah Rekaan",
    "Kebun Umpama",
    "Bukit Contoh",
    "Lembah Andai",
    "Hulu Misal",
    "Padang Rekaan",
    "Gunung Umpama",
    "Hutan Andai",
)
KECAMATAN = ("Contoh Barat Daya", "Contoh Tenggara", "Contoh Barat Laut", "Contoh Timur Laut")
_FLOWERS = (
    "Melati",
    "Mawar",
    "Kenanga",
    "Cempaka",
    "Anggrek",
    "Dahlia",
    "Flamboyan",
    "Bougenvil",
    "Kamboja",
    "Teratai",
    "Seruni",
    "Sedap Malam",
    "Tanjung",
    "Asoka",
    "Alamanda",
    "Nusa Indah",
)
_SPACING_M = 120.0
_EAST_WEST = {
    3: ("secondary", "Jalan Pantai Rekaan"),
    12: ("trunk", "Jalan Lintas Contoh"),
    24: ("secondary", "Jalan Lingkar Andai"),
    34: ("tertiary", "Jalan Kebun Misal"),
}
_NORTH_SOUTH = {
    8: ("primary", "Jalan Barat Contoh"),
    25: ("primary", "Jalan Tengah Contoh"),
    42: ("primary", "Jalan Timur Contoh"),
    16: ("tertiary", "Jalan Sekolah Misal"),
    33: ("tertiary", "Jalan Pelabuhan Misal"),
}
_KEEP_EVERY = {2: 1, 1: 2, 0: 4}


@dataclass(frozen=True, eq=False, slots=True)
class Districts:
    """Kelurahan of the city, in order of their code.

    Attributes
    ----------
    polygons : shapely polygons in the plane. kecamatan : (k,) int, index of the kecamatan that each lies in.
    density : (k,) int, 0 sparse, 1 medium, 2 dense. drains_mm_h : (k,) what its drains take.
    """

    area: BaseGeometry
    polygons: NDArray[np.object_]
    kecamatan: Ints
    density: Ints
    drains_mm_h: Floats

    def of(self, x: Floats, y: Floats) -> Ints:
        """Return the kelurahan of points, -1 outside the city."""
        point, polygon = shapely.STRtree(self.polygons).query(shapely.points(x, y), predicate="intersects")
        found = np.full(np.shape(x), -1, dtype=np.int64)
        found[point[::-1]] = polygon[::-1]
        return found


@dataclass(frozen=True, eq=False, slots=True)
class Street:
    """One road as the file has it; `line` in the plane."""

    road_id: str
    highway: str
    name: str
    lit: bool
    kelurahan: int
    line: shapely.LineString


def lay_out_districts(land: Landscape, rng: np.random.Generator) -> Districts:
    """Return the city's area and its kelurahan: Voronoi cells of a jittered 4 × 4 pattern."""
    x = np.arange(600.0, 6601.0, 30.0)
    shore = np.column_stack([x, land.coast.y(x) - 15.0])
    north = np.column_stack([x, land.coast.inland(x, 4750.0 + 120.0 * np.sin(x / 700.0))])[::-1]
    area = shapely.Polygon(np.vstack([shore, north]))
    column, row = (a.ravel() for a in np.meshgrid(np.arange(SEEDS_A_SIDE), np.arange(SEEDS_A_SIDE)))
    seed_x = 600.0 + 1500.0 * (column + 0.5) + rng.uniform(-330, 330, len(column))
    seed_d = np.array([500.0, 1500.0, 2700.0, 4000.0])[row] + rng.uniform(-220, 220, len(row))
    points = np.column_stack([seed_x, land.coast.inland(seed_x, seed_d)])
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(points), extend_to=area, ordered=True))
    polygons = np.array([shapely.intersection(cell, area) for cell in cells], dtype=object)
    remote = np.hypot(seed_x - 3600.0, seed_d - 1100.0) + rng.normal(0, 500, len(seed_x))
    rank = np.argsort(np.argsort(remote))
    density = np.where(rank < 5, 2, np.where(rank < 11, 1, 0))
    drains = rng.uniform(2.0, 22.0, len(rank)) * np.array([0.4, 0.8, 1.0])[density]
    return Districts(area, polygons, (row // 2) * 2 + column // 2, density, drains)


def lay_out_streets(land: Landscape, districts: Districts, rng: np.random.Generator) -> list[Street]:
    """Return the streets: a bent net of lines 120 m apart, thinned outside the dense kelurahan, with shared corners."""
    net = _Net(land, districts, rng)
    streets: list[Street] = []
    for along_x in (True, False):
        for line, start, stop, kelurahan in net.runs(along_x):
            highway, name = (_EAST_WEST if along_x else _NORTH_SOUTH).get(line, ("residential", ""))
            number = len(streets) + 1
            if not name:
                name = f"Jalan {_FLOWERS[number % len(_FLOWERS)]} {number // len(_FLOWERS) + 1}"
            lit = highway != "residential" or rng.random() < (0.2, 0.4, 0.55)[districts.density[kelurahan]]
            nodes = net.nodes[start : stop + 1, line] if along_x else net.nodes[line, start : stop + 1]
            streets.append(
                Street(f"way/{900_000 + number}", highway, name, bool(lit), kelurahan, shapely.LineString(nodes))
            )
    return streets


class _Net:
    """Nodes (i, j, 2): i counts eastward, j inland. An edge exists where a street may run."""

    def __init__(self, land: Landscape, districts: Districts, rng: np.random.Generator) -> None:
        self.land, self.districts, self.rng = land, districts, rng
        self.nodes = _nodes(land.coast, rng)

    def runs(self, along_x: bool) -> Iterator[tuple[int, int, int, int]]:
        """Yield line, first and last node, kelurahan of every unbroken stretch within one kelurahan."""
        nodes = self.nodes if along_x else self.nodes.transpose(1, 0, 2)
        majors = _EAST_WEST if along_x else _NORTH_SOUTH
        for line in range(nodes.shape[1]):
            kelurahan = self._edges(nodes[:, line], line, line in majors)
            start = 0
            for edge in range(1, len(kelurahan) + 1):
                if edge == len(kelurahan) or kelurahan[edge] != kelurahan[start]:
                    if kelurahan[start] >= 0:
                        yield line, start, edge, int(kelurahan[start])
                    start = edge

    def _edges(self, nodes: Floats, line: int, major: bool) -> Ints:
        """Return the kelurahan of each edge between consecutive nodes, -1 where there is no street."""
        (xa, ya), (xb, yb) = nodes[:-1].T, nodes[1:].T
        middle = (xa + xb) / 2.0, (ya + yb) / 2.0
        kelurahan = self.districts.of(*middle)
        possible = (self.districts.of(xa, ya) >= 0) & (self.districts.of(xb, yb) >= 0) & (kelurahan >= 0)
        sample = self.land.frame.sample
        possible &= ~sample(self.land.sea, xa, ya) & ~sample(self.land.sea, xb, yb)
        if not major:
            possible &= self._residential(kelurahan, line, nodes)
        return np.where(possible, kelurahan, -1)

    def _residential(self, kelurahan: Ints, line: int, nodes: Floats) -> Bools:
        every = np.array([_KEEP_EVERY[int(d)] for d in self.districts.density])[kelurahan]
        (xa, ya), (xb, yb) = nodes[:-1].T, nodes[1:].T
        river = np.minimum.reduce(
            [self.land.river_distance(x, y) for x, y in ((xa, ya), (xb, yb), ((xa + xb) / 2.0, (ya + yb) / 2.0))]
        )
        height = self.land.frame.sample(self.land.elevation, nodes[:, 0], nodes[:, 1])
        steep = np.abs(np.diff(height)) / np.hypot(xb - xa, yb - ya) > 0.15
        closed = self.rng.random(len(xa)) < 0.10
        return np.asarray((line % every == 0) & (river > 65.0) & ~steep & ~closed)


def _nodes(coast: Coast, rng: np.random.Generator) -> Floats:
    x, d = np.meshgrid(600.0 + _SPACING_M * np.arange(51), 60.0 + _SPACING_M * np.arange(41), indexing="ij")
    x = (
        x
        + 90.0 * np.sin(2 * np.pi * d / 3600.0 + rng.uniform(0, 2 * np.pi))
        + 50.0 * np.sin(2 * np.pi * (d / 1700.0 + x / 5000.0 + rng.uniform()))
    )
    x = x + rng.uniform(-14, 14, x.shape)
    d = d + np.where(d == TRUNK_INLAND_M, 0.0, rng.uniform(-14, 14, d.shape))
    return np.stack([x, coast.inland(x, d)], axis=-1)


def propensity(flooded_share: Floats, spread: float, rng: np.random.Generator) -> Floats:
    """Return how readily the people of each kelurahan report, mean about 1; highest over lowest is `spread`.

    Who lives on dry ground tends to report more (correlation of ranks about 0.5), but not always.
    """
    dryness = np.argsort(np.argsort(-flooded_share, kind="stable")) / (len(flooded_share) - 1.0)
    order = np.argsort(np.argsort(dryness + rng.normal(0.0, 0.45, len(dryness))))
    values = np.geomspace(1.0, spread, len(flooded_share))[order]
    return np.asarray(values / values.mean())


def pixels_of_districts(frame: Frame, districts: Districts) -> Ints:
    """Return the kelurahan of each pixel centre, (size, size), -1 outside the city."""
    x, y = frame.centres()
    return districts.of(x.ravel(), y.ravel()).reshape(x.shape)
