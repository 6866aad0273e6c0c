"""D8 flow on the filled surface: direction, order, accumulation, what the edge feeds, HAND. Arrays only.

`downstream` holds the flat index (row · columns + column) of the next pixel, -1 where the flow ends and outside.
`order` lists the known pixels from the outlets upwards: each comes after the pixel that it drains to, and what drains
to a pixel follows it without a gap, so `order[k : k + 1 + accumulation]` is the catchment of pixel `order[k]`.
"""

from __future__ import annotations

import numba
import numpy as np

from spatial.errors import ContractError
from spatial.flood.rasters import (
    EIGHT,
    Floats,
    Index,
    Mask,
    check_flow,
    checked_elevation,
    checked_mask,
    in_bands,
    on_rim,
    rim,
)

_FLAT = -2  # in `downstream`, while the way out of a flat is sought
_ASLANT = float(np.sqrt(0.5))  # over the distance to a diagonal neighbour


def flow_direction(filled: Floats, sea: Mask | None = None) -> Index:
    """Return D8 flow (O'Callaghan & Mark 1984) as `downstream`; (rows, columns) int32.

    A pixel drains to the neighbour with the steepest descent (drop over distance, √2 pixels on the diagonal; the first
    in row order where several are equal). Where none is lower it drains over its flat towards the nearest pixel of that
    flat that has a way out, in king's moves (Barnes, Lehman & Mulla 2014). The flow ends in the sea and at pixels of
    the rim without a lower neighbour. A pixel of the rim with a lower neighbour drains inwards.

    Parameters
    ----------
    filled, sea : a surface without depressions, as `fill_depressions` returns it, and the sea that it was given.

    Raises
    ------
    ContractError
        The surface holds a depression, or is not as `analyse` takes the elevation; `sea` is not bool of its shape.

    Notes
    -----
    The flow has no loops: a step goes lower, or stays on its level and comes nearer to the way out of it.
    """
    z = checked_elevation(filled)
    ends = np.zeros(z.shape, bool) if sea is None else checked_mask("sea", sea, z.shape)
    downstream = np.empty(z.shape, dtype=np.int32)
    in_bands(z.shape, lambda first, last: _steepest(z, ends, downstream, first, last))
    if not _cross_flats(z, downstream):
        raise ContractError("filled holds a depression")
    return downstream


def flow_order(filled: Floats, downstream: Index) -> Index:
    """Return the flat indices of the known pixels in `order` (see above); int32.

    Raises ContractError where the surface is not as `analyse` takes the elevation, or `downstream` not as above.
    """
    z = checked_elevation(filled)
    check_flow(downstream, z.shape)
    order, whole = _order(z, downstream)
    if not whole:
        raise ContractError("downstream runs in a circle or past the neighbours")
    return order


def flow_accumulation(downstream: Index, order: Index) -> Index:
    """Return the number of upstream pixels, itself not counted (Esri's convention); int32, 0 outside.

    Raises
    ------
    ContractError
        `downstream` and `order` are not int32, 2-D and 1-D, or hold indices beyond the raster.
    """
    check_flow(downstream, downstream.shape, order)
    return _accumulate(downstream.ravel(), order).reshape(downstream.shape)


def edge_fed(filled: Floats, downstream: Index, order: Index) -> Mask:
    """Return the pixels whose catchment, themselves included, touches the rim of the known elevation; bool.

    More ground may drain to them than the elevation holds, so their area, TWI and HAND are not to be trusted.
    Raises ContractError as `flow_accumulation` does.
    """
    check_flow(downstream, filled.shape, order)
    fed = rim(filled)
    _carry_down(fed.ravel(), downstream.ravel(), order)
    return fed


def hand(
    filled: Floats, downstream: Index, order: Index, drainage: Mask, sea: Mask | None = None, sea_level_m: float = 0.0
) -> Floats:
    """Return HAND: height above the first drainage pixel along the flow (Rennó et al. 2008; Nobre et al. 2011).

    Metres, of the dtype of `filled`; never negative, and 0 on drainage. It is NaN where the flow ends without meeting
    drainage: there the elevation was cut before the stream, and a height above the cut would be invented. Where the
    first drainage is `sea` it is measured from `sea_level_m`, as the heights of the sea's own pixels are noise.
    Raises ContractError as `flow_accumulation` does.
    """
    check_flow(downstream, filled.shape, order)
    wet = checked_mask("drainage", drainage, filled.shape)
    ends = np.zeros(filled.shape, bool) if sea is None else checked_mask("sea", sea, filled.shape)
    height = np.full(filled.shape, np.nan, dtype=filled.dtype)
    z = np.ascontiguousarray(filled)
    _stream_level(z.ravel(), downstream.ravel(), order, wet.ravel(), ends.ravel(), sea_level_m, height.ravel())
    in_bands(z.shape, lambda first, last: _above(z, wet, height, first, last))
    return height


@numba.njit(cache=True, nogil=True)
def _steepest(z: Floats, ends: Mask, downstream: Index, first: int, last: int) -> None:  # pragma: no cover
    rows, columns = z.shape
    for r in range(first, last):
        for c in range(columns):
            downstream[r, c] = -1
            if np.isnan(z[r, c]) or ends[r, c]:
                continue
            here, steepest, to = np.float64(z[r, c]), 0.0, -1
            for i, j in EIGHT:  # beyond the edge: the pixel itself or a neighbour seen aslant, never the steepest
                k, m = min(max(r + i, 0), rows - 1), min(max(c + j, 0), columns - 1)
                descent = (here - np.float64(z[k, m])) * (1.0 if i == 0 or j == 0 else _ASLANT)
                if descent > steepest:  # never where either is NaN
                    steepest, to = descent, k * columns + m
            downstream[r, c] = _FLAT if to < 0 and not on_rim(z, r, c) else to


@numba.njit(cache=True, nogil=True)
def _cross_flats(z: Floats, downstream: Index) -> bool:  # pragma: no cover
    """Lead each flat, breadth first, to those of its pixels that have a way out; return whether all have one."""
    rows, columns = z.shape
    queue = np.empty(rows * columns, dtype=np.int32)
    flat, last = _ways_out(z, downstream, queue)
    first = 0
    while first < last:
        r, c = queue[first] // columns, queue[first] % columns
        for i, j in EIGHT:
            k, m = min(max(r + i, 0), rows - 1), min(max(c + j, 0), columns - 1)
            if downstream[k, m] == _FLAT and z[k, m] == z[r, c]:
                downstream[k, m] = queue[first]
                queue[last] = k * columns + m
                last += 1
                flat -= 1
        first += 1
    return flat == 0


@numba.njit(cache=True, nogil=True)
def _ways_out(z: Floats, downstream: Index, queue: Index) -> tuple[int, int]:  # pragma: no cover
    """Queue the pixels that have a way out and lie beside a flat of their level; count those of flats, and these."""
    rows, columns = z.shape
    flat = last = 0
    for r in range(rows):
        for c in range(columns):
            if downstream[r, c] == _FLAT:
                flat += 1
                continue
            beside = False
            for i, j in EIGHT:
                k, m = min(max(r + i, 0), rows - 1), min(max(c + j, 0), columns - 1)
                beside |= downstream[k, m] == _FLAT and z[k, m] == z[r, c]
            if beside:
                queue[last] = r * columns + c
                last += 1
    return flat, last


@numba.njit(cache=True, nogil=True)
def _order(z: Floats, downstream: Index) -> tuple[Index, bool]:  # pragma: no cover
    rows, columns = z.shape
    known = 0
    for i in range(rows * columns):
        known += bool(downstream.flat[i] >= 0 or not np.isnan(z.flat[i]))
    order = np.empty(known, dtype=np.int32)
    taken, free = 0, known  # order[:taken] is done; order[free:] is the stack of what comes next
    for start in range(rows * columns):
        if downstream.flat[start] >= 0 or np.isnan(z.flat[start]):
            continue
        free -= 1
        order[free] = start
        while free < known:
            here = order[free]
            free += 1
            order[taken] = here
            taken += 1
            r = int(np.uint32(here) // np.uint32(columns))  # unsigned: a signed division takes twice as long
            c = here - r * columns
            for i, j in EIGHT:
                if 0 <= r + i < rows and 0 <= c + j < columns and downstream[r + i, c + j] == here:
                    free -= 1
                    order[free] = (r + i) * columns + c + j
    return order, taken == known


@numba.njit(cache=True, nogil=True)
def _accumulate(downstream: Index, order: Index) -> Index:  # pragma: no cover
    upstream = np.zeros(downstream.size, dtype=np.int32)
    for i in order[::-1]:
        if downstream[i] >= 0:
            upstream[downstream[i]] += upstream[i] + 1
    return upstream


@numba.njit(cache=True, nogil=True)
def _carry_down(reached: Mask, downstream: Index, order: Index) -> None:  # pragma: no cover
    for i in order[::-1]:
        if reached[i] and downstream[i] >= 0:
            reached[downstream[i]] = True


@numba.njit(cache=True, nogil=True)
def _stream_level(
    z: Floats, downstream: Index, order: Index, wet: Mask, sea: Mask, sea_level_m: float, level: Floats
) -> None:  # pragma: no cover
    """Give each pixel the height of the drainage that it drains to."""
    for i in order:
        if wet[i]:
            level[i] = sea_level_m if sea[i] else z[i]
        elif downstream[i] >= 0:
            level[i] = level[downstream[i]]


@numba.njit(cache=True, nogil=True)
def _above(z: Floats, wet: Mask, height: Floats, first: int, last: int) -> None:  # pragma: no cover
    for r in range(first, last):
        for c in range(z.shape[1]):
            height[r, c] = 0.0 if wet[r, c] else z[r, c] - height[r, c]
