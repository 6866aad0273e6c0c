"""The command line: help with examples, the life of a city from init to prune, a summary that adds up."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import spatial
from services.cli import main
from spatial.store.versions import Versions
from tests.pipeline.tiny import write_tiny_city

COMMANDS = (
    *("init", "fetch", "check", "run", "scenario", "evaluate", "plan", "serve", "worker"),
    *("versions", "rollback", "prune", "demo", "version"),
)


def hexakota(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_the_commands_are_these_and_the_readme_knows_them() -> None:
    assert sorted(main.commands) == sorted(COMMANDS)
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    for name in COMMANDS:
        assert f"hexakota {name}" in readme, name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = hexakota(name, "--help")
    assert result.exit_code == 0
    assert "Contoh / examples:" in result.stdout
    assert f"  hexakota {name}" in result.stdout
    assert " / " in result.stdout


def test_version_and_unknown_command() -> None:
    assert hexakota("version").stdout == f"hexakota {spatial.__version__}\n"
    assert hexakota("fly").exit_code == 2


def test_init_writes_a_commented_city_and_never_overwrites(tmp_path: Path) -> None:
    assert hexakota("init", tmp_path / "kupang").exit_code == 0
    again = hexakota("init", tmp_path / "kupang")
    assert again.exit_code == 2
    assert "exists already" in again.stderr
    assert (tmp_path / "kupang/data").is_dir()


def test_the_life_of_a_city(tmp_path: Path) -> None:
    city = write_tiny_city(tmp_path / "city")
    first = hexakota("run", city)
    assert first.exit_code == 0, first.stderr
    for words in (
        "111",
        "karantina / quarantine: ",
        "lighting_zones",
        "! Skor banjir belum dikalibrasi",
        "layers.gpkg",
        "hexakota serve",
    ):
        assert words in first.stdout, words
    for stage in ("reports:", "terrain:", "publish:"):
        assert stage in first.stderr, stage
    assert "nothing has changed" in hexakota("run", city).stderr
    assert hexakota("run", city, "--force").exit_code == 0
    listed = hexakota("versions", city).stdout.splitlines()
    assert len(listed) == 2
    assert [line[0] for line in listed] == [" ", "*"]
    back = hexakota("rollback", city)
    assert back.stdout.split()[0] == listed[0].split()[0]
    assert Versions(city / "var").current().id == listed[0].split()[0]
    assert hexakota("rollback", city).exit_code == 2
    assert hexakota("rollback", city, "nonsense").exit_code == 2
    storm = hexakota("scenario", city, "--rain-mm", "80")
    assert storm.exit_code == 0, storm.stderr
    assert "sel tergenang / cells under water" in storm.stdout
    assert len(hexakota("versions", city).stdout.splitlines()) == 3
    assert "deleted" in hexakota("prune", city, "--keep", 0).stdout
    assert len(hexakota("versions", city).stdout.splitlines()) == 1


def test_demo_makes_runs_and_labels_the_sample_city(tmp_path: Path) -> None:
    result = hexakota("demo", tmp_path / "demo", "--no-serve")
    assert result.exit_code == 0, result.stderr
    assert "[SINTETIS / SYNTHETIC]" in result.stdout
    assert (tmp_path / "demo/var/current").exists()
    again = hexakota("demo", tmp_path / "demo", "--no-serve")
    assert again.exit_code == 0, again.stderr
