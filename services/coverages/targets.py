"""The grid of an answer: which pixels of a coverage a request asks for, and on which grid a map is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from services.coverages.asked import MAP_SIDE, Selection, Size, crs_of, selection_of, size_of, uri_of
from services.parameters import BadRequestError
from spatial.store.grids import Box, Grid, box_in, fitted, grid_in, grid_of

MOST_PIXELS: Mapping[str, int] = {"tif": 25_000_000, "png": 4_194_304, "covjson": 1_000_000}
_FINEST = 1e-4  # of the coverage's own pixel


def coverage_grid(path: Path, values: Mapping[str, str], kind: str) -> Grid | None:
    """Return the grid of the answer to a request for a coverage, None where it asks for nothing of the coverage.

    The pixels of a part are those of the whole coverage in that CRS, cut outwards; a number of pixels that is asked for
    is mapped to the box itself, also where that leaves the coverage (19-087, `/req/coverage-scaling/size`).
    """
    native = grid_of(path)
    crs = crs_of(values, "crs", native.crs, native.crs)
    whole, selection, size = grid_in(native, crs), selection_of(values, native.crs), size_of(values, crs)
    part = whole if selection is None else _part(whole, selection)
    if part is None:
        return None
    if size.exact:
        box = _exact_box(whole, selection) or part.bounds
        grid = fitted(crs, _with_area(box), *_counts(size, box, part.width, part.height))
    elif (size.x, size.y) != (1.0, 1.0):
        columns, rows = (max(1, int(n / by + 0.5)) for n, by in ((part.width, size.x), (part.height, size.y)))
        grid = fitted(crs, part.bounds, columns, rows)
    else:
        grid = part
    return _bounded(grid, whole, kind)


def map_grid(path: Path, values: Mapping[str, str]) -> Grid:
    """Return the grid of a map: the box that is asked for, of 1024 pixels on its longer side where no size is."""
    native = grid_of(path)
    crs = crs_of(values, "crs", native.crs, native.crs)
    whole, selection, size = grid_in(native, crs), selection_of(values, native.crs), size_of(values, crs)
    box = _exact_box(whole, selection)
    if box is None and selection is not None:
        raise BadRequestError(f"bbox={values['bbox']}: a map across the antimeridian is not drawn; ask for each side")
    box = _with_area(box or whole.bounds)
    if not size.exact:
        wide = box[2] - box[0] >= box[3] - box[1]
        size = Size(MAP_SIDE if wide else None, None if wide else MAP_SIDE, in_proportion=True)
    return _bounded(fitted(crs, box, *_counts(size, box, 1, 1)), whole, "png")


def _part(whole: Grid, selection: Selection) -> Grid | None:
    there = box_in(whole.bounds, whole.crs, selection.crs)
    found: Grid | None = None
    for box in selection.boxes(there) if there else []:
        inside = box if whole.crs == selection.crs else _common(box, there or box)
        moved = None if inside is None else box_in(inside, selection.crs, whole.crs)
        part = None if moved is None else whole.part(moved)
        if part is not None:
            found = part if found is None else found.hull(part)
    return found


def _common(box: Box, other: Box) -> Box | None:
    """Return what two boxes have in common; a shared edge is nothing, unless the box itself is a line or a point."""
    west, south, east, north = (
        max(box[0], other[0]),
        max(box[1], other[1]),
        min(box[2], other[2]),
        min(box[3], other[3]),
    )
    apart = west > east or south > north
    touching = (west == east and box[0] < box[2]) or (south == north and box[1] < box[3])
    return None if apart or touching else (west, south, east, north)


def _exact_box(whole: Grid, selection: Selection | None) -> Box | None:
    """Return the box that was asked for in the CRS of the answer, None where there is none or it has two parts."""
    there = None if selection is None else box_in(whole.bounds, whole.crs, selection.crs)
    if selection is None or there is None:
        return None
    boxes = selection.boxes(there)
    if len(boxes) != 1:
        return None
    box = box_in(boxes[0], selection.crs, whole.crs)
    if box is None:
        raise BadRequestError(
            f"bbox, subset: {uri_of(whole.crs)} does not reach so far; ask for less, or crs={uri_of(selection.crs)}"
        )
    return box


def _with_area(box: Box) -> Box:
    if box[2] <= box[0] or box[3] <= box[1]:
        raise BadRequestError("bbox, subset: with a number of pixels, expected a box with width and height")
    return box


def _counts(size: Size, box: Box, columns: int, rows: int) -> tuple[int, int]:
    """Return columns and rows; `columns` and `rows` are the coverage's own, for a side that no number is asked of."""
    shape = (box[2] - box[0]) / (box[3] - box[1])
    if size.in_proportion and size.rows is None and size.columns is not None:
        return size.columns, max(1, round(size.columns / shape))
    if size.in_proportion and size.columns is None and size.rows is not None:
        return max(1, round(size.rows * shape)), size.rows
    return size.columns or columns, size.rows or rows


def _bounded(grid: Grid, whole: Grid, kind: str) -> Grid:
    """Refuse an answer that is too large or whose pixels are too small to be told apart."""
    pixels, most = grid.width * grid.height, MOST_PIXELS[kind]
    if pixels > most:
        times = (pixels / most) ** 0.5
        raise BadRequestError(
            f"the answer would have {grid.width} × {grid.height} pixels, {pixels / 1e6:.1f} million; f={kind} gives "
            f"at most {most / 1e6:.1f} million: ask for a part (bbox, subset) or {times:.1f} times fewer on each side "
            "(scale-factor, scale-size, width)"
        )
    if min(grid.dx / whole.dx, grid.dy / whole.dy) < _FINEST:
        raise BadRequestError("bbox, subset, scale-factor, scale-size: finer than 1/10000 of the coverage's pixels")
    return grid
