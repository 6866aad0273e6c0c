"""The page of `check`: everything in one file, nothing asked of anyone; looked at in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from matplotlib.image import imread

from services.cli import main
from tests.pipeline.tiny import write_tiny_city
from tests.quality.test_check import hashes, plant_heights, plant_reports

FETCHING = {"src", "href", "srcset", "data", "action", "formaction", "poster", "background", "xlink:href"}
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Reader(HTMLParser):
    """Collects what a browser would fetch, and checks that elements are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in FETCHING]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def hexakota(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    city = write_tiny_city(tmp_path_factory.mktemp("faulty") / "city")
    plant_reports(city)
    plant_heights(city)
    with (city / "reports.csv").open("a", encoding="utf-8") as file:
        file.write(
            "x1,117.511111,-3.311111,<script>alert(1)</script>,<img src=http://x.example/a.png>,menunggu,"
            "2025-04-02 10:30,\n"
        )
    return city


@pytest.fixture(scope="module")
def page(faulty: Path) -> Path:
    before = hashes(faulty)
    result = hexakota("check", faulty)
    assert result.exit_code == 0, result.stderr
    after = hashes(faulty)
    assert after.pop("check.html")
    assert after == before
    return faulty / "check.html"


def test_the_page_fetches_nothing_and_runs_nothing(page: Path) -> None:
    text = page.read_text("utf-8")
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert [part for part in reader.fetched if not part.startswith("data:image/png;base64,")] == []
    assert len(reader.fetched) == 3
    assert not {"script", "link", "iframe", "object", "embed"} & set(reader.tags)
    assert not re.search(r"@import|url\(", text)
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_page_tells_what_was_planted(page: Path) -> None:
    text = page.read_text("utf-8")
    for words in (
        "LAYAK DIJALANKAN",
        "117.505123, -3.305123",
        "Ular masuk",
        "lonjakan",
        "lubang dalam",
        "permukaan rata",
        "EGM2008",
        "batas kecamatan tidak diberikan",
        "koordinat kosong",
        "kemarin",
    ):
        assert words in text, words


def test_the_page_can_go_elsewhere_but_not_over_an_input(faulty: Path, tmp_path: Path) -> None:
    before = hashes(faulty)
    assert hexakota("check", faulty, "--html", tmp_path / "a.html").exit_code == 0
    assert (tmp_path / "a.html").stat().st_size > 10_000
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]
    for bad in (faulty / "reports.csv", tmp_path / "none/a.html"):
        refused = hexakota("check", faulty, "--html", bad)
        assert refused.exit_code == 2
        assert len(refused.stderr.splitlines()) == 1
    assert hashes(faulty) == before


def test_the_terminal_tells_it_too_and_the_exit_status_says_whether_to_run(tmp_path: Path, faulty: Path) -> None:
    good = hexakota("check", faulty, "--html", tmp_path / "a.html")
    assert good.exit_code == 0
    for words in ("LAYAK DIJALANKAN", "FIT TO RUN", "lokasi bawaan", "spike", "no kecamatan boundaries", "a.html"):
        assert words in good.stdout, words
    city = write_tiny_city(tmp_path / "bad")
    text = (city / "reports.csv").read_text("utf-8")
    (city / "reports.csv").write_text(text.replace("2025-0", "kemarin 2025-0"), "utf-8")
    bad = hexakota("check", city)
    assert bad.exit_code == 1
    assert "BELUM LAYAK" in bad.stdout
    for name in ("reports.csv", "roads.geojson", "lamps.geojson"):
        (city / name).write_text("", "utf-8")
    empty = hexakota("check", city)
    assert empty.exit_code == 2
    told = [line for line in empty.stderr.splitlines() if line.startswith("hexakota: ")]
    assert len(told) == 3
    for name in ("reports.csv", "roads.geojson", "lamps.geojson"):
        assert sum(name in line for line in told) == 1, name
    (city / "reports.csv").unlink()
    gone = hexakota("check", city)
    assert gone.exit_code == 2
    assert "reports.csv" in gone.stderr


def screenshot(chromium: str, page: Path, folder: Path) -> np.ndarray:
    """Return the page as headless Chromium shows it without a network, (4600, 1060, 3), 0–1; the log is net.json."""
    folder.mkdir()
    command = [
        chromium,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--disable-background-networking",
        "--no-first-run",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={folder / 'profile'}",
        f"--log-net-log={folder / 'net.json'}",
        "--window-size=1060,6200",
        f"--screenshot={folder / 'page.png'}",
        page.as_uri(),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return imread(folder / "page.png")[:, :, :3]


def coloured(picture: np.ndarray) -> int:
    return int((picture.max(axis=2) - picture.min(axis=2) > 0.1).sum())


def test_a_browser_shows_the_page_without_a_network(page: Path, tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium: `make test-system`")
    picture = screenshot(chromium, page, tmp_path / "whole")
    assert picture.shape == (6200, 1060, 3)
    inked = (picture.min(axis=2) < 0.6).mean(axis=1)
    assert (inked > 0).mean() > 0.2, "most of the page is blank"
    bare = tmp_path / "bare.html"
    bare.write_text(re.sub(r"data:image/png;base64,[^\"]+", "data:,", page.read_text("utf-8")), "utf-8")
    without = screenshot(chromium, bare, tmp_path / "bare")
    assert coloured(picture) > 3 * coloured(without), "the pictures are missing"
    assert "x.example" not in (tmp_path / "whole/net.json").read_text("utf-8", "replace")
