"""Versions in the city's database, where `[store]` names one: it follows the folder `var/versions`.

A version is loaded before the folder serves it and shown after: a run that is killed in between leaves the database on
the old version, and the next run, `rollback` or `prune` puts it right. The folder alone is what is published.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import pandas as pd

from spatial.config import load_place
from spatial.contracts import Layer, Progress, Silent
from spatial.errors import StoreError
from spatial.registry import LAYER_BY_NAME
from spatial.store.geopackage import read_layer, read_members
from spatial.store.place import Place
from spatial.store.versions import Version, Versions


def load(place: Place, version: str, layers: Mapping[Layer, gpd.GeoDataFrame], members: pd.DataFrame) -> None:
    """Load a version that is about to be published. Raises StoreError; nothing is loaded then."""
    if place.url is None:
        return
    from spatial.store.postgis import Postgis

    with Postgis.opened(place) as store:
        store.load(version, layers, members)


def follow(place: Place, versions: Versions, progress: Progress | None = None) -> None:
    """Make the database show the version that the folder serves, and hold no version that the folder has not.

    Needs the city's lock. Raises StoreError where the database cannot be reached or does not let go of a table.
    """
    served = versions.current()
    if place.url is None or served is None:
        return
    from spatial.store.postgis import Postgis

    with Postgis.opened(place) as store:
        if served.id not in store.versions():
            names = [name for name in served.manifest["layers"] if name in LAYER_BY_NAME]
            tables = {LAYER_BY_NAME[name]: read_layer(served.layers, name) for name in names}
            store.load(served.id, tables, read_members(served.layers))
        if store.served() != served.id:
            store.serve(served.id)
            (progress or Silent()).note(f"Basis data / database: {place.shown}: {served.id}")
    here = {version.id for version, _ in versions.all()}
    with Postgis.opened(place) as store:
        for gone in [version for version in store.versions() if version not in here]:
            store.drop(gone)


def rollback(city: Path, version: str | None = None) -> Version:
    """Serve another version, in the folder and in the database; the one before the served one by default.

    Raises
    ------
    NotFoundError
        There is no version of that name.
    StoreError
        There is no earlier version, or it is a scenario, or the database cannot be reached (the folder is turned then,
        and the database follows with the next run).
    """
    place = load_place(city)
    versions = Versions(place.var)
    with versions.locked():
        served = versions.current()
        if version is None and served is not None:
            version = served.manifest["previous"]
        if version is None:
            raise StoreError(f"{place.var}: there is no earlier version; `hexakota versions` lists them")
        turned = versions.serve(version)
        follow(place, versions)
    return turned


def prune(city: Path, keep: int) -> list[str]:
    """Delete all but the served version, the `keep` newest others and the `keep` newest scenarios, in both stores.

    Return the ids that went. Raises StoreError as `rollback`.
    """
    place = load_place(city)
    versions = Versions(place.var)
    with versions.locked():
        gone = versions.prune(keep)
        follow(place, versions)
    return gone
