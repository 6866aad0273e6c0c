"""The report of `hexakota plan`: a table on the terminal, `visits.csv`, `referred.csv` and `visits.png` in a folder."""

from __future__ import annotations

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.output import write_files
from spatial.lighting.repairs import RepairParameters
from spatial.plan import Plan, as_table, map_of

_SHOWN = 24


def write(made: Plan, folder: Path, days: int) -> list[Path]:
    """Write the files, each whole or not at all; return their paths. Raises InputError where they cannot be."""
    files = {"visits.csv": as_table(made.visits).to_csv(index=False).encode("utf-8-sig")}
    files["referred.csv"] = as_table(made.referred).to_csv(index=False).encode("utf-8-sig")
    files["visits.png"] = map_of(made, days)
    return write_files(files, folder)


def show(made: Plan, parameters: RepairParameters, console: Console) -> None:
    """Print the first visits and what the plan comes to."""

    def line(text: str, style: str = "") -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True, style=style)

    visits = made.visits
    line(f"\n{made.title}, versi / version {made.version.id}", "bold")
    if visits.empty:
        line("Tidak ada gangguan PJU untuk dikunjungi / there is no lighting fault to visit")
    else:
        console.print(_table(made))
        n, days = len(visits), int(visits["day"].max())
        relit = visits.groupby("day")["relit_m"].sum()
        line(
            f"{n:,} kunjungan / visits, {days:,} hari / days, {parameters.crews} regu / crews × "
            f"{parameters.visits_per_day}; hari 1 menyalakan / day 1 relights {relit.iloc[0]:,.0f} dari / of "
            f"{relit.sum():,.0f} m"
        )
        saved = made.reports - made.expected_visits
        line(
            f"{made.reports:,} laporan terbuka / open reports: {saved:,.0f} kunjungan hemat / visits saved against one "
            f"per report ({saved / made.reports:.0%}); bila sebuah panel ternyata lampu sendiri-sendiri, menyusul / "
            f"where a circuit turns out to be single lamps, follow: {made.expected_visits - n:.1f}"
        )
    if made.version.manifest["city"]["as_of"] is None:
        line("! laporan tanpa waktu: garansi tidak diperiksa / reports without times: warranties were not looked at")
    for why, text in (("warranty", "masih garansi / under warranty"), ("owner", "pemilik lain / another owner")):
        number = int((made.referred["why"] == why).sum())
        if number:
            line(f"! {text}: {number:,} gangguan tidak dikunjungi / faults not visited (referred.csv)")


def _table(made: Plan) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("hari\nday", "regu\ncrew", "ke\nstop"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("gangguan\nfault", overflow="fold")
    for name in ("satu panel\none circuit", "laporan\nreports", "menyala\nrelit m"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in made.visits.head(_SHOWN).itertuples():
        circuit = row.kind == "circuit"
        what = f"panel {row.panel_id}, {row.lamps_dark} lampu" if circuit else str(row.fault_id).replace("/", " ", 1)
        table.add_row(
            *(str(value) for value in (row.day, row.crew, row.stop)),
            escape(what),
            f"{row.cause_probability:.2f}" if circuit else "",
            str(row.n_reports),
            f"{row.relit_m:,.0f}",
        )
    if len(made.visits) > _SHOWN:
        table.add_row("…", "", "", f"{len(made.visits) - _SHOWN:,} lagi / more: visits.csv")
    return table
