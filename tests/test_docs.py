"""The documentation says what the program does: every setting, every column, the figures' commands."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import pytest

from spatial.config import Settings, load_settings, parameters

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def flat(value: object) -> list[float]:
    return [v for part in value for v in flat(part)] if isinstance(value, tuple) else [value]


def test_every_setting_is_documented_with_its_default(tmp_path: Path) -> None:
    (tmp_path / "city.toml").write_text('[city]\nname = "K"\n[area]\nbbox = [117.0, -4.0, 118.0, -3.0]\n')
    text = (DOCS / "city-toml.md").read_text("utf-8")
    for table, values in parameters(load_settings(tmp_path)).items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `[{table}]`"))
        for name, value in values.items():
            shown = ", ".join(f"{v:g}" for v in flat(value)) if isinstance(value, tuple) else value
            shown = f"{shown:g}" if isinstance(shown, float) else str(shown)
            assert f"`{name}`" in row, (table, name)
            assert shown in row or str(value) in row or "1e-6" in row, (table, name, shown)
    for field in dataclasses.fields(Settings):
        if field.name != "folder":
            assert f"[{field.name}]" in text


def test_the_table_of_columns_is_what_make_docs_writes() -> None:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert (DOCS / "columns.md").read_text("utf-8") == generate.columns()


@pytest.mark.parametrize("page", [*sorted(DOCS.glob("*.md")), ROOT / "README.md"], ids=lambda page: page.name)
def test_links_lead_to_files_that_are_there(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in (part.split(")")[0] for part in text.split("](")[1:]):
        if "://" not in target:
            assert (page.parent / target).exists(), target
