"""What `hexakota run` says of the version that it published."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def show_run(manifest: dict[str, Any], path: Path, console: Console) -> None:
    """Print what went in, what came out and what was left out; `path` is the version's folder."""
    synthetic = " [SINTETIS / SYNTHETIC]" if manifest["city"]["synthetic"] else ""
    console.print(f"\n{manifest['city']['name']}{synthetic}, versi / version {manifest['version']}", markup=False)
    inputs = Table()
    inputs.add_column("masukan / input", overflow="fold")
    for title in ("baris masuk / rows in", "dipakai / used", "karantina / quarantined", "lainnya / left out"):
        inputs.add_column(title, justify="right")
    for row in manifest["inputs"]:
        inputs.add_row(
            row["path"],
            *(
                "–" if row[k] is None else f"{row[k]:,}"
                for k in ("rows_in", "rows_used", "rows_quarantined", "rows_excluded")
            ),
        )
    console.print(inputs)
    reports = manifest["reports"]
    if reports["rows_in"]:
        console.print(
            f"laporan / reports: {reports['stored']:,} tersimpan / stored, "
            f"{reports['in_cells_and_counted']:,} dihitung dalam sel / counted in cells, "
            f"{reports['distinct_incidents']:,} kejadian / incidents"
        )
        told = {
            "tanda / flags": reports["flags"],
            "karantina / quarantine": reports["quarantine_reasons"],
            "kata tak dikenal / unmapped words": reports["unmapped_words"],
        }
        for title, counts in told.items():
            if counts:
                rows = sorted(counts.items(), key=lambda row: -row[1])[:8]
                console.print(f"{title}: " + ", ".join(f"{name} {count:,}" for name, count in rows), markup=False)
        if reports["kept_from_earlier_deliveries"]:
            console.print(
                f"dari kiriman lama / kept from earlier deliveries: {reports['kept_from_earlier_deliveries']:,}"
                " (--drop-missing melupakannya / forgets them)"
            )
    layers = Table("layer", "fitur / features")
    for name, layer in manifest["layers"].items():
        layers.add_row(name, f"{layer['rows']:,}")
    console.print(layers)
    for row in manifest["left_out"]:
        console.print(f"! {row['id']} / {row['en']}", markup=False, soft_wrap=True)
    console.print(f"QGIS: {path / 'layers.gpkg'}", markup=False, soft_wrap=True)
    console.print(f"server: hexakota serve {shlex.quote(str(path.parents[2]))}", markup=False, soft_wrap=True)
