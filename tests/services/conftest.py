"""One published city and one server for all tests of the services."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import pytest

from spatial import pipeline
from spatial.registry import LAYERS
from spatial.store.geopackage import read_layer
from spatial.store.versions import Versions
from tests.pipeline.tiny import write_tiny_city
from tests.services.running import served


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small city, with texts that must survive every format, published."""
    folder = write_tiny_city(tmp_path_factory.mktemp("served") / "city")
    with (folder / "reports.csv").open("a", encoding="utf-8") as file:
        file.write("odd1,117.51,-3.31,Sampah,\"<b>&amp; 'kutip' 🌊 𝔘\",menunggu,2025-03-01 07:00,\n")
        file.write("odd2,117.511,-3.311,Sampah,,menunggu,,\n")
        file.write("odd3,117.512,-3.312,Sampah,lama,selesai,1990-07-20 20:17,\n")
    pipeline.run(folder)
    return folder


@pytest.fixture(scope="session")
def url(city: Path) -> Iterator[str]:
    """Address of the running server."""
    with served(city) as address:
        yield address


@pytest.fixture(scope="session")
def store(city: Path) -> dict[str, gpd.GeoDataFrame]:
    """The published layers as geopandas reads them: the oracle."""
    version = Versions(city / "var").current()
    return {layer.name: read_layer(version.layers, layer.name) for layer in LAYERS}
