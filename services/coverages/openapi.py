"""Path items of the coverages in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from services.coverages.asked import CRS84, MERCATOR, uri_of
from services.coverages.described import file_of, names
from services.coverages.encodings import MEDIA
from services.openapi import failures, query_parameter
from services.site import Edition
from spatial.contracts import COVERAGE_BY_NAME
from spatial.store.grids import grid_of

_NUMBERS = {"type": "array", "minItems": 4, "maxItems": 4, "items": {"type": "number"}}
_COUNT = {"type": "integer", "minimum": 1, "maximum": 65500}
_LANG = query_parameter("lang", "bahasa / language", {"type": "string", "enum": ["id", "en"]})
_VERSION = query_parameter("version", "published version to answer from; default the served one", {"type": "string"})


def paths(edition: Edition) -> dict[str, Any]:
    """Return the path items of every raster of a version."""
    items: dict[str, Any] = {}
    for name in names(edition):
        items |= _of_coverage(edition, name)
    return items


def _of_coverage(edition: Edition, name: str) -> dict[str, Any]:
    crss = list(dict.fromkeys(map(uri_of, (grid_of(file_of(edition, name)).crs, CRS84, MERCATOR))))
    box = [
        query_parameter("bbox", "west, south, east, north in bbox-crs", _NUMBERS),
        query_parameter("bbox-crs", "CRS of bbox; default CRS84", {"type": "string", "enum": crss}),
        query_parameter("crs", "CRS of the answer; default that of the raster", {"type": "string", "enum": crss}),
        query_parameter("width", "columns", _COUNT),
        query_parameter("height", "rows", _COUNT),
    ]
    here, common = f"/collections/{name}", [_LANG, _VERSION]
    return {
        here: _page(
            name,
            "",
            [_format("json", "html"), *common],
            {"application/json": {"type": "object"}, "text/html": {"type": "string"}},
        ),
        f"{here}/schema": _page(
            name, "schema", [_format("json"), *common], {"application/schema+json": {"type": "object"}}
        ),
        f"{here}/coverage": _page(
            name,
            "coverage",
            [_format("tif", "covjson", "png", "json"), *box, *_parts(name, crss), *common],
            {media: _content(media) for media in MEDIA.values()},
            empty=True,
        ),
        f"{here}/map": _page(
            name,
            "map",
            [
                _format("png"),
                *box,
                query_parameter("transparent", "clear where unknown", {"type": "boolean", "default": True}),
                query_parameter(
                    "bgcolor", "0xRRGGBB or a CSS name, where unknown", {"type": "string", "default": "0xFFFFFF"}
                ),
                *common,
            ],
            {MEDIA["png"]: {"type": "string", "format": "binary"}},
        ),
        f"{here}/legend": _page(
            name, "legend", [_format("png"), *common], {MEDIA["png"]: {"type": "string", "format": "binary"}}
        ),
    }


def _parts(name: str, crss: list[str]) -> list[dict[str, Any]]:
    text = {"type": "string"}
    return [
        query_parameter("subset", "E(low:high),N(low:high) or Lat(low:high),Lon(low:high); * is the edge", text),
        query_parameter("subset-crs", "CRS of subset; default CRS84, for E, N the raster's", text | {"enum": crss}),
        query_parameter("scale-factor", "divides the pixels of both sides", {"type": "number", "minimum": 1e-6}),
        query_parameter("scale-axes", "divides the pixels of a side: E(2),N(3)", text),
        query_parameter("scale-size", "pixels of a side: E(100),N(80)", text),
        query_parameter("properties", "fields", {"type": "array", "items": {"type": "string", "enum": [name]}}),
    ]


def _content(media: str) -> dict[str, Any]:
    return {"type": "object"} if media.endswith("json") else {"type": "string", "format": "binary"}


def _format(*kinds: str) -> dict[str, Any]:
    return query_parameter("f", "bentuk / format", {"type": "string", "enum": list(kinds), "default": kinds[0]})


def _page(
    name: str, kind: str, parameters: list[dict[str, Any]], media: dict[str, Any], empty: bool = False
) -> dict[str, Any]:
    coverage = COVERAGE_BY_NAME[name]
    found = {"200": {"description": "OK", "content": {key: {"schema": schema} for key, schema in media.items()}}}
    nothing = {"204": {"description": "nothing of the coverage is there"}} if empty else {}
    operation = {
        "summary": f"{coverage.title_id} / {coverage.title_en}",
        "tags": [name],
        "operationId": f"get{name.title().replace('_', '')}{kind.title()}",
        "parameters": parameters,
        "responses": found | nothing | failures(),
    }
    return {"get": operation}
