"""OpenStreetMap through osmnx: a place's boundary from Nominatim, features from Overpass.

osmnx asks and builds the geometry. Its answers pass a hook of ours before it sees them: what is not whole, not JSON or
not final is refused there and asked for again. Its settings are module globals: they are set in `_osmnx`, only there,
and put back.
"""

from __future__ import annotations

import json
import socket
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import osmnx
import requests
import shapely
from osmnx._errors import InsufficientResponseError
from shapely.geometry import MultiPolygon, Polygon

from spatial.errors import DownloadError
from spatial.sources.download import AGENT, AgainError, Attempts, Cache, Mirrors, check_status

Tags = Mapping[str, bool | str | list[str]]


@dataclass(frozen=True, eq=False, slots=True)
class Place:
    """A place of OpenStreetMap: its `name` in full, its area in EPSG:4326 (longitude first), `osm_id`, `retrieved`."""

    name: str
    area: Polygon | MultiPolygon
    osm_id: str
    retrieved: str


@dataclass(frozen=True, eq=False, slots=True)
class Features:
    """Features of one query in EPSG:4326: columns as tagged, `osm_id` ("way/123"); `retrieved`: of the latest chunk."""

    table: gpd.GeoDataFrame
    retrieved: str


def download_place(query: str, mirrors: Mirrors, attempts: Attempts, cache: Cache) -> Place:
    """Return the first place with an area that the geocoder knows by a name.

    Raises
    ------
    DownloadError
        No such place, a place without an area, or no usable answer after all attempts.
    """
    url = f"{mirrors.nominatim.rstrip('/')}/search"

    def action() -> gpd.GeoDataFrame:
        with _osmnx(mirrors, attempts, cache, "place", _is_list):
            return osmnx.geocode_to_gdf(query)

    try:
        row = attempts.repeat(url, action).iloc[0]
    except InsufficientResponseError as error:
        raise DownloadError(url, f"knows no place {query!r}", "write it with its province and country") from error
    except TypeError as error:
        hint = "name a larger place, or draw the boundary and name the file under [area]"
        raise DownloadError(url, f"{query!r} has no area in OpenStreetMap", hint) from error
    except (KeyError, AttributeError, ValueError) as error:
        raise DownloadError(url, "the answer is not a geocoder's", "check `nominatim` under [mirrors]") from error
    parts = shapely.get_parts(shapely.make_valid(row.geometry))
    flat = [part for outer in parts for part in shapely.get_parts(outer) if part.geom_type == "Polygon"]
    area = flat[0] if len(flat) == 1 else MultiPolygon(flat)
    return Place(str(row["display_name"]), area, f"{row['osm_type']}/{row['osm_id']}", cache.retrieved("place/*.json"))


def download_features(
    name: str,
    tags: Tags,
    area: Polygon | MultiPolygon,
    mirrors: Mirrors,
    attempts: Attempts,
    cache: Cache,
) -> Features:
    """Return what intersects an area (EPSG:4326) and has one of the tags; an empty table where there is none.

    An area larger than `query_km2` is asked in pieces; the pieces that were received stay in the cache under `name`.

    Raises
    ------
    DownloadError
        No usable answer after all attempts.
    """
    url = f"{mirrors.overpass.rstrip('/')}/interpreter"

    def action() -> gpd.GeoDataFrame:
        with _osmnx(mirrors, attempts, cache, name, _is_overpass):
            return osmnx.features_from_polygon(area, dict(tags))

    try:
        table = attempts.repeat(url, action)
    except InsufficientResponseError:  # the answers were whole (the hook saw to it), and hold nothing
        table = gpd.GeoDataFrame(geometry=[], crs="EPSG:4326")
    except (KeyError, AttributeError) as error:
        raise DownloadError(url, "the answer is not Overpass's", "check `overpass` under [mirrors]") from error
    table = table[~table.index.duplicated()].sort_index()
    table["osm_id"] = [f"{kind}/{number}" for kind, number in table.index] if len(table) else []
    return Features(table.reset_index(drop=True), cache.retrieved(f"{name}/*.json"))


def _is_list(content: Any) -> None:
    if not isinstance(content, list):
        raise AgainError("the answer is not a list of places")


def _is_overpass(content: Any) -> None:
    if not isinstance(content, dict) or not isinstance(content.get("elements"), list):
        raise AgainError("the answer holds no elements")
    remark = str(content.get("remark", ""))
    if remark:  # "runtime error: Query timed out": status 200, and only a part of what was asked
        raise AgainError(f"Overpass says: {remark[:200]}")


@contextmanager
def _osmnx(
    mirrors: Mirrors, attempts: Attempts, cache: Cache, name: str, check: Callable[[Any], None]
) -> Iterator[None]:
    """Set osmnx up for one call, with our cache and our checks; put everything back, and keep the finished chunks."""
    chunks = f"{name}/*.json"
    cache.check(chunks)
    parameters = attempts.parameters

    def hook(response: requests.Response, **_: Any) -> None:
        cache.seal(chunks)  # what osmnx wrote before it asked again is finished
        _check_response(response, check)
        attempts.received()
        attempts.requests += 1

    values: dict[str, Any] = {
        "cache_folder": cache.folder / name,
        "use_cache": True,
        "doh_url_template": None,
        "http_user_agent": AGENT,
        "http_referer": "",
        "http_accept_language": "id,en",
        "max_query_area_size": parameters.query_km2 * 1e6,
        "nominatim_url": mirrors.nominatim,
        "overpass_url": mirrors.overpass,
        "overpass_rate_limit": False,  # a mirror need not have /status; 429 is answered with patience instead
        "requests_kwargs": {"hooks": {"response": hook}},
        "requests_timeout": int(parameters.timeout_s),
    }
    before = {key: getattr(osmnx.settings, key) for key in values}
    resolver = socket.getaddrinfo
    try:
        for key, value in values.items():
            setattr(osmnx.settings, key, value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # osmnx says that it cuts the area into pieces
            yield
        cache.seal(chunks)
    except (requests.RequestException, AgainError, DownloadError, InsufficientResponseError):
        cache.seal(chunks)
        raise
    finally:
        for key, value in before.items():
            setattr(osmnx.settings, key, value)
        socket.getaddrinfo = resolver  # osmnx binds the server's name to one address


def _check_response(response: requests.Response, check: Callable[[Any], None]) -> None:
    if response.is_redirect:
        return
    check_status(response)
    try:
        content = json.loads(response.content)
    except (ValueError, RecursionError) as error:
        kind = response.headers.get("Content-Type", "").split(";")[0] or "something"
        raise AgainError(f"the answer is not whole JSON ({kind}, {len(response.content):,} bytes)") from error
    check(content)


def write_geojson(path: Path, table: gpd.GeoDataFrame) -> bytes:
    """Return a table as GeoJSON in CRS84, rows as they stand, coordinates to 1e-7 degrees; `path` names it inside."""
    shapes = json.loads(shapely.to_geojson(shapely.GeometryCollection(list(_rounded(table)))))["geometries"]
    names = [c for c in table.columns if c != table.geometry.name]
    rows = zip(*(table[n] for n in names), strict=True) if names else iter(())
    features = [
        {
            "type": "Feature",
            "properties": {n: v if isinstance(v, str) else None for n, v in zip(names, row, strict=True)},
            "geometry": shape,
        }
        for row, shape in zip(rows, shapes, strict=True)
    ]
    head = {"type": "FeatureCollection", "name": path.stem}
    lines = ",\n".join(json.dumps(feature, ensure_ascii=False) for feature in features)
    return f'{json.dumps(head)[:-1]}, "features": [\n{lines}\n]}}\n'.encode()


def _rounded(table: gpd.GeoDataFrame) -> Any:
    return shapely.transform(shapely.force_2d(table.geometry.to_numpy()), lambda xy: xy.round(7))
