"""A layer's published index with other rows in place of some of its own: what is live since it was published.

Few rows are edited between two runs, so columns of the published rows stay where they are, and answers cost what they
cost on the published layer. Rows are numbered anew, in the order of ids, as in `LayerIndex`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from spatial.contracts import Layer
from spatial.store.index import LayerIndex

Array = NDArray[Any]
Known = NDArray[np.bool_] | None


class OverlaidIndex:
    """A table as `LayerIndex` is one, of the rows of `base` that are not hidden and of all rows of `over`.

    It may be read by several threads at once.
    """

    def __init__(self, base: LayerIndex, over: LayerIndex, hidden: NDArray[np.int64]) -> None:
        """Lay `over` on `base`; `hidden` are rows of `base`: those whose ids `over` holds must be among them."""
        self.layer: Layer = base.layer
        self._base, self._over = base, over
        self._kept = np.delete(np.arange(len(base), dtype=np.int64), hidden)
        before = [base.first_from(identifier) for identifier in over.ids]
        self._at = np.searchsorted(self._kept, np.array(before, dtype=np.int64))
        self._source = np.insert(self._kept, self._at, -1 - np.arange(len(over)))  # below 0: a row of `over`
        self._cache: dict[str, Any] = {}

    @property
    def n(self) -> int:
        """Number of features."""
        return len(self._source)

    def __len__(self) -> int:
        return self.n

    @property
    def boxes(self) -> tuple[Array, Array, Array, Array]:
        """Envelopes in CRS84: west, south, east, north, each (n,) float64; NaN where there is no geometry."""
        pairs = zip(self._base.boxes, self._over.boxes, strict=True)
        west, south, east, north = self._once("boxes", lambda: tuple(self._joined(*pair) for pair in pairs))
        return west, south, east, north

    def has(self, name: str) -> bool:
        """Whether the layer has the column."""
        return self._base.has(name)

    def numbers(self, name: str) -> tuple[Array, Known]:
        """Return a column's (n,) int64 or float64 and which are known (None: all)."""
        values, known = self._once(name, lambda: self._column(self._base.numbers(name), self._over.numbers(name)))
        return values, known

    def instants(self, name: str) -> tuple[NDArray[np.int64], Known]:
        """Return a column's (n,) int64 milliseconds since 1970, UTC, and which are known (None: all)."""
        values, known = self._once(name, lambda: self._column(self._base.instants(name), self._over.instants(name)))
        return values, known

    def strings(self, name: str) -> tuple[NDArray[np.int32], Sequence[str]]:
        """Return a column's (n,) codes, -1 where null, into its distinct strings, sorted by code point."""
        codes, words = self._once(name, lambda: self._words(self._base.strings(name), self._over.strings(name)))
        return codes, words

    def row(self, identifier: str) -> int | None:
        """Return the row of a feature by its id; None where there is none."""
        own = self._over.row(identifier)
        if own is not None:
            return int(self._at[own]) + own
        held = self._base.row(identifier)
        place = None if held is None else int(np.searchsorted(self._kept, held))
        if held is None or place is None or place == len(self._kept) or self._kept[place] != held:
            return None
        return place + int(np.searchsorted(self._at, place, side="right"))

    def first_from(self, identifier: str) -> int:
        """Return the first row whose id is not less than the given one; n where there is none."""
        place = int(np.searchsorted(self._kept, self._base.first_from(identifier)))
        return place + self._over.first_from(identifier)

    def identifier(self, row: int) -> str:
        """Return the id of a row."""
        source = int(self._source[row])
        return self._over.ids[-1 - source] if source < 0 else self._base.ids[source]

    def features(self, rows: Array, skip_geometry: bool = False, select: Sequence[str] | None = None) -> list[Any]:
        """Return serialised GeoJSON features, to be joined with commas, as `LayerIndex.features`."""
        source = self._source[rows]
        breaks = np.flatnonzero(np.diff(source < 0)) + 1
        parts: list[Any] = []
        for part in np.split(source, breaks) if len(source) else ():
            index, own = (self._over, -1 - part) if part[0] < 0 else (self._base, part)
            parts += index.features(own, skip_geometry, select)
        return parts

    def with_geometries(self, rows: Array, shapes: Sequence[str], select: Sequence[str] | None = None) -> list[bytes]:
        """Return serialised features with other geometries: GeoJSON texts, in another CRS."""
        mine, base, over = self._split(rows)
        others = [shape for shape, edited in zip(shapes, mine, strict=True) if not edited]
        own = [shape for shape, edited in zip(shapes, mine, strict=True) if edited]
        parts = self._base.with_geometries(base, others, select), self._over.with_geometries(over, own, select)
        return _in_order(mine, *parts)

    def geometries(self, rows: Array) -> NDArray[np.object_]:
        """Return the geometries of rows, CRS84; None where there is none."""
        mine, base, over = self._split(rows)
        found = np.empty(len(rows), dtype=object)
        found[~mine], found[mine] = self._base.geometries(base), self._over.geometries(over)
        return found

    def _split(self, rows: Array) -> tuple[NDArray[np.bool_], Array, Array]:
        """Return which rows are of `over`, and the rows of both as each numbers them."""
        source = self._source[rows]
        mine = source < 0
        return mine, source[~mine], -1 - source[mine]

    def _joined(self, base: Array, over: Array) -> Array:
        return np.insert(base[self._kept], self._at, over)

    def _column(self, base: tuple[Array, Known], over: tuple[Array, Known]) -> tuple[Array, Known]:
        if base[1] is None and over[1] is None:
            return self._joined(base[0], over[0]), None
        known = (np.ones(len(values), dtype=bool) if k is None else k for values, k in (base, over))
        return self._joined(base[0], over[0]), self._joined(*known)

    def _words(
        self, base: tuple[Array, Sequence[str]], over: tuple[Array, Sequence[str]]
    ) -> tuple[Array, Sequence[str]]:
        """Return the codes of both into their words together: a word of `over` alone moves those behind it by one."""
        (codes, words), (own_codes, own_words) = base, over
        places = np.array([bisect_left(words, word) for word in own_words], dtype=np.int64)
        fresh = np.array(
            [p == len(words) or words[p] != w for p, w in zip(places.tolist(), own_words, strict=True)], bool
        )
        moved = places[fresh]  # ascending, as the words are
        shifted = np.where(codes < 0, codes, codes + np.searchsorted(moved, codes, side="right")).astype(np.int32)
        own_places = places + np.concatenate([[0], np.cumsum(fresh)[:-1]]) if len(places) else places
        own = np.append(own_places, -1)[own_codes].astype(np.int32)  # code -1 takes the last: null
        added = [word for word, is_new in zip(own_words, fresh.tolist(), strict=True) if is_new]
        return self._joined(shifted, own), _Merged(words, added, moved + np.arange(len(moved)))

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what was made before under this name; two threads at once make the same."""
        if name not in self._cache:
            self._cache[name] = make()
        return self._cache[name]


def _in_order(mine: NDArray[np.bool_], base: list[Any], over: list[Any]) -> list[Any]:
    parts = iter(base), iter(over)
    return [next(parts[edited]) for edited in mine.tolist()]


class _Merged(Sequence[str]):
    """Sorted words with few others sorted in, which stand at the codes `at`."""

    def __init__(self, words: Sequence[str], added: Sequence[str], at: NDArray[np.int64]) -> None:
        self._words, self._added, self._at = words, added, at.tolist()

    def __len__(self) -> int:
        return len(self._words) + len(self._added)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...

    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return list(self)[index]
        code = range(len(self))[index]
        before = bisect_left(self._at, code)
        is_added = before < len(self._at) and self._at[before] == code
        return self._added[before] if is_added else self._words[code - before]

    def __iter__(self) -> Iterator[str]:
        return merge(self._words, self._added)
