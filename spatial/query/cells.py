"""H3 cells as numbers: validity and parents by their bits (h3geo.org, "H3 Index Representations"), many at a time.

Bits from the top: 1 reserved, 4 mode (1 is a cell), 3 reserved, 4 resolution, 7 base cell, 15 digits of 3 bits, the
coarsest first; digits finer than the resolution are 7.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LENGTH = 15
_NO_CELL = "0" * _LENGTH
_HEXADECIMAL = re.compile("[0-9a-fA-F]{15}")
_PENTAGONS = (4, 14, 24, 38, 49, 58, 63, 72, 83, 97, 107, 117)
_IS_PENTAGON = np.isin(np.arange(128), _PENTAGONS)
_BASE_CELLS = 122
Cells = NDArray[np.uint64]


def parents(texts: Sequence[str], resolution: int) -> tuple[NDArray[np.int32], list[str]]:
    """Return the parents at a resolution: for each text a code (-1: none), and the distinct parents sorted.

    A text that is no H3 cell has none, nor has a cell that is coarser than the resolution.
    """
    cells = _numbers(texts)
    own = _bits(cells, 52, 4)
    fits = _valid(cells) & (own >= resolution)
    shift = np.uint64(3 * (15 - resolution))
    parent = (cells & ~np.uint64(15 << 52)) | np.uint64(resolution << 52)
    parent |= (np.uint64(1) << shift) - np.uint64(1)
    distinct, inverse = np.unique(parent[fits], return_inverse=True)
    codes = np.full(len(texts), -1, dtype=np.int32)
    codes[fits] = inverse
    return codes, [f"{cell:x}" for cell in distinct.tolist()]


def parent_of(text: str, resolution: int) -> str | None:
    """Return the parent of one cell, None where it has none."""
    _, distinct = parents([text], resolution)
    return distinct[0] if distinct else None


def _numbers(texts: Sequence[str]) -> Cells:
    """Return texts of 15 hexadecimal digits as numbers, 0 where a text is something else."""
    if not set(map(len, texts)) <= {_LENGTH}:
        texts = [text if len(text) == _LENGTH else _NO_CELL for text in texts]
    try:
        whole = bytes.fromhex("".join(["0" + text for text in texts]))  # leaves spaces out
    except ValueError:
        whole = b""
    if len(whole) < 8 * len(texts):
        texts = [text if _HEXADECIMAL.fullmatch(text) else _NO_CELL for text in texts]
        whole = bytes.fromhex("".join(["0" + text for text in texts]))
    return np.frombuffer(whole, dtype=">u8").astype(np.uint64)


def _bits(cells: Cells, at: int, width: int) -> Cells:
    return (cells >> np.uint64(at)) & np.uint64((1 << width) - 1)


def _valid(cells: Cells) -> NDArray[np.bool_]:
    """Return which numbers are cells: mode, base cell, digits, and no deleted subsequence of a pentagon."""
    base, own = _bits(cells, 45, 7), _bits(cells, 52, 4)
    valid: NDArray[np.bool_] = (_bits(cells, 59, 5) == 1) & (_bits(cells, 56, 3) == 0) & (base < _BASE_CELLS)
    leading = np.zeros(len(cells), dtype=np.uint64)  # first digit that is not 0
    for number in range(1, 16):
        digit = _bits(cells, 3 * (15 - number), 3)
        within = number <= own
        valid &= np.where(within, digit != 7, digit == 7)
        leading = np.where(within & (leading == 0), digit, leading)
    valid &= ~(_IS_PENTAGON[base.astype(np.intp)] & (leading == 1))
    return valid
