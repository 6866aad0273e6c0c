"""The live tables of a city, wherever its settings put them: the one place that chooses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from spatial.errors import StoreError
from spatial.store.edits import ReportStore, SqliteReports
from spatial.store.live import LiveTables
from spatial.store.place import Place

if TYPE_CHECKING:
    from spatial.store.postgis_live import PostgisLive

type Live = LiveTables | PostgisLive
LIVE_FILE = "live.gpkg"
MOVED = "live-is-in-the-database"
"""File in `var` that says that the live tables are not in `live.gpkg` any more."""


@contextmanager
def open_live(place: Place) -> Iterator[Live]:
    """Open a city's live tables; all changes inside are one transaction.

    A city that gets a database takes its live tables there: edits and releases must not be lost. The file stays as it
    was, and is not opened again.

    Raises
    ------
    StoreError
        They are locked, the database cannot be reached, or they are in a database that `city.toml` names no more.
    """
    moved = place.var / MOVED
    if place.url is None:
        if moved.exists():
            raise StoreError(
                f"{place.var}: the live tables are in {moved.read_text('utf-8').strip()}; state that [store] url in "
                f"city.toml, or delete {moved} to go on with {LIVE_FILE} as it was before"
            )
        with LiveTables.opened(place.var / LIVE_FILE) as live:
            yield live
        return
    from spatial.store.postgis_live import PostgisLive

    with PostgisLive.opened(place) as tables:
        if not moved.exists() and (place.var / LIVE_FILE).exists():
            tables.adopt(place.var / LIVE_FILE)
        yield tables
    place.var.mkdir(parents=True, exist_ok=True)
    moved.write_text(place.shown + "\n", "utf-8")


def open_reports(place: Place) -> ReportStore:
    """Return the live reports of a city for clients to read and edit. Raises BusyError; StoreError as `open_live`."""
    with open_live(place):
        pass  # makes what is missing
    if place.url is None:
        return SqliteReports(place.var / LIVE_FILE)
    from spatial.store.postgis_edits import PostgisReports

    return PostgisReports(place)
