"""A collection as a record of OGC API Records Part 1 (20-004): a GeoJSON feature."""

from __future__ import annotations

from typing import Any

from services.catalogue.entries import Entry
from services.parts import Link

RECORD_CORE = "http://www.opengis.net/spec/ogcapi-records-1/1.0/conf/record-core"
GEOJSON = "application/geo+json"
_LANGUAGES = [{"code": "id", "name": "Bahasa Indonesia"}, {"code": "en", "name": "English"}]


def record(entry: Entry) -> dict[str, Any]:
    """Return the record; texts are Indonesian first, then English."""
    west, south, east, north = entry.box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    interval = None if entry.interval is None else [end or ".." for end in entry.interval]
    return {
        "type": "Feature",
        "id": entry.name,
        "conformsTo": [RECORD_CORE],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "time": None if interval is None else {"interval": interval},
        "properties": {
            "type": "dataset",
            "title": f"{entry.title['id']} / {entry.title['en']}",
            "description": f"{entry.abstract['id']} / {entry.abstract['en']}",
            "language": _LANGUAGES[0],
            "languages": _LANGUAGES,
            "created": entry.updated,
            "updated": entry.updated,
            "keywords": list(entry.keywords),
            "contacts": [
                {
                    "name": entry.contact["name"],
                    "emails": [{"value": entry.contact["email"]}],
                    "roles": ["pointOfContact"],
                }
            ],
            "license": entry.licence[1],
            "rights": "; ".join(entry.credits),
            "formats": [{"name": link["title"], "mediaType": link["type"]} for link in entry.links],
            "hexakota": {
                "title": entry.title,
                "abstract": entry.abstract,
                "lineage": entry.lineage,
                "inputs": list(entry.sources),
                "parameters": entry.parameters,
                "quality": entry.quality,
                "vertical_datum": entry.vertical_datum,
                "attribution": list(entry.credits),
                "storage_crs": entry.crs,
                "version": entry.version,
                "previous": entry.previous,
            },
        },
        "links": [*record_links(entry.address), *entry.links],
    }


def record_links(address: str) -> list[Link]:
    """Return the links from a record to itself, its other encodings, its collection and its catalogue."""
    here = f"{address}/metadata"
    return [
        {"rel": "self", "type": GEOJSON, "title": "Dokumen ini / this document", "href": f"{here}?f=json"},
        {"rel": "alternate", "type": "application/ld+json", "title": "DCAT-AP", "href": f"{here}?f=dcat"},
        {"rel": "alternate", "type": "application/xml", "title": "ISO 19139", "href": f"{here}?f=iso"},
        {"rel": "describes", "type": "application/json", "title": "Koleksi / collection", "href": address},
        {
            "rel": "collection",
            "type": "application/json",
            "title": "Katalog / catalogue",
            "href": f"{address.rsplit('/collections/', 1)[0]}/catalogue",
        },
    ]
