"""Which column of a file holds what: the mapping of a source, checked against the file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pyproj import CRS

from spatial.errors import InputError
from spatial.sources.coordinates import check_crs, parse_crs, split_points
from spatial.sources.quarantine import clean, missing
from spatial.sources.raw import RawTable


class Columns:
    """Columns of a `RawTable` by their contract name."""

    def __init__(
        self, path: Path, raw: RawTable, mapping: Mapping[str, str | tuple[str, ...]], implicit: tuple[str, ...]
    ) -> None:
        """Check `mapping` (contract column → the file's column; several for "category") against the file `raw`.

        Contract columns in `implicit` that it does not name take the file's column of exactly the same name, if there
        is one. Raises InputError where a named column does not exist.
        """
        self._path, self._raw = path, raw
        self._names: dict[str, tuple[str, ...]] = {}
        for name, columns in mapping.items():
            self._names[name] = (columns,) if isinstance(columns, str) else tuple(columns)
            if len(self._names[name]) != 1 and (name != "category" or not self._names[name]):
                raise InputError(path, f"columns.{name}", "does not name one column", "name one column")
            for column in self._names[name]:
                require_column(path, name, column, raw.frame.columns)
        for name in implicit:
            if name in raw.frame.columns:
                self._names.setdefault(name, (name,))
        self._by_geometry = raw.points is not None and not {"lon", "lat", "point"} & set(mapping)

    def name(self, name: str) -> str:
        """Return what the file calls a contract column; its contract name where the file has none."""
        return self._names.get(name, (name,))[0]

    def has(self, name: str) -> bool:
        """Tell whether the file has a column for a contract column."""
        return name in self._names

    def values(self, name: str) -> pd.Series[Any]:
        """Return the values of a contract column as Python objects; null where the file has no such column."""
        if name not in self._names:
            return pd.Series([None] * len(self._raw.frame), index=self._raw.frame.index, dtype=object)
        return self._raw.frame[self.name(name)].astype(object)

    def all_texts(self, name: str) -> list[pd.Series[Any]]:
        """Return `texts` of each of the file's columns of a contract column, none where it has none."""
        return [_texts(self._raw.frame[column].astype(object)) for column in self._names.get(name, ())]

    def texts(self, name: str) -> pd.Series[Any]:
        """Return the same as stripped text, None where empty; whole floats lose their ".0"."""
        return _texts(self.values(name))

    def point_names(self) -> tuple[str, str]:
        """Return what the file calls the coordinates."""
        if "point" in self._names:
            return self.name("point"), self.name("point")
        return ("geometry", "geometry") if self._by_geometry else (self.name("lon"), self.name("lat"))

    def points(self) -> pd.DataFrame:
        """Return coordinates as delivered (objects lon, lat) from the file's geometry, else its columns (`point`, else
        `lon` and `lat`).

        Raises
        ------
        InputError
            The file has neither.
        """
        if self._by_geometry and self._raw.points is not None:
            return self._raw.points
        if "point" in self._names:
            return split_points(self.values("point"))
        for name in ("lon", "lat"):
            if name not in self._names:
                raise InputError(
                    self._path,
                    name,
                    f"no coordinates: no column is named for {name}",
                    f"map it in columns; the file has {', '.join(map(str, self._raw.frame.columns))}",
                )
        return pd.DataFrame({"lon": self.values("lon"), "lat": self.values("lat")}, dtype=object)

    def crs(self, stated: str | None) -> CRS:
        """Return the CRS of `points()`: of the file's geometry, else the `stated` one, else CRS84."""
        own = self._raw.crs if self._by_geometry else None
        return check_crs(self._path, own, None if stated is None else parse_crs(self._path, stated))


def require_column(path: Path, name: str, column: str, columns: Iterable[Any]) -> None:
    """Raise InputError, with the nearest column that exists, where `column`, named for `name`, does not."""
    existing = [str(c) for c in columns]
    if column not in existing:
        nearest = difflib.get_close_matches(column, existing, 1, cutoff=0.0)
        hint = f"the nearest is '{nearest[0]}', of {', '.join(existing)}" if nearest else "the file has no columns"
        raise InputError(path, f"columns.{name}", f"the file has no column '{column}'", hint)


def _texts(values: pd.Series[Any]) -> pd.Series[Any]:
    return pd.Series([_text(value) for value in values], index=values.index, dtype=object)


def _text(value: Any) -> str | None:
    if missing(value):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return clean(str(value).strip())
