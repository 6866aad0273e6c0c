"""A run from a city's inputs to a published version: the only place that knows the whole order."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd

from spatial.charts import zone_map
from spatial.config import Settings, load_settings
from spatial.contracts import Progress, Silent
from spatial.errors import InputError, StoreError
from spatial.pipeline.compute import compute, no_members
from spatial.pipeline.inputs import Inputs, read_inputs
from spatial.pipeline.manifest import build_manifest, fingerprint, private_account, version_id
from spatial.pipeline.release import Released, release
from spatial.pipeline.reports import public_texts
from spatial.pipeline.second import follow, load
from spatial.sources.privacy import LEDGER
from spatial.store.geopackage import read_members, write_layers
from spatial.store.indexing import FOLDER as INDEX
from spatial.store.indexing import write_index
from spatial.store.live import Upsert
from spatial.store.opening import Live, open_live
from spatial.store.rasters import FOLDER, write_rasters
from spatial.store.versions import LAYERS_FILE, MANIFEST_FILE, MAP_FILE, Version, Versions

PRIVATE_FILE = "private.json"
NOT_NAMED = "(files that city.toml does not name any more)"
THROUGH_API = "(made or edited through the API, and in no file)"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to: the served version, and whether this run published it (False: nothing had changed)."""

    version: Version
    published: bool


def run(city: Path, progress: Progress | None = None, *, force: bool = False, drop_missing: bool = False) -> Outcome:
    """Run a city: read its inputs, compute every layer, publish a version.

    Parameters
    ----------
    city : the city's folder or its `city.toml`.
    force : publish although nothing has changed.
    drop_missing : forget reports that an earlier run read from a file which no longer holds them.

    Raises
    ------
    InputError
        An input or a setting cannot be used.
    StoreError
        Another run of the city is under way, or its store cannot be written.
    """
    progress = progress or Silent()
    settings = load_settings(city)
    versions = Versions(settings.var)
    with versions.locked():
        inputs = read_inputs(settings, progress)
        progress.stage("live", "Menyimpan laporan / storing reports")
        upserts, snapshot, released, revision = _store_reports(settings, inputs, drop_missing)
        served = _served(versions, progress)
        if released is None:
            snapshot_sha256 = hashlib.sha256(snapshot.to_csv(index=False).encode()).hexdigest()
        else:
            snapshot_sha256 = released.sha256
        print_of_inputs = fingerprint(settings, inputs, snapshot_sha256)
        if served is not None and not force and served.manifest["fingerprint"] == print_of_inputs:
            follow(settings.place, versions, progress)
            progress.note("Tidak ada yang berubah; tidak ada versi baru / nothing has changed; nothing is published")
            return Outcome(served, published=False)
        previous = None if served is None else served.id
        ids = {
            "version": version_id(print_of_inputs, previous),
            "previous": previous,
            "fingerprint": print_of_inputs,
            "snapshot_sha256": snapshot_sha256,
            "live_revision": None if settings.privacy.min_count else revision,
        }
        version = _compute_and_publish(settings, inputs, snapshot, released, upserts, served, ids, versions, progress)
        return Outcome(version, published=True)


def _store_reports(
    settings: Settings, inputs: Inputs, drop_missing: bool
) -> tuple[dict[str, Upsert], gpd.GeoDataFrame, Released | None, int]:
    """Put the files' reports into the live tables; return what that did, the snapshot, and the change it stands at.

    Whoever edits reports waits meanwhile, so texts are redacted after that, but for a city that withholds small counts:
    it releases from the redacted snapshot, and cannot be edited through the API.
    """
    released = None
    with open_live(settings.place) as live:
        upserts = {name: live.upsert(table.reports, name, drop_missing) for name, table in inputs.reports.items()}
        orphans = live.orphans(list(inputs.reports), drop_missing)
        live.replace_quarantine(inputs.quarantine)
        if orphans and not drop_missing:
            upserts[NOT_NAMED] = Upsert(0, 0, 0, 0, orphans)
        delivered = {report_id for table in inputs.reports.values() for report_id in table.reports["report_id"]}
        if made := live.through_api(delivered):
            upserts[THROUGH_API] = Upsert(0, 0, 0, made, 0)
        snapshot, revision = live.snapshot(), live.revision()
        if settings.privacy.min_count:
            snapshot = public_texts(snapshot)
            released = _release(settings, inputs, snapshot, live)
    return upserts, public_texts(snapshot) if released is None else snapshot, released, revision


def _release(settings: Settings, inputs: Inputs, snapshot: gpd.GeoDataFrame, live: Live) -> Released:
    """Release what the live tables allow, and note it there for good. Raises InputError where the terms changed."""
    terms = (settings.privacy.min_count, settings.privacy.resolution)
    ledger = live.releases()
    held = {(int(m), int(r)) for m, r in zip(ledger["min_count"], ledger["resolution"], strict=True)} - {terms}
    if held:
        min_count, resolution = held.pop()
        raise InputError(
            settings.file,
            "privacy",
            f"reports were released with min_count = {min_count} and resolution = {resolution}; with other values "
            "versions would differ by less than a batch",
            "write those again, or take the versions away and delete the rows of the live table `releases`",
        )
    released = release(snapshot, inputs, settings, ledger[list(LEDGER)])
    live.add_releases(released.new.assign(min_count=terms[0], resolution=terms[1]))
    return released


def _served(versions: Versions, progress: Progress) -> Version | None:
    try:
        return versions.current()
    except StoreError as error:
        progress.note(f"{error}; this run starts without a previous version")
        return None


def _compute_and_publish(
    settings: Settings,
    inputs: Inputs,
    snapshot: gpd.GeoDataFrame,
    released: Released | None,
    upserts: dict[str, Upsert],
    served: Version | None,
    ids: dict[str, Any],
    versions: Versions,
    progress: Progress,
) -> Version:
    previous = no_members() if served is None else read_members(served.layers)
    work = compute(settings, inputs, snapshot, previous, str(ids["version"]), progress, released)
    result = work.result
    progress.stage("write", "Menulis versi / writing the version")
    staged = versions.staging()
    write_layers(staged / LAYERS_FILE, result.layers, result.members)
    write_index(staged / LAYERS_FILE, result.layers, staged / INDEX)
    manifest = build_manifest(settings, inputs, work.placed, result, work.known, upserts, ids)
    manifest["rasters"] = write_rasters(staged / FOLDER, result.rasters)
    if released is not None:
        account = private_account(inputs, released.exact, upserts) | {"withheld": released.withheld}
        (settings.var / PRIVATE_FILE).write_text(json.dumps(account, indent=1, ensure_ascii=False) + "\n", "utf-8")
        progress.note(f"Rincian untuk kota sendiri / the city's own account: {settings.var / PRIVATE_FILE}")
    for row in manifest["left_out"]:
        progress.note(f"{row['id']} / {row['en']}")
    (staged / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", "utf-8")
    zone_map(
        staged / MAP_FILE,
        {layer.name: table for layer, table in result.layers.items()},
        _title(manifest["city"]),
        "; ".join(settings.city.attribution),
    )
    progress.stage("publish", "Menerbitkan / publishing")
    load(settings.place, str(ids["version"]), result.layers, result.members)
    version = versions.publish(staged, str(ids["version"]))
    follow(settings.place, versions, progress)
    progress.stage("done", "Selesai / done")
    return version


def _title(city: dict[str, Any]) -> str:
    synthetic = "[SINTETIS / SYNTHETIC] " if city["synthetic"] else ""
    return f"{synthetic}{city['name']}\nzona banjir dan zona PJU padam / flood and lighting-outage zones"
