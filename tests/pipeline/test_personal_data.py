"""Personal data planted in every text of a city's inputs: none of it is in anything that is published or printed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli import main
from spatial.contracts import CATEGORIES
from spatial.registry import LAYERS
from spatial.sources.redaction import holds_personal_data
from tests.pipeline.tiny import EAST, NORTH, SOUTH, WEST, write_tiny_city
from tests.services.running import get, served

KINDS = ("0812-7{:03}-9041", "warga{:03}@surat.id", "@warga_{:03}", "6473010101907{:03}", "https://t.me/warga{:03}")
KEPT = "menumpuk di RT 05"
HEADER = "id,lon,lat,kategori,uraian,status,waktu,selesai,asal"


class Planted:
    """Makes personal data of one kind after another, all different, and remembers them."""

    def __init__(self) -> None:
        self.all: list[str] = []

    def one(self) -> str:
        number = len(self.all)
        self.all.append(KINDS[number % len(KINDS)].format(number))
        return self.all[-1]


def _rows(plant: Planted) -> Iterator[str]:
    """Reports with personal data in one text each: id, category, description, status, time, source."""
    lon, lat = (WEST + EAST) / 2, (SOUTH + NORTH) / 2
    for kind in range(len(KINDS)):
        place = f"{lon + 0.001 * kind:.6f},{lat:.6f}"
        yield f"{plant.one()},{place},Sampah,id,menunggu,2025-03-03 07:00,,dinas"
        yield f"k{kind},{place},kata {plant.one()} lain,kategori,menunggu,2025-04-03 07:00,,dinas"
        yield f'u{kind},{place},Sampah,"{KEPT} hub {plant.one()} ya",menunggu,2025-05-03 07:00,,dinas'
        yield f"s{kind},{place},Sampah,status,tanya {plant.one()},2025-06-03 07:00,,dinas"
        yield f"t{kind},{place},Sampah,waktu,menunggu,kemarin {plant.one()},,dinas"
        yield f"a{kind},{place},Sampah,asal,menunggu,2025-07-03 07:00,,{plant.one()}"
        yield f",{place},Sampah,tanpa id {plant.one()},menunggu,2025-08-03 07:00,,dinas"
        yield f"x{kind},{plant.one()},{lat:.6f},Sampah,bujur,menunggu,2025-08-03 07:00,,dinas"
    for i in range(70):  # a default location, its example with personal data
        yield f"d{i},117.511111,-3.311111,Sampah,pusat {plant.one()},menunggu,2025-02-{1 + i % 28:02} 09:00,,dinas"


def _names(path: Path, plant: Planted) -> None:
    table = json.loads(path.read_text("utf-8"))
    for feature in table["features"]:
        feature["properties"]["name"] = f"Rumah {plant.one()}"
    path.write_text(json.dumps(table), "utf-8")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], str]:
    """The city, what was planted, and what `run` printed."""
    city = write_tiny_city(tmp_path_factory.mktemp("personal") / "city")
    toml = (city / "city.toml").read_text("utf-8")
    elevation = '[[elevation]]\npath = "dem.tif"\nvertical_datum = "EGM2008"\n'
    assert elevation in toml
    toml = toml.replace(elevation, "").replace('status = "status"', 'status = "status"\nsource = "asal"')
    (city / "city.toml").write_text(toml, "utf-8")
    plant = Planted()
    (city / "reports.csv").write_text("\n".join([HEADER, *_rows(plant)]) + "\n", "utf-8")
    for name in ("roads", "waterways", "buildings", "facilities"):
        _names(city / f"{name}.geojson", plant)
    result = CliRunner().invoke(main, ["run", str(city)])
    assert result.exit_code == 0, result.output
    return city, plant.all, result.output


def traces(told: str | bytes, planted: list[str]) -> list[str]:
    """Return what was planted and can be read in a text or in the bytes of a file, whole or its second half."""
    data = told.encode() if isinstance(told, str) else told
    return [one for one in planted if one.encode() in data or one[len(one) // 2 :].encode() in data]


def test_what_is_planted_is_seen_where_it_stays(planted) -> None:
    """The live tables keep texts as delivered: the search finds them there."""
    city, all_planted, _ = planted
    live = (city / "var" / "live.gpkg").read_bytes()
    seen = traces(live, all_planted)
    assert len(seen) > 50
    assert all(any(one.startswith(kind[:3]) for one in seen) for kind in KINDS)


def test_no_published_file_and_no_line_of_the_run_holds_any_of_it(planted) -> None:
    city, all_planted, told = planted
    files = [path for path in (city / "var" / "versions").rglob("*") if path.is_file()]
    assert {"layers.gpkg", "manifest.json", "map.png"} <= {path.name for path in files}
    for path in files:
        assert traces(path.read_bytes(), all_planted) == [], path.name
    assert traces(told, all_planted) == []


def test_no_value_of_any_layer_looks_like_it_and_the_rest_of_the_text_stays(planted) -> None:
    """Every text column is looked at, also those that a later contract adds."""
    city = planted[0]
    layers = next((city / "var" / "versions").glob("*/layers.gpkg"))
    with closing(sqlite3.connect(layers)) as connection:
        for layer in LAYERS:
            for column in (column.name for column in layer.columns if column.kind == "string"):
                values = [row[0] for row in connection.execute(f'SELECT DISTINCT "{column}" FROM "{layer.name}"')]
                assert [v for v in values if v is not None and holds_personal_data(v)] == [], (layer.name, column)
        texts = [row[0] for row in connection.execute("SELECT description FROM reports")]
        members = [row[0] for row in connection.execute("SELECT member FROM zone_members")]
    assert sum(KEPT in (text or "") for text in texts) == len(KINDS)
    assert not any(holds_personal_data(member) for member in members)


def test_the_manifest_counts_words_without_what_was_in_them(planted) -> None:
    manifest = json.loads(next((planted[0] / "var" / "versions").glob("*/manifest.json")).read_text("utf-8"))
    words = manifest["reports"]["unmapped_words"]
    assert words["kata [telepon] lain"] == 1
    assert sum(n for word, n in words.items() if word.startswith("status:tanya [")) == len(KINDS)
    assert manifest["reports"]["rows_quarantined"] == 2 * len(KINDS)


def test_check_shows_none_of_it(planted) -> None:
    city, all_planted, _ = planted
    page = city.parent / "check.html"
    result = CliRunner().invoke(main, ["check", str(city), "--html", str(page)])
    told = page.read_text("utf-8")
    assert "[telepon]" in told
    assert "kemarin [" in told  # an example of a refused row
    assert "pusat [" in told  # the example of the default location
    assert traces(told, all_planted) == []
    assert traces(result.output, all_planted) == []


def test_a_proposal_shows_none_of_it(planted, tmp_path: Path) -> None:
    city, all_planted, _ = planted
    result = CliRunner().invoke(main, ["init", str(tmp_path / "new"), "--from", str(city / "reports.csv")])
    assert result.exit_code == 0, result.output
    assert traces(result.output, all_planted) == []
    assert traces((tmp_path / "new" / "city.toml").read_text("utf-8"), all_planted) == []


def test_no_answer_of_the_server_holds_any_of_it(planted) -> None:
    city, all_planted, _ = planted
    with served(city) as url:
        pages = [f"{url}/?f=json", f"{url}/openapi?f=json", f"{url}/collections?f=json"]
        for layer in LAYERS:
            collection = f"{url}/collections/{layer.name}"
            pages += [f"{collection}?f=json", f"{collection}/queryables?f=json"]
            pages += [f"{collection}/items?f={form}&limit=1000" for form in ("json", "html")]
        for page in pages:
            status, _, body = get(page)
            told = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False)
            assert status == 200, page
            assert traces(told, all_planted) == [], page
        assert get(f"{url}/collections/reports/items?f=json&limit=1000")[2]["numberMatched"] > len(CATEGORIES)


def test_an_id_does_not_tell_the_number_that_it_was_hashed_with(planted) -> None:
    """Ten digits can be tried out: the id of a row without one is the same whatever number the text holds."""
    from spatial.sources.reports import ReportSource, read_reports
    from spatial.sources.taxonomy import load_taxonomy

    city = planted[0]
    ids = []
    for number in ("0812-3456-7890", "0857 1111 2222"):
        file = city.parent / "one.csv"
        file.write_text(f"lon,lat,category,description\n117.51,-3.31,Sampah,hub {number}\n", "utf-8")
        ids.append(read_reports(ReportSource(file), load_taxonomy()).reports["report_id"].item())
    assert ids[0] == ids[1]
