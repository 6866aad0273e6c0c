"""Time of a filter: read and bound to a layer, and evaluated over 50,000 and 1,000,000 cells.

    python benchmarks/query.py [features ...]

Literals differ in every repetition; nothing is cached between them but what a table keeps of its columns.
"""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable, Sequence
from typing import Any

import h3
import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from spatial.contracts import HEXAGONS
from spatial.query import matches, parse_filter, parse_sort, sorted_rows
from spatial.query.table import Bools, Boxes

_TRIANGLE = "POLYGON((117.5 3.2, 117.6 3.2, 117.6 3.3, 117.5 3.2))"
FILTERS = {
    "one comparison": "flood_score > 0.{r}",
    "two terms": "flood_score > 0.{r} AND kelurahan = 'k{r}'",
    "six terms": "flood_score > 0.{r} AND lighting_score < 0.{r} AND reports_total >= {r} "
    "AND kelurahan IN ('k{r}', 'x') AND flood_class IS NOT NULL AND NOT flood_class = 'high'",
    "arithmetic": "reports_total + {r} > 2 * reports_flood",
    "LIKE 'a%'": "explanation_id LIKE 'Skor {r}%'",
    "LIKE '%a%'": "explanation_id LIKE '%banjir {r}%'",
    "LIKE '%a_b%'": "explanation_id LIKE '%banjir_{r}%'",
    "CASEI LIKE": "CASEI(explanation_id) LIKE CASEI('%BANJIR {r}%')",
    "cell_to_parent": "cell_to_parent(cell, 6) = '8669{r}ffffffff'",
    "in_grid_disk": "in_grid_disk(cell, '{cell}', {k})",
    "BBOX": "S_INTERSECTS(geometry, BBOX(117.5, 3.2, 117.5{r}, 3.2{r}))",
    "triangle": "S_INTERSECTS(geometry, " + _TRIANGLE + ") AND flood_score > 0.{r}",
    "hard": "(flood_score > 0.{r} OR lighting_score >= 0.3) AND NOT kelurahan IN ('k1', 'k2', 'k3') "
    "AND CASEI(kecamatan) LIKE CASEI('%K{r}%') AND S_INTERSECTS(geometry, "
    + _TRIANGLE
    + ") AND reports_total + 1 > 2 * reports_flood",
}


class Cells:
    """A table of made-up cells in a square of 1 degree."""

    def __init__(self, n: int) -> None:
        random = np.random.default_rng(1)
        self.n = n
        x, y = 117.0 + random.random(n), 3.0 + random.random(n)
        angles = np.arange(7) * np.pi / 3
        rings = np.stack([x[:, None] + 0.002 * np.cos(angles), y[:, None] + 0.002 * np.sin(angles)], axis=-1)
        rings[:, -1] = rings[:, 0]
        self._shapes: NDArray[np.object_] = np.asarray(shapely.polygons(rings))
        west, south, east, north = shapely.bounds(self._shapes).T.copy()
        self.boxes: Boxes = (west, south, east, north)
        self._numbers: dict[str, NDArray[Any]] = {
            name: random.integers(0, 100, n) if name.startswith("reports") else random.random(n)
            for name in ("flood_score", "lighting_score", "reports_total", "reports_flood")
        }
        self._known = random.random(n) > 0.1
        self._strings = {
            "cell": sorted({f"{0x8969_0000_0000_000 + 0x400 * i:x}" for i in range(n)}),
            "kelurahan": sorted(f"k{i}" for i in range(30)),
            "kecamatan": sorted(f"K{i}" for i in range(10)),
            "flood_class": ["high", "low", "medium"],
            "explanation_id": sorted(
                f"Skor {i} karena cekungan dan jumlah kejadian banjir {i % 997}" for i in range(n)
            ),
        }
        self._codes = {
            name: random.integers(-1, len(words), n).astype(np.int32) for name, words in self._strings.items()
        }

    def has(self, name: str) -> bool:
        """Whether it has a column."""
        return name in self._numbers or name in self._strings

    def numbers(self, name: str) -> tuple[NDArray[Any], Bools | None]:
        """Return a column of numbers."""
        return self._numbers[name], self._known

    def instants(self, name: str) -> tuple[NDArray[np.int64], Bools | None]:
        """Have no times."""
        raise KeyError(name)

    def strings(self, name: str) -> tuple[NDArray[np.int32], Sequence[str]]:
        """Return a column of strings."""
        return self._codes[name], self._strings[name]

    def geometries(self, rows: NDArray[np.int64]) -> NDArray[np.object_]:
        """Return hexagons."""
        return self._shapes[rows]


def _median_us(work: Callable[[int], object], repetitions: int) -> float:
    times = [timeit.timeit(lambda i=i: work(i), number=1) for i in range(repetitions)]  # type: ignore[misc]
    return float(np.median(times)) * 1e6


def _written(template: str, r: int) -> str:
    return template.format(r=10 + r % 80, k=r % 50, cell=h3.latlng_to_cell(3.2, 117.5 + r * 1e-3, 9))


def main() -> None:
    """Print µs a filter."""
    sizes = [int(size) for size in sys.argv[1:]] or [50_000, 1_000_000]
    tables = [Cells(size) for size in sizes]
    print(f"{'filter':<16}{'read µs':>10}" + "".join(f"{f'{size:,} rows':>18}" for size in sizes) + "   matching")
    for name, template in FILTERS.items():
        texts = [_written(template, r) for r in range(50)]
        row = f"{name:<16}{_median_us(lambda i: parse_filter(texts[i], 'cql2-text', HEXAGONS), 50):>10.0f}"  # noqa: B023
        questions = [parse_filter(text, "cql2-text", HEXAGONS) for text in texts]
        for table in tables:
            repetitions = 20 if table.n <= 100_000 else 5
            row += f"{_median_us(lambda i: matches(questions[i], table), repetitions):>18.0f}"  # noqa: B023
        print(row + f"   {matches(questions[0], tables[0]).sum():,}")
    ring = shapely.Point(117.5, 3.5).buffer(0.4, quad_segs=2500)
    body = orjson.dumps({"op": "s_intersects", "args": [{"property": "geometry"}, shapely.geometry.mapping(ring)]})
    print(f"{shapely.get_num_coordinates(ring):,} vertices".ljust(16), end="")
    print(f"{_median_us(lambda i: parse_filter(body, 'cql2-json', HEXAGONS), 5):>10.0f}", end="")
    for table in tables:
        question = parse_filter(body, "cql2-json", HEXAGONS)
        print(f"{_median_us(lambda i: matches(question, table), 1):>18.0f}", end="")  # noqa: B023
    print("\n" + "sort by 2".ljust(26), end="")
    for table in tables:
        keys = parse_sort("-flood_score,kelurahan", HEXAGONS)
        print(f"{_median_us(lambda i: sorted_rows(table, np.arange(table.n), keys), 3):>18.0f}", end="")  # noqa: B023
    print()


if __name__ == "__main__":
    main()
