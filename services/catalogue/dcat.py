"""A collection in DCAT-AP 3 as JSON-LD; the context is inline, so that nothing is fetched to read it."""

from __future__ import annotations

from typing import Any

from services.catalogue.entries import Entry, Words, as_text

_CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "dqv": "http://www.w3.org/ns/dqv#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "geo": "http://www.opengis.net/ont/geosparql#",
    "prov": "http://www.w3.org/ns/prov#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "spdx": "http://spdx.org/rdf/terms#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_LANGUAGE = "http://publications.europa.eu/resource/authority/language"


def dataset(entry: Entry) -> dict[str, Any]:
    """Return the dataset."""
    licence = {"@id": entry.licence[1]}
    document = {
        "@context": _CONTEXT,
        "@id": entry.address,
        "@type": "dcat:Dataset",
        "dct:identifier": entry.name,
        "dct:title": _both(entry.title),
        "dct:description": _both(entry.abstract),
        "dcat:keyword": list(entry.keywords),
        "dct:language": [{"@id": f"{_LANGUAGE}/IND"}, {"@id": f"{_LANGUAGE}/ENG"}],
        "dct:modified": _time(entry.updated),
        "dct:spatial": {"@type": "dct:Location", "dcat:bbox": _box(entry)},
        "dct:license": licence,
        "dct:rights": [{"@type": "dct:RightsStatement", "rdfs:label": text} for text in entry.credits],
        "dct:publisher": {"@type": "foaf:Organization", "foaf:name": entry.contact["name"]},
        "dcat:contactPoint": {
            "@type": "vcard:Kind",
            "vcard:fn": entry.contact["name"],
            "vcard:hasEmail": {"@id": f"mailto:{entry.contact['email']}"},
        },
        "dct:provenance": {"@type": "dct:ProvenanceStatement", "rdfs:label": _both(entry.lineage)},
        "prov:wasDerivedFrom": [_source(row) for row in entry.sources],
        "dct:conformsTo": {"@id": entry.crs},
        "dcat:version": entry.version,
        "dqv:hasQualityAnnotation": [
            {"@type": "dqv:QualityAnnotation", "rdfs:label": f"{name}: {as_text(value)}"}
            for name, value in (entry.quality | {"vertical_datum": entry.vertical_datum}).items()
        ],
        "dcat:distribution": [
            {
                "@type": "dcat:Distribution",
                "dct:title": link["title"],
                "dcat:accessURL": {"@id": link["href"]},
                "dcat:mediaType": link["type"],
                "dct:license": licence,
            }
            for link in entry.links
        ],
    }
    if entry.previous is not None:
        document["dcat:previousVersion"] = {"@id": f"{entry.address}?version={entry.previous}"}
    if entry.interval is not None and any(entry.interval):
        ends = zip(("dcat:startDate", "dcat:endDate"), entry.interval, strict=True)
        document["dct:temporal"] = {"@type": "dct:PeriodOfTime"} | {key: _time(end) for key, end in ends if end}
    return document


def _both(words: Words) -> list[dict[str, str]]:
    return [{"@language": language, "@value": words[language]} for language in ("id", "en")]


def _time(text: str) -> dict[str, str]:
    return {"@type": "xsd:dateTime", "@value": text}


def _box(entry: Entry) -> dict[str, str]:
    west, south, east, north = entry.box
    corners = ((west, south), (east, south), (east, north), (west, north), (west, south))
    return {"@type": "geo:wktLiteral", "@value": f"POLYGON(({','.join(f'{x} {y}' for x, y in corners)}))"}


def _source(row: dict[str, Any]) -> dict[str, Any]:
    """Return an input file: its path, hash, licence, where and when it was had."""
    known = {
        "dct:title": row["path"],
        "dct:type": row["kind"],
        "dct:license": row.get("licence"),
        "dct:source": row.get("source"),
        "dct:issued": row.get("retrieved"),
    }
    found = {"@type": "prov:Entity"} | {key: value for key, value in known.items() if value is not None}
    if row.get("sha256") is None:
        return found
    checksum = {"spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"}, "spdx:checksumValue": row["sha256"]}
    return found | {"spdx:checksum": {"@type": "spdx:Checksum"} | checksum}
