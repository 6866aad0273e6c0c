"""Files of a collection's features: everything that matches, unless `limit` is given; memory stays bounded.

CSV and GeoJSON sequences are streamed as they are read from the index. Other files, and those in another coordinate
reference system, are written to a temporary folder (of TMPDIR) first and sent from there: at most two at a time, large
ones in a process of their own. The folder is gone before the first byte is sent. Coordinates are east (longitude) first
in every file, also of EPSG:4326.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any
from urllib.parse import quote

import anyio
from anyio.lowlevel import RunVar
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from services.answers import problem
from services.crs import CRS84
from services.formats import FILES, FORMATS
from services.parameters import BadRequestError
from services.parts import Link
from services.question import Question, page_of
from services.site import SYNTHETIC, Edition
from services.view import View, links_of_page
from spatial.errors import StoreError
from spatial.store import exports
from spatial.store.exports import WRITERS, About, Extract
from spatial.store.index import LayerIndex, index_of

_AT_ONCE, _PATIENCE, _RETRY = 2, 60, 30  # files being written in a process; seconds to wait for a place; and to retry
_FEW = 20_000  # rows written in a thread, in less time than a process takes to start
_PIECE = 1 << 18  # bytes sent at a time
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')
_places: RunVar[anyio.Semaphore] = RunVar("hexakota.downloads")


async def download(view: View, question: Question, tag: str | None, head: bool) -> Response:
    """Answer with a file; `head`: with its headers only.

    Raises
    ------
    BadRequestError, QueryError
        The format cannot hold what is asked.
    StoreError
        The file cannot be written.
    """
    if question.hits:
        raise BadRequestError(f"resulttype=hits: expected f=json, since f={view.format} is a file of features")
    if view.format == "geojsonseq" and question.crs != CRS84:
        raise BadRequestError(f"crs={question.crs}: expected CRS84, the system of GeoJSON text sequences (RFC 8142)")
    index = await run_in_threadpool(index_of, view.version, view.layer)
    matched, rows = await run_in_threadpool(page_of, index, question)
    counted = {"OGC-NumberMatched": str(matched), "OGC-NumberReturned": str(len(rows))}
    headers = view.headers(tag, question.crs) | counted | _told(view, question, matched)
    media = FORMATS[view.format].media
    if head:
        return Response(headers=headers, media_type=media)
    if view.format == "geojsonseq":
        return StreamingResponse(_sequence(index, rows, question), headers=headers, media_type=media)
    extract = _extract(view, question, index, rows)
    if view.format == "csv" and question.crs == CRS84:
        return StreamingResponse(exports.csv_parts(extract), headers=headers, media_type=media)
    file = await _in_turn(extract, view.format)
    if file is None:
        busy = problem(503, "ServerBusy", f"f={view.format}: other files are being written; expected to be asked later")
        busy.headers["Retry-After"] = str(_RETRY)
        return busy
    headers["Content-Length"] = str(file.seek(0, 2))
    return StreamingResponse(_pieces(file), headers=headers, media_type=media)


async def _in_turn(extract: Extract, form: str) -> IO[bytes] | None:
    """Write a file when there is a place for it. None where none came free in time."""
    try:
        places = _places.get()
    except LookupError:
        places = anyio.Semaphore(_AT_ONCE)
        _places.set(places)
    with anyio.move_on_after(_PATIENCE) as waited:
        await places.acquire()
    if waited.cancelled_caught:
        return None
    try:
        return await run_in_threadpool(_written, extract, form)  # a client that leaves does not cut it short
    finally:
        places.release()


def _written(extract: Extract, form: str) -> IO[bytes]:
    """Return an open file that is in no folder any more: it is gone when it is closed, whatever happens to us."""
    with TemporaryDirectory(prefix="hexakota-") as folder:
        path = Path(folder, f"{extract.layer.name}.{FORMATS[form].extension}")
        if len(extract.rows) <= _FEW:
            WRITERS[form](extract, path)
        else:
            _apart(extract, form, path)
        return path.open("rb")


def _apart(extract: Extract, form: str, path: Path) -> None:
    """Write a large file in a process of its own: GDAL holds Python's lock, and other requests would wait for it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        try:
            process.submit(WRITERS[form], extract, path).result()
        except BrokenProcessPool as error:
            raise StoreError(f"f={form}: the process that wrote the file was ended; is there enough memory?") from error


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(_PIECE):
            yield piece


def _sequence(index: LayerIndex, rows: Any, question: Question) -> Iterator[bytes]:
    """Yield a GeoJSON text sequence (RFC 8142)."""
    for first in range(0, len(rows), exports.BATCH):
        some = rows[first : first + exports.BATCH]
        each = (index.features(some[i : i + 1], question.skip_geometry, question.select) for i in range(len(some)))
        yield b"".join(b"\x1e%b\n" % feature for (feature,) in each)


def _extract(view: View, question: Question, index: LayerIndex, rows: Any) -> Extract:
    columns = tuple(c for c in view.layer.columns if question.select is None or c.name in question.select)
    crs = exports.CRS84 if question.crs == CRS84 else "EPSG:" + question.crs.rpartition("/")[2]
    about = _about(view)
    if index.path is None:
        raise TypeError("a file is made of a published index, not of one in memory")
    return Extract(index.path, view.layer, rows, columns, None if question.skip_geometry else crs, about)


def _about(view: View) -> About:
    """Return what a file says of itself, from the version's manifest."""
    manifest = view.version.manifest
    city, layer = manifest["city"], manifest["layers"][view.layer.name]
    facts = {
        "kota / city": city["name"],
        "versi / version": view.version.id,
        "data sampai / data up to": city["as_of"],
        "sintetis / synthetic": "ya, data rekaan / yes, made-up data" if city["synthetic"] else "tidak / no",
        "sumber / attribution": "; ".join(city["attribution"]),
        "catatan / notes": " ".join(f"{row['id']} / {row['en']}" for row in (*layer["notes"], *manifest["left_out"])),
        "tentang / about": _described(view),
    }
    mark = SYNTHETIC if city["synthetic"] else ""
    reasons = {name: f"{why['id']} / {why['en']}" for name, why in layer["null_because"].items()}
    known = tuple((label, str(value)) for label, value in facts.items() if value)
    return About(f"{mark}{view.layer.title_id} / {view.layer.title_en}", known, reasons)


def _described(view: View) -> str:
    return f"{view.collection}?version={quote(view.version.id)}"


def _told(view: View, question: Question, matched: int) -> dict[str, str]:
    """Return the headers of a file: its name, and the links that the format has no room for."""
    links = [f'<{_described(view)}>; rel="describedby"']
    turns = [link for link in links_of_page(view, question, matched) if link["rel"] in ("prev", "next")]
    links += [f'<{link["href"]}>; rel="{link["rel"]}"' for link in turns if "method" not in link]
    return {"Link": ", ".join(links), "Content-Disposition": _disposition(view)}


def _disposition(view: View) -> str:
    """Return the header that names the file, in ASCII and as it is (RFC 6266)."""
    city = _FORBIDDEN.sub("-", str(view.edition.manifest["city"]["name"]))
    rest = f"{view.layer.name}-{view.version.id}.{FORMATS[view.format].extension}"
    plain = unicodedata.normalize("NFKD", city).encode("ascii", "ignore").decode().lower()
    plain = re.sub("[^a-z0-9]+", "-", plain).strip("-")
    ascii_name = f"{plain}-{rest}" if plain else rest
    return f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(f'{city}-{rest}', safe='')}"


def download_links(edition: Edition, name: str) -> list[Link]:
    """Return the links of a collection to its files."""
    items = f"{edition.api.base_url}/collections/{name}/items"
    return [
        {
            "rel": "enclosure",
            "type": FORMATS[form].media,
            "title": f"Unduh {FORMATS[form].title} / Download {FORMATS[form].title}",
            "href": f"{items}?f={form}",
        }
        for form in FILES
    ]
