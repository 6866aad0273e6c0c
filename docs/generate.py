"""Write what the documentation takes from the program itself: the table of columns, and the picture of the README.

python docs/generate.py            # docs/columns.md and docs/zone-map.png
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from spatial import pipeline
from spatial.contracts import Column, Layer
from spatial.registry import LAYERS
from spatial.sample import write_sample_city

HERE = Path(__file__).parent


def columns() -> str:
    """Return the table of every layer's columns as Markdown."""
    head = "# Kolom / columns\n\nWritten by `make docs` from `spatial/contracts.py`.\n"
    return head + "".join(f"\n{_table(layer)}" for layer in LAYERS)


def _table(layer: Layer) -> str:
    rows = "".join(_row(column) for column in layer.columns)
    time = f", time `{layer.temporal}`" if layer.temporal else ""
    return (
        f"## `{layer.name}`: {layer.title_id} / {layer.title_en}\n\n{layer.geometry}, id `{layer.id_column}`{time}\n\n"
        f"| column | type | unit | values | Indonesia | English |\n|---|---|---|---|---|---|\n{rows}"
    )


def _row(column: Column) -> str:
    span = "" if column.minimum is None else f"≥ {column.minimum:g}"
    span = f"{column.minimum:g}–{column.maximum:g}" if column.maximum is not None else span
    values = ", ".join(column.values) if column.values else span
    cells = (f"`{column.name}`", column.kind, column.unit or "", values, column.title_id, column.title_en)
    return f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Write the files."""
    (HERE / "columns.md").write_text(columns(), "utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        write_sample_city(Path(scratch) / "city", 1)
        version = pipeline.run(Path(scratch) / "city").version
        shutil.copyfile(version.path / "map.png", HERE / "zone-map.png")


if __name__ == "__main__":
    main()
