"""Metadata of every collection, read by OWSLib and by structure, against the manifest and the history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from owslib.etree import etree
from owslib.iso import MD_Metadata

from services.app import create_app
from spatial.store.versions import Version, Versions
from tests.services.inside import ask
from tests.services.running import get
from tests.services.test_coverages import copied, version  # noqa: F401  # a fixture

ODD = "Kota <b>&amp;</b> \"Uji\" 'satu' 🌊 𝔘\x01"
XML_SAFE = ODD.replace("\x01", "\ufffd")
ODBL = "© OpenStreetMap contributors, ODbL 1.0"
SOURCES = {"dcat": "application/ld+json", "iso": "application/xml", "json": "application/geo+json"}


@pytest.fixture
def odd(version: Version, tmp_path: Path):  # noqa: F811
    """Return an application whose city has an odd name, an input under a licence and an earlier version."""

    def change(manifest: dict[str, Any]) -> None:
        manifest["city"] |= {"name": ODD, "attribution": [ODBL, f"{ODD} owner"]}
        manifest["inputs"][0] |= {"licence": "CC BY 4.0", "source": "https://example.org/a?b=1&c=<2>"}
        manifest["previous"] = "00000000000000bb"
        manifest["skill"] = {"flood_score": {"auc": 0.71, "low": 0.62, "high": 0.79}}

    return create_app(copied(version, tmp_path, change), "http://x.test")


def parsed(content: bytes) -> MD_Metadata:
    return MD_Metadata(etree.fromstring(content))


def literals(value: Any) -> list[str]:
    """Return every text in a JSON value."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in literals(item)]
    if isinstance(value, list):
        return [text for item in value for text in literals(item)]
    return [value] if isinstance(value, str) else []


def test_every_collection_has_a_record_in_the_catalogue(url: str, version: Version) -> None:  # noqa: F811
    page = get(f"{url}/catalogue")[2]
    names = {row["id"] for row in get(f"{url}/collections")[2]["collections"]}
    assert {row["id"] for row in page["records"]} == names
    assert names == {*version.manifest["layers"], *version.manifest["rasters"]}
    assert (page["type"], page["itemType"], page["recordsArrayName"]) == ("Collection", "record", "records")
    items = [link["href"] for link in page["links"] if link["rel"] == "item"]
    assert len(items) == len(names)
    assert all(get(href)[2] in page["records"] for href in items[::6])


@pytest.mark.parametrize("name", ["reports", "flood_zones", "hand"])
def test_links_lead_there_and_back(url: str, name: str) -> None:
    links = [link for link in get(f"{url}/collections/{name}")[2]["links"] if link["rel"] == "describedby"]
    assert {link["type"] for link in links} >= set(SOURCES.values())
    for link in links:
        if link["href"].split("?")[0].endswith("/metadata"):
            status, kind, _ = get(link["href"])
            assert (status, kind.split(";")[0]) == (200, link["type"])
    record = get(f"{url}/collections/{name}/metadata")[2]
    for link in record["links"]:
        assert get(link["href"])[0] == 200, link
    assert f"{url}/catalogue" in [link["href"] for link in get(f"{url}/")[2]["links"]]


def test_a_record_says_what_the_manifest_says(url: str, city: Path, version: Version) -> None:  # noqa: F811
    record = get(f"{url}/collections/reports/metadata?f=json")[2]
    assert (record["type"], record["id"], record["properties"]["type"]) == ("Feature", "reports", "dataset")
    assert record["conformsTo"] == ["http://www.opengis.net/spec/ogcapi-records-1/1.0/conf/record-core"]
    [published] = [time for found, time in Versions(city / "var").all() if found == version]
    assert record["properties"]["updated"] == published
    layer = version.manifest["layers"]["reports"]
    west, south, east, north = layer["bbox"]
    assert record["geometry"]["coordinates"][0][:3] == [[west, south], [east, south], [east, north]]
    assert record["time"]["interval"] == layer["interval"]
    told = record["properties"]["hexakota"]
    assert told["inputs"] == version.manifest["inputs"]
    assert all(row["sha256"] in told["lineage"]["id"] for row in version.manifest["inputs"])
    assert told["parameters"] == version.manifest["parameters"]
    assert told["quality"]["reports"]["rows_quarantined"] == version.manifest["reports"]["rows_quarantined"]
    assert told["quality"]["left_out"] == version.manifest["left_out"]
    assert told["quality"]["collection"]["rows"] == layer["rows"]
    assert told["vertical_datum"] == "EGM2008"
    assert "Citizen reports" in record["properties"]["title"]
    assert "Laporan warga" in record["properties"]["title"]


def test_owslib_reads_the_iso_document(url: str, version: Version) -> None:  # noqa: F811
    status, kind, content = get(f"{url}/collections/hand/metadata?f=iso")
    assert (status, kind.split(";")[0]) == (200, "application/xml")
    found = parsed(content)
    [identified] = found.identification
    assert found.identifier == f"hand@{version.id}"
    assert (found.hierarchy, found.languagecode, [row.languagecode for row in found.locales]) == (
        "dataset",
        "ind",
        ["eng"],
    )
    assert found.referencesystem.code == "http://www.opengis.net/def/crs/EPSG/0/32750"
    assert "Tinggi di atas saluran" in identified.title
    assert identified.spatialrepresentationtype == ["grid"]
    box = get(f"{url}/collections/hand")[2]["extent"]["spatial"]["bbox"][0]
    sides = (identified.bbox.minx, identified.bbox.miny, identified.bbox.maxx, identified.bbox.maxy)
    assert [float(side) for side in sides] == pytest.approx(box)
    assert found.contact[0].email == "you@example.org"
    assert all(row["sha256"] in found.dataquality.lineage for row in version.manifest["inputs"])
    linked = {row.url for row in found.distribution.online}
    assert f"{url}/collections/hand/coverage?f=tif" in linked
    assert b"EGM2008" in content
    reports = parsed(get(f"{url}/collections/reports/metadata?f=iso")[2])
    assert reports.identification[0].temporalextent_start == version.manifest["layers"]["reports"]["interval"][0]
    assert any(row.url.endswith("/reports/items?f=json") for row in reports.distribution.online)
    assert b"rows_quarantined" in get(f"{url}/collections/reports/metadata?f=iso")[2]


@pytest.mark.filterwarnings("ignore:Support for class-based `config`")  # pygeoapi's, on its first import
def test_odd_names_and_every_licence_are_in_every_encoding(odd) -> None:
    iso = ask(odd, "/collections/flood_zones/metadata", f="iso")[2]
    found = parsed(iso).identification[0]
    assert {ODBL, f"{XML_SAFE} owner", "reports.csv: CC BY 4.0"} <= set(found.uselimitation)
    assert found.keywords[0].keywords[-1].name == XML_SAFE
    assert "ODbL" in found.otherconstraints[0]
    assert "https://example.org/a?b=1&c=<2>" in "".join(ET.fromstring(iso).itertext())
    assert "0.79" in "".join(ET.fromstring(iso).itertext())
    for kind in ("dcat", "json"):
        texts = literals(ask(odd, "/collections/flood_zones/metadata", f=kind)[2])
        assert any(ODBL in text for text in texts)
        assert any("CC BY 4.0" in text for text in texts)
        assert ODD in texts
        assert "https://example.org/a?b=1&c=<2>" in texts
    assert json.dumps(ask(odd, "/collections/flood_zones/metadata", f="json")[2]["properties"]["hexakota"]["quality"])


@pytest.mark.filterwarnings("ignore:Support for class-based `config`")
def test_the_dcat_document_stands_alone(odd) -> None:
    status, kind, document = ask(odd, "/collections/flood_zones/metadata", f="dcat")
    assert (status, kind.split(";")[0]) == (200, "application/ld+json")
    prefixes = document["@context"]
    assert isinstance(prefixes, dict)  # a text would have to be fetched
    assert all(uri.startswith("http") and uri[-1] in "/#" for uri in prefixes.values())
    names = [key for key in json.dumps(document).split('"') if ":" in key and key.split(":")[0] in prefixes]
    assert {"dcat:Dataset", "dct:title", "dcat:distribution", "spdx:checksumValue"} <= set(names)

    def undefined(value: Any) -> list[str]:
        if isinstance(value, list):
            return [key for item in value for key in undefined(item)]
        if not isinstance(value, dict):
            return []
        own = [key for key in value if not key.startswith("@") and key.split(":")[0] not in prefixes]
        return own + [key for item in value.values() for key in undefined(item)]

    assert undefined({key: value for key, value in document.items() if key != "@context"}) == []
    assert {row["@language"] for row in document["dct:title"]} == {"id", "en"}
    assert document["dcat:previousVersion"]["@id"].endswith("version=00000000000000bb")
    assert document["dct:license"]["@id"].startswith("https://opendatacommons.org")
    assert all(row["dcat:accessURL"]["@id"].startswith("http://x.test/") for row in document["dcat:distribution"])
    assert document["dct:spatial"]["dcat:bbox"]["@value"].startswith("POLYGON((")


def test_what_is_not_there(url: str) -> None:
    assert get(f"{url}/collections/nothing/metadata")[0] == 404
    assert get(f"{url}/collections/water_depth/metadata")[0] == 404
    assert get(f"{url}/collections/reports/metadata", f="xml")[0] == 400
    assert get(f"{url}/collections/reports/metadata", version="0123456789abcdef")[0] == 404
    assert get(f"{url}/catalogue", x=1)[0] == 400
    assert (
        "http://www.opengis.net/spec/ogcapi-records-1/1.0/conf/record-core"
        in get(f"{url}/conformance")[2]["conformsTo"]
    )
    assert "/collections/hand/metadata" in get(f"{url}/openapi")[2]["paths"]
