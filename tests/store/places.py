"""Where the tests of the stores keep a city: under a folder alone, or in a schema of its own in PostGIS."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from spatial.store.opening import LIVE_FILE
from spatial.store.place import PRIVATE, Place

STORES = ("geopackage", "postgis")


def in_postgis(var: Path, url: str) -> Place:
    """Return a place in a schema that nobody else has."""
    return Place(var, url, f"t_{uuid.uuid4().hex[:12]}", "Kota Uji")


def execute(place: Place, statement: str) -> list[tuple[object, ...]]:
    """Run a statement on the city's live tables, past the program."""
    if place.url is None:
        with closing(sqlite3.connect(place.var / LIVE_FILE)) as connection, connection:
            return connection.execute(statement).fetchall()
    with psycopg.connect(place.url) as database:
        database.execute(SQL("SET search_path = {}, public").format(Identifier(place.schema + PRIVATE)))
        cursor = database.execute(statement)
        return cursor.fetchall() if cursor.description else []
