"""A published score against a truth file: skill with blocked intervals, baselines on the same cells, pictures.

It only reads: a published version, and a file of places or areas where something was seen to happen.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from spatial.errors import InputError, StoreError
from spatial.evaluate.cells import baselines, polygon_of, ranked, scores
from spatial.evaluate.model import NOT_A_PROBABILITY, SCORED, Evaluated, Question
from spatial.evaluate.pictures import RELIABILITY, pictures
from spatial.flood.calibration import CalibrationParameters
from spatial.hexgrid.grid import parents
from spatial.hexgrid.join import to_plane
from spatial.hexgrid.labels import CellLabels, label_cells
from spatial.skill import Reliability, reliability, skill_gate
from spatial.sources.truth import Truth, read_truth
from spatial.store.geopackage import read_layer
from spatial.store.versions import Version, Versions

__all__ = ["RELIABILITY", "SCORED", "Evaluated", "Question", "evaluate", "pictures"]


def evaluate(city: Path, question: Question) -> Evaluated:
    """Score a published layer against a truth. Nothing is written.

    Parameters
    ----------
    city : the city's folder.

    Notes
    -----
    Cells are those of the layer `hexagons` that share area with the polygon and have elevation (all, where the city has
    none). Blocks are their H3 parents two levels up.

    Raises
    ------
    InputError
        A truth or a background that cannot be used; a layer or column that cannot be scored; no cell, or every cell,
        is positive.
    StoreError
        No such version, or nothing was published.
    """
    version = _version(city, question)
    manifest = version.manifest
    crs = CRS(manifest["city"]["crs"])
    cells = read_layer(version.layers, "hexagons").to_crs(crs)
    score = scores(version, question, cells, crs)
    truth = read_truth(question.truth, question.truth_layer)
    shapes = to_plane(truth.shapes.to_numpy(), crs)
    polygon, stated = polygon_of(question, cells, shapes, truth, crs)
    labels = label_cells(cells.geometry.to_numpy(), shapes, polygon, question.min_share)
    land = cells["elevation_mean_m"].notna().to_numpy()
    land = land if land.any() else np.ones(len(cells), dtype=bool)
    used = labels.inside & land
    _both_classes(question, labels, used, truth)
    rivals, missing = baselines(version, question, cells, crs)
    resolution = max(0, int(cells["resolution"].iloc[0]) - CalibrationParameters().block_resolution_offset)
    table = gpd.GeoDataFrame(
        {"cell": cells["cell"], "score": score, "positive": labels.positive, **rivals}, geometry=cells.geometry, crs=crs
    )[used]
    table["block"] = parents(table["cell"], resolution)
    skill = skill_gate(
        ranked(table["score"]),
        table["positive"],
        table["block"],
        {name: ranked(table[name]) for name in rivals},
        question.gate,
    )
    told = _told(question, version, truth, labels, land, table, resolution, stated, missing)
    series = gpd.GeoSeries([polygon], crs=crs)
    return Evaluated(question, table, gpd.GeoSeries(shapes, crs=crs), series, skill, _curve(question, table), told)


def _curve(question: Question, table: gpd.GeoDataFrame) -> Reliability | None:
    """Return the reliability of a probability over the cells where it is known; None for any other score."""
    known = table[table["score"].notna()]
    if not question.probable or known["positive"].all() or not known["positive"].any():
        return None
    return reliability(known["score"], known["positive"], known["block"], parameters=question.gate)


def _version(city: Path, question: Question) -> Version:
    versions = Versions(city / "var")
    version = versions.current() if question.version is None else versions.get(question.version)
    if version is None:
        raise StoreError(f"{versions.var}: nothing is published yet; `hexakota run {city}` first")
    return version


def _both_classes(question: Question, labels: CellLabels, used: NDArray[np.bool_], truth: Truth) -> None:
    positives = int(labels.positive[used].sum())
    if positives == 0:
        raise InputError(
            question.truth,
            "geometry",
            f"no cell is positive: {labels.used} of {truth.rows_in} features lie in the background polygon",
            "check the truth, its CRS, and --background",
        )
    if positives == int(used.sum()):
        hint = "widen --background, so that there are cells without it"
        raise InputError(question.truth, "geometry", f"all {positives} cells are positive", hint)


def _told(
    question: Question,
    version: Version,
    truth: Truth,
    labels: CellLabels,
    land: NDArray[np.bool_],
    table: gpd.GeoDataFrame,
    block_resolution: int,
    stated: str,
    missing: list[str],
) -> dict[str, Any]:
    manifest = version.manifest
    digest = hashlib.sha256(question.truth.read_bytes()).hexdigest()
    return {
        "city": manifest["city"]["name"],
        "synthetic": manifest["city"]["synthetic"],
        "version": version.id,
        "layer": question.layer,
        "score": question.column,
        "score_sign": question.sign,
        "truth": {
            "file": question.truth.name,
            "sha256": digest,
            "kinds": list(truth.kinds),
            "features": truth.rows_in,
            "without_geometry": truth.without_geometry,
            "repaired": truth.repaired,
            "used": labels.used,
            "outside_city": labels.outside_cells,
            "outside_polygon": labels.outside_polygon,
            "positive_cells_without_elevation": int((labels.positive & ~land).sum()),
            "is_an_input_of_the_version": digest in {row["sha256"] for row in manifest["inputs"]},
        },
        "background": {
            "polygon": stated,
            "cells": int((~table["positive"]).sum()),
            "cells_without_elevation_left_out": int((labels.inside & ~land).sum()),
            "min_share": question.min_share,
        },
        "blocks": {
            "resolution": block_resolution,
            "number": int(table["block"].nunique()),
        },
        "unknown_scores_ranked_lowest": int(table["score"].isna().sum()),
        "missing_baselines": missing,
        "no_reliability_because": None if question.probable else dict(NOT_A_PROBABILITY),
        "parameters": asdict(question.gate),
    }
