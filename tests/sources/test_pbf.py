"""OSM PBF: framing and tags."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatial.errors import InputError
from spatial.sources.lamps import LampSource, read_lamps
from spatial.sources.pbf import check_whole, tag
from spatial.sources.roads import RoadSource, read_roads

from .data import real


def blob(kind: bytes, data: bytes) -> bytes:
    """Return one framed blob: BlobHeader {1: type, 3: datasize} after its length, then the data."""
    header = b"\x0a" + bytes([len(kind)]) + kind + b"\x18" + bytes([len(data)])
    return len(header).to_bytes(4, "big") + header + data


WHOLE = blob(b"OSMHeader", b"h" * 5) + blob(b"OSMData", b"d" * 100)


def test_a_whole_file_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "a.osm.pbf"
    path.write_bytes(WHOLE)
    assert check_whole(path) == 2


@pytest.mark.parametrize("size", [n for n in range(1, len(WHOLE)) if n != len(blob(b"OSMHeader", b"h" * 5))])
def test_a_file_cut_anywhere_within_a_blob(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.osm.pbf"
    path.write_bytes(WHOLE[:size])
    with pytest.raises(InputError, match="is cut off"):
        check_whole(path)


@pytest.mark.parametrize(
    "content",
    [
        b"<osm version='0.6'>",
        b"\0\0\0\0",
        blob(b"OSMData", b""),
        b"\0\0\0\x02\x0a\xff",
        b"\0\0\0\x02\x0d\x01",
        b"\0\0\0\x02\xff\xff",
    ],
)
def test_what_is_no_pbf(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.osm.pbf"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not OSM PBF"):
        check_whole(path)


def test_tags_of_hstore_text() -> None:
    text = r'"unlit"=>"x","note"=>"a \"lit\"=>\"no\", b","lit"=>"24/7","x"=>"y\\z"'
    assert (tag(text, "lit"), tag(text, "note"), tag(text, "x")) == ("24/7", 'a "lit"=>"no", b', "y\\z")
    assert tag(text, "it") is tag(None, "lit") is tag("", "lit") is None


@pytest.mark.parametrize("name", ["porto_alegre/poa_osm.pbf", "helsinki/Helsinki.osm.pbf"])
def test_a_real_file_cut_in_half(tmp_path: Path, name: str) -> None:
    data = real(name).read_bytes()
    path = tmp_path / "half.osm.pbf"
    path.write_bytes(data[: len(data) // 2])
    for read in (lambda: read_roads(RoadSource(path)), lambda: read_lamps(LampSource(path))):
        with pytest.raises(InputError, match="is cut off") as error:
            read()
        assert (error.value.path, error.value.field) == (str(path), "file")


def test_damage_within_a_blob(tmp_path: Path) -> None:
    data = bytearray(real("porto_alegre/poa_osm.pbf").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 5000] = bytes(5000)
    path = tmp_path / "damaged.osm.pbf"
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot be read"):
        read_roads(RoadSource(path))
