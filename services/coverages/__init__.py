"""The rasters of a version as coverages and maps: OGC API Coverages (19-087, draft) and OGC API Maps Part 1 (20-058).

A raster is a collection like any other. `/collections/{name}/coverage` gives its values, `…/map` a picture of them in
stated colours, `…/legend` the colours, `…/schema` its one field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from services.answers import json_response
from services.coverages import described
from services.coverages.asked import COVERAGE, CRS84, MAP, given, uri_of
from services.coverages.encodings import MEDIA, coverage_json, geotiff, picture
from services.coverages.openapi import paths
from services.coverages.targets import coverage_grid, map_grid
from services.pages import edition_of, pinned
from services.parameters import COMMON, BadRequestError, format_of
from services.parts import Page, Part
from services.site import Edition
from spatial.charts import colour_of, legend_png
from spatial.contracts import COVERAGE_BY_NAME
from spatial.store.grids import Grid, grid_of

_COVERAGE_FORMATS = ("tif", "covjson", "png", "json")  # json is CoverageJSON
_PAGE = COMMON | {"version"}


class _CoverageName(Convertor[str]):
    """Matches the names of coverages only: any other collection's address is for the parts after this one."""

    regex = "|".join(COVERAGE_BY_NAME)

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("coverage", _CoverageName())


async def _asked(edition: Edition, request: Request) -> tuple[Edition, str]:
    """Return the edition that `version=` names, and the coverage."""
    return await run_in_threadpool(edition_of, edition, request), str(request.path_params["name"])


async def _collection(edition: Edition, request: Request) -> Response:
    edition, name = await _asked(edition, request)
    document = pinned(await run_in_threadpool(described.described, edition, name), request)
    return json_response(document)


async def _schema(edition: Edition, request: Request) -> Response:
    edition, name = await _asked(edition, request)
    described.file_of(edition, name)
    return json_response(described.schema(edition, name), "application/schema+json")


async def _coverage(edition: Edition, request: Request) -> Response:
    edition, name = await _asked(edition, request)
    values = given(request, COVERAGE, ("subset", "scale-axes", "scale-size", "scaleSize"))
    for field in values.get("properties", name).split(","):
        if field != name:
            raise BadRequestError(f"properties={values['properties']}: expected {name}, the one field of this coverage")
    kind = {"json": "covjson"}.get(asked := format_of(request), asked)
    return await run_in_threadpool(_values, edition, name, values, kind)


def _values(edition: Edition, name: str, values: Mapping[str, str], kind: str) -> Response:
    path, coverage = described.file_of(edition, name), COVERAGE_BY_NAME[name]
    grid = coverage_grid(path, values, kind)
    if grid is None:
        return Response(status_code=204)  # 19-087, /req/subsetting/subset J
    headers = _placed(grid) | {"content-disposition": f'inline; filename="{name}_{edition.version.id}.{kind}"'}
    if kind == "covjson":
        return Response(coverage_json(path, grid, coverage), headers=headers, media_type=MEDIA[kind])
    if kind == "png":
        return Response(picture(path, grid, described.ramp(edition, name)), headers=headers, media_type=MEDIA[kind])
    if grid == grid_of(path):  # the published file itself, with overviews and in ranges: cloud-optimised
        return FileResponse(path, headers=headers, media_type=MEDIA[kind])
    spooled = geotiff(path, grid, coverage, _tags(edition, name))
    headers |= {"content-length": str(spooled.size)}
    return StreamingResponse(spooled.chunks(), headers=headers, media_type=MEDIA[kind])


def _tags(edition: Edition, name: str) -> dict[str, str]:
    """Return what a GeoTIFF says of itself."""
    city = edition.manifest["city"]
    return {
        "TIFFTAG_IMAGEDESCRIPTION": described.title(edition, COVERAGE_BY_NAME[name]),
        "TIFFTAG_COPYRIGHT": "; ".join(city["attribution"]),
        "VERSION": edition.version.id,
        "VERTICAL_DATUM": str(city["vertical_datum"]),
    }


async def _map(edition: Edition, request: Request) -> Response:
    edition, name = await _asked(edition, request)
    return await run_in_threadpool(_drawn, edition, name, given(request, MAP))


def _drawn(edition: Edition, name: str, values: Mapping[str, str]) -> Response:
    """Draw a map (20-058, `/req/core/map-response`); without `transparent`, `bgcolor` makes it opaque."""
    path = described.file_of(edition, name)
    if values.get("transparent", "true") not in ("true", "false"):
        raise BadRequestError(f"transparent={values['transparent']}: expected true or false")
    try:
        background = colour_of(values.get("bgcolor", "0xFFFFFF"))
    except ValueError as error:
        raise BadRequestError(f"bgcolor={values['bgcolor']}: expected 0xRRGGBB or the CSS name of a colour") from error
    clear = values.get("transparent", "false" if "bgcolor" in values else "true") == "true"
    grid = map_grid(path, values)
    content = picture(path, grid, described.ramp(edition, name), background, clear)
    box = ",".join(f"{value!r}" for value in grid.bounds)
    return Response(content, headers=_placed(grid) | {"content-bbox": box}, media_type=MEDIA["png"])


def _placed(grid: Grid) -> dict[str, str]:
    return {} if grid.crs == CRS84 else {"content-crs": f"<{uri_of(grid.crs)}>"}


async def _legend(edition: Edition, request: Request) -> Response:
    edition, name = await _asked(edition, request)
    described.file_of(edition, name)
    raster = edition.manifest["rasters"][name]
    shades = described.ramp(edition, name)
    content = await run_in_threadpool(legend_png, COVERAGE_BY_NAME[name], shades, raster["minimum"], raster["maximum"])
    return Response(content, media_type=MEDIA["png"])


def _collections(edition: Edition) -> list[dict[str, Any]]:
    return [described.described(edition, name) for name in described.names(edition)]


_COVERAGES, _MAPS = (f"http://www.opengis.net/spec/ogcapi-{part}-1/1.0/conf" for part in ("coverages", "maps"))
PART = Part(
    pages=(
        Page("/collections/{name:coverage}", _collection, parameters=_PAGE),
        Page("/collections/{name:coverage}/schema", _schema, ("json",), _PAGE),
        Page("/collections/{name:coverage}/coverage", _coverage, _COVERAGE_FORMATS, None),
        Page("/collections/{name:coverage}/map", _map, ("png",), None),
        Page("/collections/{name:coverage}/legend", _legend, ("png",), _PAGE),
    ),
    conformance=(
        *(f"{_COVERAGES}/{name}" for name in ("core", "subsetting", "scaling", "fieldselection", "crs")),
        *(f"{_COVERAGES}/{name}" for name in ("geotiff", "coveragejson")),
        *(f"{_MAPS}/{name}" for name in ("core", "collection-map", "crs", "png")),
    ),
    paths=paths,
    collections=_collections,
)
