"""The sample city with a tide and with its planted flood as labels, published once for the tests that only read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatial import pipeline
from spatial.sample import write_sample_city

TIDE = '[tide]\ndatum = "LAT"\noffset_m = 0.25\n'
LABELS = '[[flood_labels]]\npath = "truth/flooded.geojson"\nlooked_for = "data/boundary.geojson"\n'


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    city = tmp_path_factory.mktemp("sample") / "city"
    write_sample_city(city, 3)
    with (city / "city.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n{LABELS}{TIDE}")
    pipeline.run(city)
    return city
