"""The report of `hexakota evaluate`: a table on the terminal, `evaluation.json` and the pictures in a folder."""

from __future__ import annotations

import json
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.output import write_files
from spatial.evaluate import RELIABILITY, Evaluated, pictures
from spatial.skill import REASONS, Interval

JSON_FILE = "evaluation.json"


def write(found: Evaluated, folder: Path) -> list[Path]:
    """Write the files, each whole or not at all; return their paths. Raises InputError where they cannot be."""
    text = json.dumps(found.as_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    files = {JSON_FILE: text.encode(), **pictures(found)}
    if RELIABILITY not in files:  # of an earlier score: it would not belong to this one
        (folder / RELIABILITY).unlink(missing_ok=True)
    return write_files(files, folder)


def show(found: Evaluated, console: Console) -> None:
    """Print what was scored on what, the table, the verdict, and what to beware of."""
    told, skill = found.told, found.skill
    truth, background = told["truth"], told["background"]

    def line(text: str, style: str = "") -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True, style=style)

    synthetic = " [SINTETIS / SYNTHETIC]" if told["synthetic"] else ""
    line(f"\n{told['city']}{synthetic}, versi / version {told['version']}: {told['layer']}.{told['score']}", "bold")
    kinds = {"points": "titik / points", "polygons": "poligon / polygons"}
    line(
        f"kebenaran / truth: {truth['file']}, {truth['used']:,} dari / of {truth['features']:,} "
        f"({', '.join(kinds[k] for k in truth['kinds'])}); di luar kota / outside the city {truth['outside_city']:,}, "
        f"di luar poligon / outside the polygon {truth['outside_polygon']:,}"
    )
    line(
        f"sel kejadian / positive cells {skill.n_positive:,}, latar / background {skill.n_negative:,} "
        f"({background['polygon']}), blok H3 / H3 blocks {told['blocks']['number']:,} "
        f"(resolusi / resolution {told['blocks']['resolution']}), dengan kejadian / with positives "
        f"{skill.n_positive_blocks:,}"
    )
    console.print(_table(found))
    indonesian, english = REASONS[skill.reason]
    line(f"{'✓' if skill.calibrated else '✗'} {indonesian} / {english}", "green" if skill.calibrated else "yellow")
    for text in _cautions(found):
        line(f"! {text}")


def _cautions(found: Evaluated) -> list[str]:
    told = found.told
    truth, background, why = told["truth"], told["background"], told["no_reliability_because"]
    notes = []
    if truth["is_an_input_of_the_version"]:
        notes.append("kebenaran ini masukan versi itu sendiri / this truth is an input of the version: circular")
    for key, indonesian, english in (
        ("without_geometry", "fitur tanpa geometri", "features without a geometry"),
        ("repaired", "poligon diperbaiki", "polygons repaired"),
        ("positive_cells_without_elevation", "sel kejadian tanpa elevasi", "positive cells without elevation"),
    ):
        if truth[key]:
            notes.append(f"{indonesian} / {english}: {truth[key]:,}")
    left = background["cells_without_elevation_left_out"]
    if left:
        notes.append(f"sel tanpa elevasi (laut) dilewati / cells without elevation (sea) left out: {left:,}")
    unknown = told["unknown_scores_ranked_lowest"]
    if unknown:
        notes.append(f"skor tak diketahui, di urutan terendah / unknown scores, ranked lowest: {unknown:,}")
    if told["missing_baselines"]:
        notes.append(f"pembanding yang tak ada / baselines that are missing: {', '.join(told['missing_baselines'])}")
    if why is not None:
        notes.append(f"{told['score']}: {why['id']} / {why['en']}")
    return notes


def _table(found: Evaluated) -> Table:
    percent = f"{found.question.gate.interval:.0%}"
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("skor\nscore", no_wrap=True)
    table.add_column("AUC", justify="right", no_wrap=True)
    table.add_column(f"selang {percent}\ninterval", justify="right", no_wrap=True)
    table.add_column("selisih\ndiffers", justify="right", no_wrap=True)
    table.add_column(f"selang {percent}\ninterval", justify="right", no_wrap=True)
    table.add_column("baik\nbeats", justify="center")
    own = found.skill.auc
    table.add_row(escape(found.told["score"]), f"{own.value:.3f}", _bounds(own), "", "", "", style="bold")
    for row in found.skill.baselines:
        table.add_row(
            row.name,
            f"{row.auc.value:.3f}",
            _bounds(row.auc),
            f"{row.difference.value:+.3f}",
            _bounds(row.difference, "+"),
            "✓" if row.beaten else "–",
        )
    return table


def _bounds(found: Interval, sign: str = "") -> str:
    return f"{found.low:{sign}.3f}…{found.high:{sign}.3f}"
