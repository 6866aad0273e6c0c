"""Kernels of the depressions: catchments of the pits, their tree, the rain that fills them, how storm water settles.

Plain arrays, nothing is checked: `spatial.flood.depressions` is the facade. Pixels are flat indices; a negative number
in place of a depression or a pixel means that the water leaves, over the rim of the known pixels or into the sea.
"""

from __future__ import annotations

import heapq

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.int32]

_LEAVES, _OPEN, _UNKNOWN = -1, -2, -3


def catchments(z: Array, sea: Mask, rim: Mask) -> tuple[Index, Index]:
    """Return the pit that each pixel drains to, (rows, columns), -1 where the water leaves or is unknown; and the pits.

    Flow is steepest descent on the raw surface (the first in row order where several are equal). A flat drains to the
    nearest of its exits; a flat without one is one pit, numbered and named by its first pixel in row order.
    """
    downstream = _descend(z, sea, rim)
    _drain_flats(z, downstream)
    pit_of = np.full(z.shape, _UNKNOWN, dtype=np.int32)
    pits = _label_pits(z, downstream, pit_of)
    _carry_up(downstream.ravel(), pit_of.ravel())
    return pit_of, pits


@numba.njit(cache=True)
def _descend(z: Array, sea: Mask, rim: Mask) -> Index:  # pragma: no cover
    rows, columns = z.shape
    downstream = np.full(z.shape, _UNKNOWN, dtype=np.int32)
    for r in range(rows):
        for c in range(columns):
            if np.isnan(z[r, c]):
                continue
            downstream[r, c] = _LEAVES if rim[r, c] or sea[r, c] else _OPEN
            if sea[r, c]:
                continue
            steepest = 0.0
            for i in range(max(r - 1, 0), min(r + 2, rows)):
                for j in range(max(c - 1, 0), min(c + 2, columns)):
                    descent = z[r, c] - z[i, j]
                    if i != r and j != c:
                        descent /= np.sqrt(2.0)
                    if descent > steepest:  # never where a neighbour is NaN
                        steepest = descent
                        downstream[r, c] = i * columns + j
    return downstream


@numba.njit(cache=True)
def _drain_flats(z: Array, downstream: Index) -> None:  # pragma: no cover
    """Lead the open pixels of each flat, breadth first, to the pixels of the same height that have a way down."""
    rows, columns = z.shape
    queue = np.empty(z.size, dtype=np.int32)
    last = 0
    for r in range(rows):
        for c in range(columns):
            if downstream[r, c] >= _LEAVES and _touches_open(z, downstream, r, c):
                queue[last] = r * columns + c
                last += 1
    first = 0
    while first < last:
        here = queue[first]
        first += 1
        r, c = here // columns, here % columns
        for i in range(max(r - 1, 0), min(r + 2, rows)):
            for j in range(max(c - 1, 0), min(c + 2, columns)):
                if downstream[i, j] == _OPEN and z[i, j] == z[r, c]:
                    downstream[i, j] = here
                    queue[last] = i * columns + j
                    last += 1


@numba.njit(cache=True)
def _touches_open(z: Array, downstream: Index, r: int, c: int) -> bool:  # pragma: no cover
    for i in range(max(r - 1, 0), min(r + 2, z.shape[0])):
        for j in range(max(c - 1, 0), min(c + 2, z.shape[1])):
            if downstream[i, j] == _OPEN and z[i, j] == z[r, c]:
                return True
    return False


@numba.njit(cache=True)
def _label_pits(z: Array, downstream: Index, pit_of: Index) -> Index:  # pragma: no cover
    """Number the flats that are still open, each one pit, in row order of their first pixels."""
    rows, columns = z.shape
    pits = [np.int32(0) for _ in range(0)]
    stack = [np.int32(0) for _ in range(0)]
    for start in range(z.size):
        if downstream.flat[start] != _OPEN or pit_of.flat[start] >= 0:
            continue
        pit_of.flat[start] = len(pits)
        stack.append(np.int32(start))
        while len(stack) > 0:
            here = stack.pop()
            r, c = here // columns, here % columns
            for i in range(max(r - 1, 0), min(r + 2, rows)):
                for j in range(max(c - 1, 0), min(c + 2, columns)):
                    if downstream[i, j] == _OPEN and pit_of[i, j] < 0:  # lower and higher ones are not open beside it
                        pit_of[i, j] = len(pits)
                        stack.append(np.int32(i * columns + j))
        pits.append(np.int32(start))
    return np.array(pits, dtype=np.int32)


@numba.njit(cache=True)
def _carry_up(downstream: Index, pit_of: Index) -> None:  # pragma: no cover
    """Give each pixel the pit at the end of its flow."""
    for start in range(downstream.size):
        here = start
        while pit_of[here] == _UNKNOWN and downstream[here] >= 0:
            here = downstream[here]
        pit = pit_of[here] if pit_of[here] != _UNKNOWN else _LEAVES
        here = start
        while pit_of[here] == _UNKNOWN:
            pit_of[here] = pit
            if downstream[here] >= 0:
                here = downstream[here]


@numba.njit(cache=True)
def _find(group: Index, member: int) -> int:  # pragma: no cover
    while group[member] != member:
        group[member] = group[group[member]]
        member = group[member]
    return member


@numba.njit(cache=True)
def merge(
    z: Array, pit_of: Index, exits: Mask, order: Index, count: int
) -> tuple[Index, Array, Index]:  # pragma: no cover
    """Join the `count` pits into a tree by raising one level over the pixels, lowest first (`order`).

    Where two catchments first touch below the level, their depressions spill into each other and become the children of
    a new one; where one touches a way out, it spills there for good. Over a saddle with several ways down water takes
    the steepest. Returns, per depression, (parent, last pixel
    before the spill, first pixel after it) and the spill level; and the smallest depression that wets a pixel, or -1.
    """
    columns = z.shape[1]
    group = np.arange(count + 1).astype(np.int32)  # the last one holds all whose water leaves
    top = group.copy()  # the depression that a group has become
    top[count] = -1
    tree = np.full((3, 2 * count), -1, dtype=np.int32)
    spill_m = np.full(2 * count, np.nan)
    smallest = np.full(z.shape, -1, dtype=np.int32)
    known, begin = count, 0
    while begin < order.size:
        level, end = z.flat[order[begin]], begin
        while end < order.size and z.flat[order[end]] == level:
            end += 1
        for p in order[begin:end]:
            r, c = p // columns, p % columns
            if exits[r, c]:
                known = _link(int(pit_of[r, c]), -1, int(p), -1, level, known, group, top, tree, spill_m)
            q = _next_step(z, pit_of, group, r, c)
            while q >= 0:
                known = _link(
                    int(pit_of[r, c]), int(pit_of.flat[q]), int(p), q, level, known, group, top, tree, spill_m
                )
                q = _next_step(z, pit_of, group, r, c)
        for p in order[begin:end]:  # only now: all that the level joins is joined
            smallest.flat[p] = top[_find(group, pit_of.flat[p] if pit_of.flat[p] >= 0 else count)]
        begin = end
    return tree[:, :known].copy(), spill_m[:known].copy(), smallest


@numba.njit(cache=True)
def _next_step(z: Array, pit_of: Index, group: Index, r: int, c: int) -> int:  # pragma: no cover
    """Return the steepest neighbour, not higher, whose pit is not joined to the pixel's own yet; -1 without one."""
    out = group.size - 1
    mine, chosen, steepest = -1, -1, -1.0
    for i in range(max(r - 1, 0), min(r + 2, z.shape[0])):
        for j in range(max(c - 1, 0), min(c + 2, z.shape[1])):
            if not z[i, j] <= z[r, c] or pit_of[i, j] == pit_of[r, c]:
                continue
            mine = _find(group, pit_of[r, c] if pit_of[r, c] >= 0 else out)
            descent = z[r, c] - z[i, j]
            if i != r and j != c:
                descent /= np.sqrt(2.0)
            if descent > steepest and _find(group, pit_of[i, j] if pit_of[i, j] >= 0 else out) != mine:
                steepest = descent
                chosen = i * z.shape[1] + j
    return chosen


@numba.njit(cache=True)
def _link(
    mine: int,
    other: int,
    p: int,
    q: int,
    level: float,
    known: int,
    group: Index,
    top: Index,
    tree: Index,
    spill_m: Array,
) -> int:  # pragma: no cover
    """Join the depressions of two pits over the step from pixel p to q, and return how many are known now."""
    out = group.size - 1
    a, b = _find(group, mine if mine >= 0 else out), _find(group, other if other >= 0 else out)
    if a == b:
        return known
    if a == out:
        a, b, p, q = b, a, q, p
    x, y = top[a], top[b]
    group[a] = b
    tree[1, x], tree[2, x], spill_m[x] = p, q, level
    if b == out:
        return known
    tree[1, y], tree[2, y], spill_m[y] = q, p, level
    tree[0, x] = tree[0, y] = top[b] = known
    return known + 1


@numba.njit(cache=True)
def measure(
    z: Array, smallest: Index, pit_of: Index, pits: Index, parent: Index, spill_m: Array
) -> tuple[Index, Index, Array, Array, Array]:  # pragma: no cover
    """Return of each depression, children included: pit (lowest, then first), children, volume in metres × pixels, area
    and catchment in pixels.
    """
    n = parent.size
    pit, children = np.full(n, -1, dtype=np.int32), np.full((n, 2), -1, dtype=np.int32)
    volume, area, catchment = np.zeros(n), np.zeros(n), np.zeros(n)
    pit[: pits.size] = pits
    for p in range(z.size):
        if pit_of.flat[p] >= 0:
            catchment[pit_of.flat[p]] += 1
        if smallest.flat[p] >= 0:
            area[smallest.flat[p]] += 1
            volume[smallest.flat[p]] += spill_m[smallest.flat[p]] - z.flat[p]
    for x in range(n):  # a child's number is below its parent's: it is whole when it is added
        up = parent[x]
        if up < 0:
            continue
        children[up, 0 if children[up, 0] < 0 else 1] = x
        if pit[up] < 0 or z.flat[pit[x]] < z.flat[pit[up]]:
            pit[up] = pit[x]
        volume[up] += volume[x] + area[x] * (spill_m[up] - spill_m[x])
        area[up] += area[x]
        catchment[up] += catchment[x]
    return pit, children, volume, area, catchment


@numba.njit(cache=True)
def fill_times(
    rates: Array, volume: Array, parent: Index, spills_into: Index
) -> tuple[Array, Index]:  # pragma: no cover
    """Return the time at which each depression reaches its spill level, ∞ if never; and those that spill, in order.

    `rates` is the inflow of each pit's own catchment per unit of time. Water that a full depression passes on joins
    that of the depression it runs to, so a group of depressions that end in one still filling has kept all its water:
    the group's last one is full when time · inflow of the group = volume of the group.
    """
    count, out = rates.size, rates.size
    group = np.arange(count + 1).astype(np.int32)
    last = group.copy()  # the one of the group that still fills
    member = np.arange(volume.size).astype(np.int32)  # a pit of each depression
    inflow, capacity = np.append(rates, 0.0), np.append(volume[:count], 0.0)
    inner = np.zeros(volume.size)  # volume of a depression's children
    full = np.full(volume.size, np.inf)
    due = full.copy()
    order = np.empty(volume.size, dtype=np.int32)
    spilling = 0
    for x in range(volume.size):
        if parent[x] >= 0:
            member[parent[x]] = member[x]
            inner[parent[x]] += volume[x]
    waiting = [(volume[x] / rates[x], np.int32(x)) for x in range(count) if rates[x] > 0]
    for time, pit in waiting:
        due[pit] = time
    heapq.heapify(waiting)
    while len(waiting) > 0 and waiting[0][0] < np.inf:
        now, first = heapq.heappop(waiting)
        x = int(first)
        if due[x] != now or full[x] < np.inf:
            continue  # more water came in since
        full[x] = now
        g = _find(group, member[x])
        h = _find(group, spills_into[x]) if spills_into[x] >= 0 else out
        if h == g:  # its sibling is full and spills into it: both are one from now on
            last[g] = parent[x]
            capacity[g] += volume[parent[x]] - inner[parent[x]]
        else:
            order[spilling] = x
            spilling += 1
            group[g] = h
            inflow[h] += inflow[g]
            capacity[h] += capacity[g]
        if h != out:
            y = last[h]
            due[y] = max(now, capacity[h] / inflow[h])
            heapq.heappush(waiting, (due[y], y))
    return full, order[:spilling].copy()


@numba.njit(cache=True)
def merged(full: Mask, parent: Index) -> Index:  # pragma: no cover
    """Return the pond that each depression is part of: the highest one up to which both children are full."""
    full_children = np.zeros(full.size, dtype=np.int32)
    pond = np.arange(full.size).astype(np.int32)
    for x in range(full.size):
        if parent[x] >= 0 and full[x]:
            full_children[parent[x]] += 1
    for x in range(full.size - 1, -1, -1):
        if parent[x] >= 0 and full_children[parent[x]] == 2:
            pond[x] = pond[parent[x]]
    return pond


@numba.njit(cache=True)
def settle(
    water: Array, full: Mask, pond: Index, volume: Array, spills_into: Index
) -> tuple[Array, Array, float]:  # pragma: no cover
    """Let the water of each pit's catchment, m³, run through the ponds, of which `full` are known to be full.

    Returns the water in each pond, what each passed on, and what left.
    """
    n, left = volume.size, 0.0
    held, passed = np.zeros(n), np.zeros(n)
    spills, waiting = np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.int32)
    for x in range(water.size):
        held[pond[x]] += water[x]
        spills[pond[x]] = full[pond[x]]
    for x in range(n):
        if spills[x] and spills_into[x] >= 0:
            waiting[pond[spills_into[x]]] += 1
    ready = [np.int32(x) for x in range(n) if spills[x] and waiting[x] == 0]
    while len(ready) > 0:  # a pond passes on only when all that run into it have; they never run in a circle
        x = int(ready.pop())
        passed[x] = max(held[x] - volume[x], 0.0)
        held[x] = volume[x]
        if spills_into[x] < 0:
            left += passed[x]
            continue
        y = pond[spills_into[x]]
        held[y] += passed[x]
        waiting[y] -= 1
        if waiting[y] == 0 and spills[y]:
            ready.append(y)
    return held, passed, left


@numba.njit(cache=True)
def levels(
    z: Array, pixels: Index, pond: Index, floor: Array, water: Array, spill_m: Array, full: Mask
) -> Array:  # pragma: no cover
    """Return the water level of each pond, NaN where dry. `pixels`: (flat indices, ponds), lowest first.

    `water` is in metres × pixels. A level that wets k pixels holds k · level less the sum of their heights; heights are
    taken from the pond's `floor`, so that high ground costs no digits.
    """
    wet = np.zeros(floor.size)
    heights = np.zeros(floor.size)
    done = full.copy()
    for n in range(pixels.size):
        x = pond[n]
        height = z.flat[pixels[n]] - floor[x]
        if done[x] or wet[x] * height - heights[x] >= water[x]:
            done[x] = True
            continue
        wet[x] += 1
        heights[x] += height
    level = np.full(floor.size, np.nan)
    for x in range(floor.size):
        if full[x]:
            level[x] = spill_m[x]
        elif wet[x] > 0:
            level[x] = min(floor[x] + (water[x] + heights[x]) / wet[x], spill_m[x])
    return level
