"""The functions that a filter may call besides those of CQL2: for the page that lists them, and for their check."""

from __future__ import annotations

from dataclasses import dataclass

from spatial.query.limits import MAX_DISK_K


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument: its name, type (string or integer) and what it is, in Indonesian and English."""

    name: str
    type: str
    description_id: str
    description_en: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function: what it gives, in Indonesian and English, its arguments, and its type (string or boolean)."""

    name: str
    description_id: str
    description_en: str
    arguments: tuple[Argument, ...]
    returns: str


CELL = Argument("cell", "string", "Sel H3 (kolom atau teks)", "H3 cell (a property or a string)")
FUNCTIONS: tuple[Function, ...] = (
    Function(
        "cell_to_parent",
        "Sel induk H3 pada resolusi itu; null bila teks itu bukan sel H3 atau selnya lebih kasar.",
        "The H3 parent of a cell at a resolution; null where the text is no H3 cell or the cell is coarser.",
        (CELL, Argument("resolution", "integer", "Resolusi H3, angka 0 sampai 15", "H3 resolution, a number, 0 to 15")),
        "string",
    ),
    Function(
        "in_grid_disk",
        "Apakah sel itu paling jauh k langkah dari sel pusat, pada resolusi sel pusat.",
        "Whether a cell lies within k steps of a centre, at the centre's resolution.",
        (
            CELL,
            Argument("center", "string", "Sel pusat H3, teks", "H3 cell in the middle, a string"),
            Argument("k", "integer", f"Langkah, angka 0 sampai {MAX_DISK_K}", f"Steps, a number, 0 to {MAX_DISK_K}"),
        ),
        "boolean",
    ),
)
