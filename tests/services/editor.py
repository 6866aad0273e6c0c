"""A client that edits: HTTP without any header that a test did not ask for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlsplit

GEOJSON, MERGE_PATCH = "application/geo+json", "application/merge-patch+json"


@dataclass(frozen=True)
class Answer:
    """What a server answered; header names in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def told(self) -> str:
        """The sentence of a problem."""
        return str(self.json["description"])


@dataclass(frozen=True)
class Editor:
    """A client of one server's reports."""

    url: str
    token: str | None = None

    def ask(self, method: str, address: str, body: Any = None, kind: str | None = GEOJSON, **headers: str) -> Answer:
        """Send a request; `If_Match=` is the header If-Match. Objects are sent as JSON of the media type `kind`."""
        parts = urlsplit(address if address.startswith("http") else self.url + address)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and kind is not None:
            sent["Content-Type"] = kind
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection = HTTPConnection(parts.hostname, parts.port, timeout=60)
        try:
            connection.request(method, parts.path + ("?" + parts.query if parts.query else ""), data, sent)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def items(self, **asked: Any) -> Answer:
        """Read a page of reports."""
        more = "&".join(f"{quote(name)}={quote(str(value), safe='')}" for name, value in asked.items())
        return self.ask("GET", f"/collections/reports/items?{more}" if more else "/collections/reports/items")

    def item(self, report_id: str) -> str:
        """Return the address of a report."""
        return f"/collections/reports/items/{quote(report_id, safe='')}"

    def get(self, report_id: str, **headers: str) -> Answer:
        """Read a report."""
        return self.ask("GET", self.item(report_id), **headers)

    def create(self, feature: Any, kind: str | None = GEOJSON, **headers: str) -> Answer:
        """Make a report."""
        return self.ask("POST", "/collections/reports/items", feature, kind, **headers)

    def replace(self, report_id: str, feature: Any, kind: str | None = GEOJSON, **headers: str) -> Answer:
        """Replace a report."""
        return self.ask("PUT", self.item(report_id), feature, kind, **headers)

    def update(self, report_id: str, patch: Any, kind: str | None = MERGE_PATCH, **headers: str) -> Answer:
        """Update a report."""
        return self.ask("PATCH", self.item(report_id), patch, kind, **headers)

    def delete(self, report_id: str, **headers: str) -> Answer:
        """Delete a report."""
        return self.ask("DELETE", self.item(report_id), **headers)


def report(lon: float = 117.509, lat: float = -3.311, /, **properties: Any) -> dict[str, Any]:
    """Return a GeoJSON feature of a report."""
    place = {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "geometry": place, "properties": {"category": "road", **properties}}
