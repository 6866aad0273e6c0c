"""Evidence from reports: by hand, by property, and against planted rates."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from spatial.flood.evidence import EvidenceParameters, flood_evidence, recency_weights
from spatial.hexgrid.grid import cell_centres, cells_of_points, disk_matrix, grid_disk

ALONE = EvidenceParameters(correction="none")
CELLS = grid_disk(cells_of_points([117.5], [-3.3], 9)[0], 8)
NEIGHBOURS = disk_matrix(CELLS, 1)


def test_recency_by_hand() -> None:
    as_of = pd.Timestamp("2025-01-01", tz="UTC")
    times = pd.to_datetime(pd.Series(["2025-01-01", "2024-12-22", None, "2024-11-01"]), utc=True)
    weights = recency_weights(times, as_of, EvidenceParameters(window_days=30, half_life_days=10))
    assert weights.tolist() == [1.0, 0.5, 1.0, 0.0]
    assert recency_weights(times, None, ALONE).tolist() == [1.0] * 4


def test_the_attributable_fraction_by_hand() -> None:
    """Twice the city's rate with plenty of reports: half of the cell's reports are in excess."""
    counts = np.array([20_000.0, 5_000.0, 5_000.0])
    evidence = flood_evidence(counts, np.zeros(3), None, csr_array(np.eye(3)), ALONE)
    assert evidence.value == pytest.approx([0.5, 0.0, 0.0], abs=0.01)
    assert evidence.basis == "none"


def test_a_talkative_quarter_is_not_flooded() -> None:
    """Half of the city reports ten times as much of everything: background sees it, bare counts do not."""
    rng = np.random.default_rng(1)
    east = cell_centres(CELLS)[:, 0] > 117.5
    talk = np.where(east, 10.0, 1.0)
    flood, others = rng.poisson(5.0 * talk).astype(float), rng.poisson(40.0 * talk).astype(float)
    corrected = flood_evidence(flood, others, None, NEIGHBOURS, EvidenceParameters())
    bare = flood_evidence(flood, others, None, NEIGHBOURS, ALONE)
    assert corrected.basis == "background_reports"
    inside = np.asarray((NEIGHBOURS @ ~east) == 0) & east  # the background is averaged over neighbours
    assert inside.sum() > 50
    assert bare.value[inside].mean() > 0.3  # ten times the quiet half is 1.8 times the city's rate: 0.45 less shrinkage
    assert corrected.value[inside].mean() < 0.1


def test_no_background_is_said_and_exposure_is_used_when_asked() -> None:
    counts, few = np.ones(3), np.ones(3)
    assert flood_evidence(counts, few, np.full(3, 9.0), csr_array(np.eye(3)), EvidenceParameters()).basis == "none"
    by_road = EvidenceParameters(correction="exposure")
    assert flood_evidence(counts, few, np.full(3, 9.0), csr_array(np.eye(3)), by_road).basis == "road_length_m"
    assert flood_evidence(counts, few, None, csr_array(np.eye(3)), by_road).basis == "none"


@settings(max_examples=25)
@given(st.lists(st.integers(0, 30), min_size=len(CELLS), max_size=len(CELLS)), st.sampled_from(["neighbours", "city"]))
def test_evidence_is_in_its_interval(counts: list[int], prior: Literal["neighbours", "city"]) -> None:
    flood, others = np.array(counts, dtype=float), np.full(len(CELLS), 5.0)
    evidence = flood_evidence(flood, others, None, NEIGHBOURS, EvidenceParameters(prior=prior))
    assert ((evidence.low >= 0) & (evidence.low <= evidence.high + 1e-12) & (evidence.high <= 1)).all()
    assert ((evidence.value >= evidence.low - 1e-12) & (evidence.value <= evidence.high + 1e-12)).all()


@settings(max_examples=25)
@given(st.lists(st.integers(0, 30), min_size=len(CELLS), max_size=len(CELLS)))
def test_with_the_city_as_prior_evidence_rises_with_reports(counts: list[int]) -> None:
    """Of cells with the same exposure."""
    flood = np.array(counts, dtype=float)
    parameters = EvidenceParameters(correction="none", prior="city")
    evidence = flood_evidence(flood, np.zeros(len(CELLS)), None, NEIGHBOURS, parameters)
    assert (np.diff(evidence.value[np.argsort(flood, kind="stable")]) >= -1e-12).all()


def test_one_report_counts_for_more_among_reports() -> None:
    """Reports of one quarter, and one in the silent rest: alike by themselves, not beside their neighbours."""
    flood = np.where(cell_centres(CELLS)[:, 0] > 117.5, 3.0, 0.0)
    inside = int(np.flatnonzero(np.asarray((NEIGHBOURS @ (flood == 0)) == 0))[0])
    lonely = int(np.flatnonzero(np.asarray((NEIGHBOURS @ flood) == 0))[0])
    flood[[inside, lonely]] = 1.0
    alone = flood_evidence(flood, flood, None, NEIGHBOURS, EvidenceParameters(correction="none", prior="city")).value
    among = flood_evidence(flood, flood, None, NEIGHBOURS, ALONE).value
    assert alone[inside] == pytest.approx(alone[lonely])
    assert among[inside] > among[lonely] + 0.2
