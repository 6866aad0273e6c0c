"""The OpenAPI document and the server agree: every page is told of, and every request is answered as told."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from services import transactions
from services.app import PARTS
from services.parts import Page
from spatial.contracts import COVERAGE_BY_NAME
from tests.services.every_operation import examine
from tests.services.running import get, served

# operations of an editable server alone have tests of their own
PAGES = [page for part in PARTS if part is not transactions.PART for page in part.pages]
ONLY = ("reports", "flood_zones", "elevation")


@pytest.fixture(scope="module")
def document(url: str) -> Any:
    return get(f"{url}/openapi")[2]


def _told(page: Page, document: Any) -> dict[str, Any]:
    """Return the path items that tell of a page: `{name}` of a route may be spelled out or named otherwise."""
    coverages = "|".join(COVERAGE_BY_NAME)
    path = re.sub(r"\{\w+:coverage\}", f"(?:{coverages})", page.path)
    path = re.sub(r"\{\w+(:path)?\}", "[^/]+", path)
    found = {told: item for told, item in document["paths"].items() if re.fullmatch(path, told)}
    raster = {told for told in found if re.match(f"/collections/(?:{coverages})(/schema)?$", told)}
    return found if ":coverage" in page.path else {told: item for told, item in found.items() if told not in raster}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{'-'.join(page.methods)} {page.path}")
def test_every_page_is_in_the_document(document: Any, page: Page) -> None:
    """Its methods; where its handler does not check them itself, its parameters; and its formats."""
    items = _told(page, document)
    assert items
    for method in page.methods:
        operations = [item[method.lower()] for item in items.values() if method.lower() in item]
        assert operations, method
        for operation in operations if page.parameters is not None else ():
            told = {p["name"]: p["schema"] for p in operation["parameters"] if p["in"] == "query"}
            assert set(told) == page.parameters
            assert set(told.get("f", {}).get("enum", page.formats)) == set(page.formats)


def test_every_path_of_the_document_is_a_page(document: Any) -> None:
    told = {(path, m.upper()) for page in PAGES for m in page.methods for path in _told(page, document)}
    assert {(path, method.upper()) for path, item in document["paths"].items() for method in item} <= told


def test_every_operation_answers_as_the_document_says(city: Path, tmp_path: Path) -> None:
    """A share of `python -m tests.services.every_operation --examples 20000`; jobs stay in a city of their own."""
    own = shutil.copytree(city, tmp_path / "city")
    with served(own) as address:
        outcome = examine(address, tmp_path, 1000, only=ONLY)
    assert not outcome.failed, outcome.failed[-5000:]
    assert outcome.examples >= 1000
    assert outcome.operations > 60
