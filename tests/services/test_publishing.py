"""New versions are published while clients read: nothing fails, no walk through the pages mixes two versions."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from spatial.contracts import FLOOD_ZONES
from spatial.store.versions import Versions
from tests.services import handmade
from tests.services.running import get, served

TIMES = 100
CLIENTS = 4


def publish(city: Path, number: int) -> str:
    """Publish version `number`: 5 to 9 zones, each of which carries the version's id."""
    version = f"{number:016x}"
    zones = handmade.zones("flood", 5 + number % 5).assign(version=version)
    handmade.publish(city, version, handmade.tables() | {FLOOD_ZONES: zones})
    return version


def walk(url: str) -> tuple[set[str], set[str], int, int]:
    """Follow `next` from the first page; return the versions of links and of features, the ids and `numberMatched`."""
    pinned, held, ids, matched = set(), set(), [], None
    address = f"{url}/collections/flood_zones/items?limit=2"
    while address is not None:
        status, _, page = get(address)
        assert status == 200, page
        assert matched in (None, page["numberMatched"])
        matched = page["numberMatched"]
        ids += [feature["id"] for feature in page["features"]]
        held |= {feature["properties"]["version"] for feature in page["features"]}
        address = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
        pinned |= set(parse_qs(urlsplit(address).query)["version"]) if address else set()
    assert len(ids) == len(set(ids))
    return pinned, held, len(ids), matched


def test_a_hundred_publications_under_load(tmp_path: Path) -> None:
    city = tmp_path / "city"
    first = publish(city, 0)
    file = Versions(city / "var").current().layers
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    failures, seen, over = [], set[str](), threading.Event()

    def client() -> None:
        while not over.is_set():
            try:
                pinned, held, count, matched = walk(url)
                assert len(held) == 1
                assert pinned == held
                number = int(next(iter(held)), 16)
                assert count == matched == 5 + number % 5
                seen.update(held)
            except Exception as error:
                failures.append(repr(error))
                return

    with served(city) as url:
        clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
        for thread in clients:
            thread.start()
        for number in range(1, TIMES + 1):
            last = publish(city, number)
        over.set()
        for thread in clients:
            thread.join()
        assert walk(url)[1] == {last}
        assert get(f"{url}/collections/flood_zones/items", version=first)[2]["numberMatched"] == 5
    assert failures == []
    assert len(seen) > TIMES / 10  # the clients did read while versions came
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before
