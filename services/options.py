"""Options of commands that have many, apart from what they call: `hexakota --help` must not load the analysis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

_QUESTION = (
    click.option(
        "--truth",
        required=True,
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Titik atau poligon kejadian / points or polygons of what happened.",
    ),
    click.option("--truth-layer", metavar="NAME", help="Lapisan berkas itu / layer of the file, where it has several."),
    click.option("--layer", default="hexagons", show_default=True, help="hexagons, flood_zones, lighting_zones."),
    click.option("--score", metavar="COLUMN", help="Kolom angka / number column  [flood_score; zones: score]"),
    click.option("--version", metavar="ID", help="Versi / version  [yang disajikan / the served one]"),
    click.option(
        "--background",
        default="hull+1",
        show_default=True,
        metavar="FILE|hull+KM",
        help="Poligon asal sel latar / where the background comes from: a file, or the truth's hull and so many km.",
    ),
    click.option(
        "--min-share",
        type=click.FloatRange(0, 1),
        help="Bagian sel yang tertutup poligon / share of a cell that polygons must cover  [0.1]",
    ),
    click.option(
        "--out",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="Folder hasil / folder of the results  [CITY/evaluation]",
    ),
)


_REPAIRS = (
    click.option("--crews", default=3, show_default=True, type=click.IntRange(1), help="Regu / crews."),
    click.option(
        "--visits-per-day", default=8, show_default=True, type=click.IntRange(1), help="Kunjungan per regu / per crew."
    ),
    click.option(
        "--days", default=1, show_default=True, type=click.IntRange(1), help="Hari di peta / days on the map."
    ),
    click.option(
        "--owner", multiple=True, metavar="NAME", help="Hanya milik ini / lamps of this owner only; repeatable."
    ),
    click.option("--version", metavar="ID", help="Versi / version  [yang disajikan / the served one]"),
    click.option(
        "--out",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="Folder hasil / folder of the results  [CITY/plan]",
    ),
)

_EDITS = (
    click.option(
        "--editable",
        is_flag=True,
        help="Laporan boleh diubah, dengan token dari HEXAKOTA_TOKEN / let clients edit reports, with that token.",
    ),
    click.option(
        "--no-token", is_flag=True, help="Tanpa token, hanya dari mesin ini / without a token, from this machine only."
    ),
)


_LISTENING = (
    click.option("--host", default="127.0.0.1", show_default=True),
    click.option("--port", default=5000, show_default=True, type=click.IntRange(0, 65535)),
    click.option("--worker", is_flag=True, help="Jalankan juga pekerja proses / run a worker of the processes too."),
)


def listening(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a server."""
    return _with(_LISTENING, command)


def question(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that make a `Question`."""
    return _with(_QUESTION, command)


def repairs(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a plan of repairs."""
    return _with(_REPAIRS, command)


def edits(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a server whose reports can be edited."""
    return _with(_EDITS, command)


def _with(options: Sequence[Callable[..., Any]], command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(options):
        command = option(command)
    return command
