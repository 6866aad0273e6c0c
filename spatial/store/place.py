"""Where a city keeps its tables: files under its `var` folder, and with `[store] url` PostGIS besides.

The address may hold a password, so it is never shown: not by `repr`, not in an error, not in a manifest.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from spatial.errors import ContractError, StoreError

if TYPE_CHECKING:
    from psycopg import Connection

PRIVATE = "_store"  # suffix of the schema that only Hexakota reads
_LONGEST = 63 - len(PRIVATE)  # PostgreSQL cuts names at 63 bytes
_SCHEMA = re.compile(r"[a-z][a-z0-9_]*")
_TAKEN = ("public", "information_schema", "topology", "tiger")


@dataclass(frozen=True, slots=True)
class StoreParameters:
    """Table `[store]`: the database that versions are published into besides, and its schema for this city.

    `url` is `postgresql://user@host:port/database`, libpq's address; a password is better left to `~/.pgpass` or
    `PGPASSWORD`. `schema` is the city's name in small ASCII letters where it is not stated.
    """

    url: str | None = field(default=None, repr=False)
    schema: str | None = None

    def __post_init__(self) -> None:
        """Raise ContractError, without the address, where it cannot be read or the schema cannot be."""
        if self.url is not None:
            _parsed(self.url)
        if self.schema is not None and not _may_be(self.schema):
            raise ContractError(
                f"schema: {self.schema!r} is not a name of small letters, digits and _ that begins with a letter, "
                f"of at most {_LONGEST}, none of {', '.join(_TAKEN)} and not pg_…"
            )
        if self.schema is not None and self.url is None:
            raise ContractError("schema: there is no url that it could be in")


@dataclass(frozen=True, slots=True)
class Place:
    """Where one city's tables are: the folder `var`, and a schema of a database where `url` is given."""

    var: Path
    url: str | None = field(default=None, repr=False)
    schema: str = ""
    city: str = ""

    @property
    def shown(self) -> str:
        """The place as people may see it, without a password."""
        return str(self.var) if self.url is None else f"{redacted(self.url, self.url)}, schema {self.schema}"


def place_of(var: Path, city: str, parameters: StoreParameters) -> Place:
    """Return where a city's tables are; the schema is its name where none is stated."""
    if parameters.url is None:
        return Place(var, city=city)
    return Place(var, parameters.url, parameters.schema or schema_of(city), city)


def schema_of(city: str) -> str:
    """Return a schema's name made of a city's name: small ASCII letters, digits and `_`."""
    plain = unicodedata.normalize("NFKD", city).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:_LONGEST].rstrip("_")
    return name if _may_be(name) else f"city_{name}"[:_LONGEST].rstrip("_")


def _may_be(schema: str) -> bool:
    fits = _SCHEMA.fullmatch(schema) is not None and len(schema) <= _LONGEST
    return fits and schema not in _TAKEN and not schema.startswith("pg_")


def _parsed(url: str) -> dict[str, Any]:
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    if not url.startswith(("postgresql://", "postgres://")):
        raise ContractError("url: it is not postgresql://user@host:port/database")
    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError:  # its text may hold the password
        parts = {"port": "?"}
    if all(port.isdecimal() for port in str(parts.get("port", 5432)).split(",") if port):
        return parts
    raise ContractError("url: it cannot be read; write %40 for @, %3A for :, %2F for / inside a password")


def redacted(text: str, url: str) -> str:
    """Return a text without the address's password, as it is written and as it is meant."""
    secret = _parsed(url).get("password")
    written = re.search(r"//[^/?#]*?:([^/?#]*)@", url)
    hidden = {str(secret or ""), unquote(str(secret or "")), written[1] if written else ""}
    hidden |= set(re.findall(r"[?&]password=([^&#]*)", url))
    for part in sorted(hidden - {""}, key=len, reverse=True):
        text = text.replace(part, "***")
    return text


@contextmanager
def connected(place: Place) -> Iterator[Connection[Any]]:
    """Connect to the place's database; one transaction, committed at the end, rolled back on any error.

    Raises StoreError, without the password, where the database cannot be reached or refuses a statement.
    """
    with reported(place), connect(place) as connection:
        yield connection


def connect(place: Place) -> Connection[Any]:
    """Return a connection to the place's database. Raises psycopg's errors: use it inside `reported`."""
    import psycopg

    if place.url is None:
        raise ContractError("the city has no database")
    return psycopg.connect(place.url, **_options(place.url))


@contextmanager
def reported(place: Place) -> Iterator[None]:
    """Raise what goes wrong in the database as StoreError, without the password."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        told = redacted(" ".join(str(error).split()), place.url or "")
    else:
        return
    raise StoreError(f"{place.shown}: {told}") from None


def _options(url: str) -> dict[str, Any]:
    """Return what every connection sets: UTC, a bounded wait, exact numbers; what the address says itself wins."""
    options = "-c TimeZone=UTC -c extra_float_digits=1 -c client_min_messages=warning"
    given = _parsed(url)
    kept = {"connect_timeout": 10, "application_name": "hexakota"}
    return {key: value for key, value in kept.items() if key not in given} | {
        "options": f"{given.get('options', '')} {options}".strip(),
        "client_encoding": "UTF8",
    }
