"""The `hexakota` command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import spatial
from services.errors import exit_status
from services.options import edits, listening, question, repairs
from services.summary import show_run
from services.worker import worker
from spatial.errors import HexakotaError, InputError
from spatial.store.versions import Versions

STAGES = 14
CITY = click.argument("city", type=click.Path(path_type=Path))


class _Commands(click.Group):
    """A group whose commands turn Hexakota's errors into one line on standard error and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HexakotaError as error:
            click.echo(f"hexakota: {error}", err=True)
            sys.exit(exit_status(error))


class _Bar:
    """A `Progress` on the terminal: one bar over the stages, a line per stage where there is no terminal."""

    def __init__(self, console: Console, stages: int = STAGES) -> None:
        self.console, self.last = console, ""
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self.task = self.bar.add_task("", total=stages)

    def stage(self, name: str, title: str) -> None:
        new = name != self.last
        self.bar.update(self.task, advance=1 if new and self.last else 0, description=title)
        self.last = name
        if new and not self.console.is_terminal:
            self.console.print(f"{name}: {title}")

    def note(self, text: str) -> None:
        self.console.print(f"• {text}", highlight=False, markup=False, soft_wrap=True)


def _command(*examples: str) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command of a function: its docstring is the help, and the examples stand below the options."""
    lines = "\n".join(f"  {example}" for example in examples)
    return main.command(epilog=f"\b\nContoh / examples:\n{lines}")


@click.group(cls=_Commands, commands=[worker], context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Hexakota: laporan warga, jalan, dan elevasi menjadi zona banjir dan zona PJU padam.

    Citizens' reports, roads and elevation into flood-risk and lighting-outage zones, served as an OGC API.
    """


@_command(
    "hexakota init kupang",
    'hexakota init tarakan --place "Kota Tarakan, Indonesia"',
    "hexakota init kupang --from laporan.csv jalan.gpkg",
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--place", metavar="NAME", help="Batas dari OpenStreetMap / boundary from OpenStreetMap (internet).")
@click.option("--nominatim", metavar="URL", help="Alamat lain untuk --place / another address for --place.")
@click.option("--overpass", metavar="URL", help="Alamat lain untuk fetch / another address for fetch.")
@click.option("--glo30", metavar="URL", help="Alamat lain untuk fetch / another address for fetch.")
@click.argument("more", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--from",
    "first",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Usulkan pemetaan dari berkas ini / propose the mapping from these files.",
)
def init(
    directory: Path, place: str | None, more: tuple[Path, ...], first: tuple[Path, ...], **addresses: str | None
) -> None:
    """Tulis city.toml berkomentar di DIR / write a commented city.toml into DIR."""
    if more and not first:
        raise click.UsageError(f"unexpected argument {more[0]}: name files after --from")
    if place is not None and first:
        raise click.UsageError("--place and --from exclude each other: start with one, and edit city.toml")
    if place is not None:
        _init_place(directory, place, {name: url for name, url in addresses.items() if url})
        return
    target = directory / "city.toml"
    if target.exists():
        raise InputError(target, "file", "it exists already", "edit it, or name another folder")
    text = files(spatial).joinpath("template.toml").read_text("utf-8")
    if first:
        text = _proposed(directory, (*first, *more))
    (directory / "data").mkdir(parents=True, exist_ok=True)
    target.write_text(text, "utf-8")
    click.echo(f"{target}\nIsi masukannya, lalu / name its inputs, then: hexakota run {directory}")


def _proposed(directory: Path, given: tuple[Path, ...]) -> str:
    """Return a city.toml proposed from files, after telling its evidence and its questions."""
    from spatial.propose import as_lines, as_toml, propose

    proposal = propose(given, directory.resolve().name.title())
    for line in as_lines(proposal):
        click.echo("".join(c if c.isprintable() else " " for c in line))
    return as_toml(proposal, directory)


def _init_place(directory: Path, place: str, addresses: dict[str, str]) -> None:
    from spatial.fetch import init_place
    from spatial.sources.download import Mirrors

    progress = _Bar(Console(stderr=True), 1)
    with progress.bar:
        found = init_place(directory, place, Mirrors(**addresses), progress)
    click.echo(f"{directory / 'city.toml'}: {found.name}\nLalu / then: hexakota fetch {directory}")


@_command("hexakota fetch tarakan", "hexakota fetch tarakan --refresh")
@CITY
@click.option("--refresh", is_flag=True, help="Minta semuanya lagi / ask for everything again.")
def fetch(city: Path, refresh: bool) -> None:
    """Unduh jalan, bangunan, batas, elevasi (internet) / download roads, buildings, boundaries, elevation."""
    from spatial.fetch import STAGES as FETCH_STAGES
    from spatial.fetch import fetch_city

    progress = _Bar(Console(stderr=True), FETCH_STAGES)
    with progress.bar:
        fetched = fetch_city(_folder(city), progress, refresh)
    for name, rows in fetched.files.items():
        click.echo(f"{name}" + ("" if rows is None else f"  {rows:,}"))
    click.echo(f"{fetched.requests} permintaan / requests\nLalu / then: hexakota run {city}")


@_command("hexakota check kupang", "hexakota check kupang --html laporan-data.html")
@CITY
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Halaman laporan / page of the report  [CITY/check.html]",
)
def check(city: Path, html: Path | None) -> None:
    """Periksa masukan sebelum dijalankan / check the inputs before a run.

    Menulis satu halaman HTML, tidak mengubah apa pun yang lain. Status keluar 1 bila kota belum layak dijalankan.

    Writes one HTML page and changes nothing else. Exit status 1 where the city is not fit to run yet.
    """
    from services.check import check_target, show, write_page
    from spatial import quality

    target = _folder(city) / "check.html" if html is None else html
    check_target(target)
    progress = _Bar(Console(stderr=True))
    with progress.bar:
        try:
            checked = quality.check(city, progress)
        except InputError as error:
            for other in quality.unreadable(city):
                if str(other) != str(error):
                    click.echo(f"hexakota: {other}", err=True)
            raise
        write_page(checked, target)
    console = Console()
    show(checked.quality, console)
    console.print(f"\nhalaman / page: {target}", markup=False, soft_wrap=True)
    if checked.quality.verdict.level == "problem":
        sys.exit(1)


@_command("hexakota run kupang", "hexakota run kupang --force")
@CITY
@click.option("--force", is_flag=True, help="Terbitkan walau tak ada yang berubah / publish although nothing changed.")
@click.option(
    "--drop-missing",
    is_flag=True,
    help="Lupakan laporan yang tak lagi ada di berkas / forget reports that their file no longer holds.",
)
def run(city: Path, force: bool, drop_missing: bool) -> None:
    """Hitung dan terbitkan satu kota / compute and publish a city."""
    _run(city, force, drop_missing)


def _run(city: Path, force: bool = False, drop_missing: bool = False) -> None:
    from spatial import pipeline

    console = Console(stderr=True)
    progress = _Bar(console)
    with progress.bar:
        outcome = pipeline.run(city, progress, force=force, drop_missing=drop_missing)
    show_run(outcome.version.manifest, outcome.version.path, Console())


@_command("hexakota scenario tarakan --rain-mm 100", "hexakota scenario tarakan --rain-mm 100 --tide-m 1.2")
@CITY
@click.option("--rain-mm", required=True, type=float, help="Hujan di semua daratan / rain on all land, mm.")
@click.option("--tide-m", type=float, help="Pasang di atas datumnya / tide above its datum, m (see [tide]).")
@click.option("--tide-series", is_flag=True, help="Deret pasang kota / the city's own [[tide_series]].")
@click.option("--version", "base", help="Versi dasar / version to stand on; the served one by default.")
def scenario(city: Path, rain_mm: float, tide_m: float | None, tide_series: bool, base: str | None) -> None:
    """Satu hujan dan satu pasang: apa yang tergenang / one storm and one tide: what is under water.

    Terbit sebagai versi sendiri dan tidak menggantikan versi yang disajikan.

    Published as a version of its own; it never replaces the served one.
    """
    from spatial.pipeline.scenario import Storm, run_scenario

    if tide_series and tide_m is not None:
        raise click.UsageError("--tide-m and --tide-series exclude each other")
    progress = _Bar(Console(stderr=True), 4)
    with progress.bar:
        version = run_scenario(city, Storm(rain_mm, tide_m, tide_series), base, progress)
    told = version.manifest["scenario"]
    classes = Table("kelas jalan / road class", "m tergenang / m under water")
    for name, metres in sorted(told["road_water_length_by_class_m"].items(), key=lambda row: -row[1]):
        classes.add_row(name or "–", f"{metres:,.0f}")
    Console().print(classes)
    click.echo(
        f"{told['cells_under_water']:,} sel tergenang / cells under water, {told['water_volume_m3']:,.0f} m³; "
        f"{told['catchments_overflowing']:,} daerah tangkapan meluap / catchments overflow\n"
        f"versi / version {version.id}  (…/collections/scenario_cells/items?version={version.id})\n"
        f"peta / map: {version.path / 'map.png'}"
    )


@_command(
    "hexakota evaluate kupang --truth banjir-2024.geojson",
    "hexakota evaluate kupang --truth genangan.gpkg --score flood_susceptibility --background kota.geojson",
    "hexakota evaluate kupang --truth banjir-2024.geojson --layer flood_zones --out hasil",
)
@CITY
@question
def evaluate(city: Path, out: Path | None, **asked: Any) -> None:
    """Nilai skor terbit terhadap kejadian nyata / score a published layer against what happened.

    Menulis evaluation.json, roc.png, map.png; tidak mengubah kota. Selang dari blok spasial, bukan dari sel satu-satu.

    Writes evaluation.json, roc.png, map.png; changes nothing of the city. Intervals come from spatial blocks, not from
    cells one by one; each baseline is scored on the same cells.
    """
    from services.evaluate import show, write
    from services.output import check_folder
    from spatial.evaluate import Question, evaluate

    folder = _folder(city)
    target = folder / "evaluation" if out is None else out
    check_folder(target, folder)
    found = evaluate(folder, Question(**{name: value for name, value in asked.items() if value is not None}))
    written = write(found, target)
    console = Console()
    show(found, console)
    for path in written:
        console.print(f"{path}", markup=False, highlight=False, soft_wrap=True)


@_command(
    "hexakota plan kupang",
    "hexakota plan kupang --crews 3 --visits-per-day 8 --days 5",
    'hexakota plan kupang --owner "Dinas Perhubungan" --out rencana',
)
@CITY
@repairs
def plan(city: Path, crews: int, visits_per_day: int, days: int, owner: tuple[str, ...], **where: Any) -> None:
    """Rencana perbaikan PJU / a plan of street-light repairs: satu kunjungan per gangguan / one visit per fault.

    Diurutkan menurut meter jalan gelap yang menyala per kunjungan; yang masih garansi atau milik lain dipisahkan.
    Menulis visits.csv, referred.csv, visits.png; tidak mengubah kota.

    Ordered by the metres of dark road that a visit relights; what is under warranty or another's is set apart. Writes
    visits.csv, referred.csv, visits.png; changes nothing of the city.
    """
    from services.output import check_folder
    from services.plan import show, write
    from spatial.lighting.repairs import RepairParameters
    from spatial.plan import plan as make_plan

    folder = _folder(city)
    target = where["out"] or folder / "plan"
    check_folder(target, folder)
    parameters = RepairParameters(crews, visits_per_day)
    made = make_plan(folder, parameters, owner, where["version"])
    written = write(made, target, days)
    console = Console()
    show(made, parameters, console)
    for path in written:
        console.print(f"{path}", markup=False, highlight=False, soft_wrap=True)


@_command("hexakota serve kupang --port 5000", "hexakota serve kupang --worker", "hexakota serve kupang --editable")
@CITY
@listening
@edits
def serve(city: Path, host: str, port: int, worker: bool, editable: bool, no_token: bool) -> None:
    """Sajikan versi terbit sebagai OGC API / serve the published version as an OGC API."""
    from services.app import serve as serve_city
    from services.editing import editing_of

    serve_city(_folder(city), host, port, worker, editing_of(city, editable, no_token, host))


def _folder(city: Path) -> Path:
    folder = city.parent if city.is_file() else city
    if not folder.is_dir():
        raise InputError(city, "city", "no such folder", "name the folder that holds city.toml")
    return folder


@_command("hexakota versions kupang")
@CITY
def versions(city: Path) -> None:
    """Daftar versi / list the versions; * is served."""
    store = Versions(_folder(city) / "var")
    served = store.current()
    for version, published in store.all():
        rows = ", ".join(f"{name} {layer['rows']}" for name, layer in version.manifest["layers"].items())
        told = version.manifest.get("scenario")
        what = "" if told is None else f"skenario / scenario: {told['title']}; "
        mark = "*" if served and served.id == version.id else " "
        click.echo(f"{mark} {version.id}  {published or '–'}  {what}{rows}")


@_command("hexakota rollback kupang", "hexakota rollback kupang 0f3a9c1d2b4e5f60")
@CITY
@click.argument("version", required=False)
def rollback(city: Path, version: str | None) -> None:
    """Sajikan versi lain / serve another version; the one before the served one by default."""
    from spatial.pipeline.second import rollback as serve_other

    click.echo(f"{serve_other(_folder(city), version).id} disajikan / is served")


@_command("hexakota prune kupang --keep 3")
@CITY
@click.option(
    "--keep", default=5, show_default=True, type=click.IntRange(0), help="Versi lain yang disimpan / others kept."
)
def prune(city: Path, keep: int) -> None:
    """Hapus versi lama / delete old versions; the served one always stays."""
    from spatial.pipeline.second import prune as delete_old

    for gone in delete_old(_folder(city), keep):
        click.echo(f"{gone} dihapus / deleted")


@_command("hexakota demo", "hexakota demo contoh --seed 2 --no-serve")
@click.argument("directory", metavar="DIR", default="demo", type=click.Path(path_type=Path, file_okay=False))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0))
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=5000, show_default=True, type=click.IntRange(0, 65535), envvar="HEXAKOTA_PORT")
@click.option("--no-serve", is_flag=True, help="Jangan jalankan server / do not start the server.")
def demo(directory: Path, seed: int, host: str, port: int, no_serve: bool) -> None:
    """Kota contoh sintetis: buat, hitung, sajikan / the synthetic sample city: make, run, serve."""
    from spatial.sample import write_sample_city

    if (directory / "city.toml").exists():
        click.echo(f"{directory}: kota contoh yang ada dipakai / the sample city that is there is used")
    else:
        write_sample_city(directory, seed)
    _run(directory)
    if not no_serve:
        from services.app import serve as serve_city

        serve_city(directory, host, port, with_worker=True)


@_command("hexakota version")
def version() -> None:
    """Tampilkan versi program / print the program's version."""
    click.echo(f"hexakota {spatial.__version__}")


if __name__ == "__main__":
    main()
