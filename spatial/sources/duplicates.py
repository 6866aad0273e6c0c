"""Which reports are of one incident: category, space, time and words. Nothing is dropped.

Two reports that both say something are joined by their odds: a logistic model of distance, time and likeness of words,
fitted on pairs of Jakarta's flood reports that a person labelled (`benchmarks/duplicates.py`). Where either says
nothing, space and time decide alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numba
import numpy as np
import pandas as pd
import snowballstemmer  # type: ignore[import-untyped]
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer

from spatial.errors import ContractError
from spatial.sources.cleaning import CleaningParameters
from spatial.sources.taxonomy import fold

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

EXTENDED = ("flood",)
"""Categories whose matter spreads, so that like words may join reports beyond `duplicate_distance_m`.

Floods alone were labelled. Two lamps 40 m apart in one street are told of in the same words and are still two lamps.
"""
_NEAR_M = 10.0  # distances count in logarithms from about the error of a phone's position
_RARE = 10  # a word in no more reports than this is never too common to tell places apart
_NO_WORDS = re.compile(r"https?://\S+|www\.\S+|@\w+|\[\w+\]")  # addresses, handles, and what `redact` put for them
_PARTS = re.compile(r"\d+|[^\W\d]+")  # "RT08" and "RT 08", "30cm" and "30 cm" are the same words
_STOP_WORDS = (
    "yang yg di ke dari dr dan dgn dengan ini itu untuk utk tidak tdk ada sudah sdh udah udh masih msh pak bapak pa bu "
    "ibu mohon tolong tlg segera akan karena krn krna saja aja juga jg lagi lg pada atau kami kita saya sy nya sangat "
    "kok nih dong ya tp tapi belum blm sampai smp sampe"
)
_STOP = frozenset(_STOP_WORDS.split())
_STEMMER = snowballstemmer.stemmer("indonesian")


def duplicates(
    points_m: Array,
    category: Sequence[str],
    time_days: Array,
    order: Sequence[str],
    parameters: CleaningParameters,
    texts: Sequence[str | None] | None = None,
) -> Ints:
    """Return for each report the position of the report that first told of its incident (itself if it is the first).

    Parameters
    ----------
    points_m : (n, 2) float64, metres in one plane, finite.
    category : (n,) a report is a duplicate only within its category.
    time_days : (n,) float64, days since any epoch; NaN where unknown.
    order : (n,) report ids, all different; reports are taken by time, then by id, so the input's order has no effect.
    texts : (n,) what the reports say, None where nothing; None compares space and time alone.

    Raises
    ------
    ContractError
        A shape, dtype or range is not as above.

    Notes
    -----
    Each report joins one of the first reports within reach, the one with the best odds (of equals the earliest), else
    it is the first of a new incident; only first reports are compared with, so chains of nearby reports do not grow
    into one incident. A report without a time is compared with such reports alone, as if `duplicate_days` lay between
    them. Odds of categories other than floods are borrowed from floods. Names of places are not looked up, and words
    spelt in two ways are two.
    """
    _check(points_m, category, time_days, order, texts)
    said = pd.Series([None] * len(points_m) if texts is None else list(texts), dtype=object)
    first = np.arange(len(points_m), dtype=np.int64)
    frame = pd.DataFrame({"category": list(category), "time": time_days, "id": list(order)})
    for name, group in frame.sort_values(["time", "id"], na_position="last").groupby("category", sort=True):
        index = group.index.to_numpy()
        vectors, told = text_vectors(said[index], parameters.duplicate_common_share)
        reach_m = parameters.duplicate_distance_m
        far_m = max(reach_m, parameters.duplicate_text_distance_m) if name in EXTENDED else reach_m
        leader = _leaders(points_m[index], group["time"].to_numpy(float), vectors, told, reach_m, far_m, parameters)
        first[index] = index[leader]
    return first


def text_vectors(texts: Iterable[str | None], common_share: float) -> tuple[csr_array, Flags]:
    """Return TF-IDF vectors of the texts of one category, and which texts say anything of their own.

    Parameters
    ----------
    texts : (n,) texts, None where there is none.
    common_share : 0–1: words in more than this share of the texts (and in more than ten) are left out, since they tell
        the matter, not the place: "lampu", "banjir", and whole sentences that an app proposes.

    Returns
    -------
    vectors : (n, words) float64, rows of length 1, or 0 where nothing is said; a product of two rows is their
        likeness, 0–1. told : (n,) bool.

    Notes
    -----
    Web addresses and handles are taken out, accents and case folded, letters parted from digits, leading zeros of
    numbers dropped (RT07 is RT 7), stop words dropped, words stemmed by Snowball's Indonesian stemmer. In other
    languages that stemmer cuts some beginnings and ends of words, the same in both texts, so equal words stay equal.
    Scripts without spaces make one word of a sentence: only equal sentences are alike.
    """
    words = [_words(text) if isinstance(text, str) else [] for text in texts]
    count = Counter(word for said in words for word in set(said))
    most = max(_RARE, common_share * sum(bool(said) for said in words))
    kept = sorted(word for word, n in count.items() if n <= most)
    if not kept:
        return csr_array((len(words), 1)), np.zeros(len(words), dtype=bool)
    vectors = TfidfVectorizer(analyzer=list, vocabulary=kept, sublinear_tf=True).fit_transform(words)
    return csr_array(vectors), np.diff(vectors.indptr) > 0


def _words(text: str) -> list[str]:
    found = _PARTS.findall(fold(_NO_WORDS.sub(" ", text)))
    return [_stem(word) for word in found if word not in _STOP]


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    return (word.lstrip("0") or "0") if word.isdigit() else str(_STEMMER.stemWord(word))


def _leaders(
    points_m: Array, time_days: Array, vectors: csr_array, told: Flags, reach_m: float, far_m: float,
    parameters: CleaningParameters,
) -> Ints:  # fmt: skip
    """Return for each report of a category, in order of time, its first report, by position."""
    square, beside = _squares(points_m, max(far_m, 1e-3))
    odds = (
        parameters.duplicate_odds_base,
        parameters.duplicate_odds_distance,
        parameters.duplicate_odds_time,
        parameters.duplicate_odds_likeness,
    )
    vectors.sort_indices()
    found = _join(
        np.ascontiguousarray(points_m), time_days, square, beside, vectors.indptr, vectors.indices, vectors.data, told,
        (reach_m, far_m, parameters.duplicate_days, parameters.duplicate_probability), odds,
    )  # fmt: skip
    return np.asarray(found, dtype=np.int64)


def _squares(points_m: Array, side_m: float) -> tuple[Ints, Ints]:
    """Return the (n,) square of each point, and the (squares, 9) squares around each and itself, -1 where empty."""
    column, row = (np.floor(points_m / side_m).astype(np.int64) - np.floor(points_m.min(axis=0) / side_m).astype(int)).T
    width = int(row.max()) + 3
    keys, square = np.unique((column + 1) * width + row + 1, return_inverse=True)
    around = keys[:, None] + np.array([dx * width + dy for dx in (-1, 0, 1) for dy in (-1, 0, 1)])
    at = np.minimum(np.searchsorted(keys, around), len(keys) - 1)
    return square.astype(np.int64), np.where(keys[at] == around, at, -1).astype(np.int64)


@numba.njit(cache=True)
def _join(points, time, square, beside, start, word, weight, told, limits, odds):  # type: ignore[no-untyped-def]  # pragma: no cover
    # A loop of our own: each report looks only at the first reports around it, newest first. With a k-d tree
    # (scipy), which lists every pair, 10,000 reports on one corner took 22.7 s; here 0.012 s.
    reach_m, far_m, days, least = limits
    base, by_distance, by_time, by_likeness = odds
    leader = np.full(len(points), -1, np.int64)
    newest = np.full(len(beside), -1, np.int64)
    older = np.full(len(points), -1, np.int64)
    for i in range(len(points)):
        best = -np.inf
        for place in beside[square[i]]:
            j = newest[place] if place >= 0 else -1
            while j >= 0:
                gap = days if np.isnan(time[i]) and np.isnan(time[j]) else time[i] - time[j]
                if not gap <= days:  # all older ones are farther in time
                    break
                distance = np.hypot(points[i, 0] - points[j, 0], points[i, 1] - points[j, 1])
                if distance <= (far_m if told[i] and told[j] else reach_m):
                    score = base - by_distance * np.log1p(distance / _NEAR_M) - by_time * np.log1p(24.0 * gap)
                    joined = True
                    if told[i] and told[j]:
                        score += by_likeness * _likeness(start, word, weight, i, j)
                        joined = 1.0 / (1.0 + np.exp(-score)) >= least
                    if joined and (score > best or (score == best and j < leader[i])):
                        best, leader[i] = score, j
                j = older[j]
        if leader[i] < 0:
            leader[i], older[i], newest[square[i]] = i, newest[square[i]], i
    return leader


@numba.njit(cache=True)
def _likeness(start, word, weight, i, j):  # type: ignore[no-untyped-def]  # pragma: no cover
    a, b, total = start[i], start[j], 0.0
    while a < start[i + 1] and b < start[j + 1]:
        if word[a] == word[b]:
            total += weight[a] * weight[b]
        step_a, step_b = word[a] <= word[b], word[b] <= word[a]
        a, b = a + step_a, b + step_b
    return total


def _check(
    points_m: Array, category: Sequence[str], time_days: Array, order: Sequence[str], texts: Sequence[str | None] | None
) -> None:
    n = len(points_m)
    for name, values, shape in (("points_m", points_m, (n, 2)), ("time_days", time_days, (n,))):
        if values.dtype != np.float64 or values.shape != shape:
            raise ContractError(f"{name} is {values.dtype} of {values.shape}, expected float64 of {shape}")
    for label, listed in (("category", category), ("order", order), ("texts", texts)):
        if listed is not None and len(listed) != n:
            raise ContractError(f"{label} has {len(listed)} rows, expected {n}")
    if not np.isfinite(points_m).all() or np.isinf(time_days).any():
        raise ContractError("points_m must be finite, and time_days finite or NaN")
