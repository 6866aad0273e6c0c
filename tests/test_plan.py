"""A plan of repairs from a published city, on the terminal and in its files."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from click.testing import CliRunner
from matplotlib.image import imread

from services.cli import main
from spatial import pipeline
from spatial.errors import StoreError
from spatial.lighting.repairs import RepairParameters
from spatial.plan import Plan, plan
from tests.pipeline.tiny import write_tiny_city


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny city; its inventory names owners, and lamp L00 is still under warranty."""
    folder = write_tiny_city(tmp_path_factory.mktemp("plan") / "city")
    with (folder / "reports.csv").open("a", encoding="utf-8") as file:
        for i, lamp in enumerate((30, 38, 47)):  # far from the dark street and from each other
            file.write(
                f"s{i},{117.5 + 0.0003 * (lamp + 1):.6f},-3.310940,PJU padam,mati,menunggu,2025-06-0{i + 1} 20:00,\n"
            )
    lamps = gpd.read_file(folder / "lamps.geojson")
    lamps["owner"] = ["Dishub" if i % 2 else "Swasta" for i in range(len(lamps))]
    dark = pipeline.run(folder).version
    first = gpd.read_file(dark.layers, layer="lighting_faults").query("kind == 'lamp'")
    lamps["warranty_until"] = None
    assert len(first) == 3
    lamps.loc[lamps["lamp_id"] == first["lamp_ids"].iloc[0], "warranty_until"] = "2099-12-31"
    (folder / "lamps.geojson").unlink()
    lamps.to_file(folder / "lamps.geojson")
    pipeline.run(folder)
    return folder


def faults(made: Plan) -> set[str]:
    return set(made.visits["fault_id"]) | set(made.referred["fault_id"])


def test_every_fault_is_visited_once_or_left_to_others(city: Path) -> None:
    made = plan(city, RepairParameters(crews=1, visits_per_day=2))
    table = gpd.read_file(made.version.layers, layer="lighting_faults")
    assert faults(made) == set(table["fault_id"])
    assert len(made.visits) + len(made.referred) == len(table) > 1
    assert made.reports == made.visits["n_reports"].sum()
    by_day = made.visits.groupby("day")["relit_m"].agg(["min", "max", "size"])
    assert (by_day["size"] <= 2).all()
    assert (by_day["min"].to_numpy()[:-1] >= by_day["max"].to_numpy()[1:] - 1e-9).all()
    wrong = made.visits[made.visits["kind"] == "circuit"]
    extra = ((1 - wrong["cause_probability"]) * (wrong["lamps_reported"] - 1)).sum()
    assert made.expected_visits == pytest.approx(len(made.visits) + extra)


def test_warranty_and_owner_are_respected(city: Path) -> None:
    everyone, public = plan(city, RepairParameters()), plan(city, RepairParameters(), owners=("Dishub",))
    assert everyone.referred["why"].tolist() == ["warranty"]
    others = public.referred[public.referred["why"] == "owner"]
    assert set(others["owner"]) <= {"Swasta", "Dishub, Swasta", "Swasta, Dishub"}
    assert not public.visits["owner"].eq("Swasta").any()
    assert faults(public) == faults(everyone)


def test_the_command_writes_a_table_and_a_map(city: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["plan", str(city), "--crews", "2", "--out", str(tmp_path / "plan")])
    assert result.exit_code == 0, result.output
    assert "kunjungan hemat" in result.output
    table = pd.read_csv(tmp_path / "plan/visits.csv")
    assert {"day", "crew", "stop", "fault_id", "lon", "lat", "owner"} <= set(table.columns)
    assert table["lon"].between(117.5, 117.52).all()
    assert imread(tmp_path / "plan/visits.png").std() > 0.01
    again = CliRunner().invoke(main, ["plan", str(city), "--out", str(city / "var" / "plan")])
    assert again.exit_code == 2
    assert "is not written to" in again.stderr


def test_a_place_without_a_lamp_is_named_by_its_report(city: Path, tmp_path: Path) -> None:
    """Without inventory and roads a fault is where a report lies; its line names the report, not a lamp."""
    bare = tmp_path / "bare"
    write_tiny_city(bare)
    text = (bare / "city.toml").read_text("utf-8")
    for table in ('[[roads]]\npath = "roads.geojson"\n', '[[lamps]]\npath = "lamps.geojson"\n'):
        assert table in text
        text = text.replace(table, "")
    (bare / "city.toml").write_text(text.replace('[lamps.columns]\nlamp_id = "lamp_id"\n', ""), "utf-8")
    with (bare / "reports.csv").open("a", encoding="utf-8") as file:
        file.write("s0,117.514100,-3.310940,PJU padam,mati,menunggu,2025-06-01 20:00,\n")
    pipeline.run(bare)
    result = CliRunner().invoke(main, ["plan", str(bare)], env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    assert "place reports:s0" in result.output
    assert "nan" not in result.output


def test_a_city_without_a_version_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="hexakota run"):
        plan(tmp_path, RepairParameters())
