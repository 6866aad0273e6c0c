"""pygeoapi feature provider over a city's published index, for a stock pygeoapi that runs pygeoapi-config.yml.

It asks the same functions as `hexakota serve`, so ids, properties, geometries and `numberMatched` are the same.
pygeoapi parses some parameters before it asks: a filter arrives as its own tree, without the text, and is refused;
a box of `bbox-crs` arrives as its corners in CRS84, so the configuration names the systems whose boxes stay boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pygeoapi.provider.base import (
    BaseProvider,
    ProviderConnectionError,
    ProviderInvalidQueryError,
    ProviderItemNotFoundError,
)

from services.crs import CRS84
from services.parameters import BadRequestError
from services.question import Question, features_of, page_of, question_of
from spatial.contracts import Column, Kind, Layer
from spatial.errors import NotFoundError, QueryError, StoreError
from spatial.registry import LAYER_BY_NAME
from spatial.store.index import LayerIndex, index_of
from spatial.store.versions import Versions

_JSON_TYPES: dict[Kind, str] = {
    "string": "string",
    "json": "string",
    "integer": "integer",
    "number": "number",
    "datetime": "string",
}


def schema_of(column: Column) -> dict[str, Any]:
    """Return a column as JSON Schema with titles in both languages, unit, range and enumeration."""
    schema: dict[str, Any] = {"type": _JSON_TYPES[column.kind], "title": f"{column.title_id} / {column.title_en}"}
    extras = {
        "format": "date-time" if column.kind == "datetime" else None,
        "contentMediaType": "application/json" if column.kind == "json" else None,
        "x-ogc-unit": column.unit,
        "minimum": column.minimum,
        "maximum": column.maximum,
        "enum": list(column.values) if column.values else None,
    }
    return schema | {key: value for key, value in extras.items() if value is not None}


class FeatureProvider(BaseProvider):  # type: ignore[misc]  # pygeoapi has no types
    """Serves one layer of a city. Configuration: `data` is the city's folder, `layer` the layer's name."""

    def __init__(self, provider_def: dict[str, Any]) -> None:
        layer: Layer = LAYER_BY_NAME[provider_def["layer"]]
        own = {"id_field": layer.id_column, "time_field": layer.temporal, "include_extra_query_parameters": True}
        super().__init__(provider_def | own)
        self.layer = layer
        self.versions = Versions(Path(self.data) / "var")
        self.get_fields()

    def get_fields(self) -> dict[str, Any]:
        """Return the layer's columns as JSON Schema, in the contract's order."""
        self._fields = {column.name: schema_of(column) for column in self.layer.columns}
        return self._fields

    def query(
        self,
        offset: int = 0,
        limit: int = 10,
        resulttype: str = "results",
        bbox: Sequence[float] = (),
        datetime_: str | None = None,
        properties: Sequence[tuple[str, str]] = (),
        sortby: Sequence[dict[str, str]] = (),
        select_properties: Sequence[str] = (),
        skip_geometry: bool = False,
        q: str | None = None,
        filterq: Any = None,
        crs_transform_spec: Any = None,
        **_: Any,
    ) -> dict[str, Any]:
        """Return the features that match, as GeoJSON, with an exact `numberMatched`.

        Raises
        ------
        ProviderInvalidQueryError
            A parameter is not supported, not known, or has a value that cannot be.
        ProviderItemNotFoundError
            `version=` names a version that is not there.
        """
        given = dict(properties)
        index = self._index(given.pop("version", None))
        if q:
            raise _bad("q is not supported")
        if filterq is not None:
            raise _bad("filter is supported by `hexakota serve`, not by pygeoapi's own server")
        asked = {
            "bbox": ",".join(map(repr, bbox)),
            "datetime": datetime_ or "",
            "sortby": ",".join(f"{'-' if key['order'] == '-' else ''}{key['property']}" for key in sortby),
            "properties": ",".join(select_properties),
        }
        fixed = {"offset": str(offset), "limit": str(limit), "resulttype": resulttype}
        for name in given:
            if name not in self.layer.names:
                raise _bad(f"{name} is neither a parameter nor a property of {self.layer.name}")
        question = self._question(
            given | {name: value for name, value in asked.items() if value} | fixed, skip_geometry, crs_transform_spec
        )
        matched, rows = page_of(index, question)
        answer = {"type": "FeatureCollection", "numberMatched": matched, "numberReturned": len(rows)}
        return answer | {"features": features_of(index, rows, question)}

    def get(self, identifier: str, crs_transform_spec: Any = None, **_: Any) -> dict[str, Any]:
        """Return one feature of the served version by its id. Raises ProviderItemNotFoundError."""
        index = self._index(None)
        row = index.row(identifier)
        if row is None:
            raise ProviderItemNotFoundError(user_msg=f"{self.layer.name} has no item {identifier!r}")
        question = self._question({}, False, crs_transform_spec)
        return features_of(index, np.array([row], dtype=np.int64), question)[0]

    def _question(self, asked: dict[str, str], skip_geometry: bool, crs_transform_spec: Any) -> Question:
        uri = CRS84 if crs_transform_spec is None else str(crs_transform_spec.target_crs_uri)
        fixed = {"crs": uri, "skipGeometry": "true" if skip_geometry else "false"}
        try:
            return question_of(asked | fixed, self.layer, tuple(dict.fromkeys((CRS84, uri))))
        except (BadRequestError, QueryError) as error:
            raise _bad(str(error)) from error

    def _index(self, version_id: str | None) -> LayerIndex:
        try:
            version = self.versions.current() if version_id is None else self.versions.get(version_id)
            if version is None:
                raise StoreError("this city has no published version; run `hexakota run`")
            return index_of(version, self.layer)
        except NotFoundError as error:
            told = str(error) if version_id is None else f"version={version_id}: {error}"
            raise ProviderItemNotFoundError(user_msg=told) from error
        except StoreError as error:
            raise ProviderConnectionError(user_msg=str(error)) from error


def _bad(message: str) -> ProviderInvalidQueryError:
    return ProviderInvalidQueryError(user_msg=message)
