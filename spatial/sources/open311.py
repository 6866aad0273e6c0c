"""Open311 GeoReport v2: answers of GET requests.json and requests.xml, and the standard's names in any table.

Standard: https://wiki.open311.org/GeoReport_v2/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pandas as pd

from spatial.errors import InputError
from spatial.sources.geo_points import read_json
from spatial.sources.quarantine import BadRow
from spatial.sources.raw import RawTable, ReadOptions

ID = "service_request_id"
_WRAPPERS = ("service_requests", "requests")
_WRAPPED = re.compile(r'\{\s*"(?:service_requests|requests)"\s*:')
_SNIFF = 65_536


def standard_columns(frame: pd.DataFrame) -> dict[str, str]:
    """Return contract column → column of `frame` by the standard's names; empty where it has no `service_request_id`.

    `requested_datetime, updated_datetime, status, description, lat` bear the contract's own names already. The category
    is `service_name`, or `service_code` where no row has a name.
    """
    if ID not in frame.columns:
        return {}
    found = {"report_id": ID}
    if "long" in frame.columns and "lat" in frame.columns:
        found["lon"] = "long"
    for name in ("service_name", "service_code"):
        if name in frame.columns and frame[name].notna().any():
            return found | {"category": name}
    return found


def is_open311_json(path: Path) -> bool:
    """Return whether a JSON file begins like a list of service requests, bare or in `service_requests`."""
    with path.open("rb") as file:
        head = file.read(_SNIFF).decode("utf-8-sig", errors="replace").lstrip()
    return bool(_WRAPPED.match(head)) or (head.startswith("[") and f'"{ID}"' in head)


def read_open311_json(path: Path, options: ReadOptions) -> RawTable:
    """Read service requests; a request that is not an object is a bad row.

    Raises
    ------
    InputError
        Not JSON, or neither a list nor an object with a list in `service_requests`.
    """
    content = read_json(path)
    if isinstance(content, dict):
        content = next((content[name] for name in _WRAPPERS if name in content), content)
    if not isinstance(content, list):
        raise InputError(path, "service_requests", "is not a list of service requests", "deliver requests.json")
    return _table(path, content)


def read_open311_xml(path: Path, options: ReadOptions) -> RawTable:
    """Read the `request` elements of `service_requests`.

    Raises
    ------
    InputError
        Not XML, cut off, or another document.
    """
    try:
        root = ET.parse(path).getroot()
    except ET.ParseError as error:
        raise InputError(path, "file", f"is not valid XML ({error})", "deliver the file again") from error
    if root.tag not in _WRAPPERS:
        problem = f"the document is <{root.tag}>, not <service_requests>"
        raise InputError(path, "service_requests", problem, "deliver requests.xml of Open311 GeoReport v2")
    return _table(path, [{child.tag: child.text for child in request} for request in root])


def _table(path: Path, requests: Iterable[Any]) -> RawTable:
    rows: dict[int, Mapping[str, Any]] = {}
    bad: list[BadRow] = []
    for number, request in enumerate(requests, 1):
        if isinstance(request, dict):
            rows[number] = {str(name): _plain(value) for name, value in request.items()}
        else:
            bad.append(BadRow(number, "request", "not_a_request", None, request))
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    if rows and ID not in names:
        raise InputError(path, ID, "no request has one", "deliver requests of Open311 GeoReport v2")
    columns = {name: [row.get(name) for row in rows.values()] for name in names}
    frame = pd.DataFrame(columns, index=pd.Index(rows, dtype="int64"), dtype=object)
    return RawTable(frame, None, None, tuple(bad), (f"{path.name}: Open311 GeoReport v2, {len(rows)} requests",))


def _plain(value: Any) -> Any:
    """Return a value as a cell: nested objects as JSON text, empty text as None."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return None if isinstance(value, str) and not value.strip() else value
