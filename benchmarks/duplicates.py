"""Which reports are of one incident: the rule against pairs of Jakarta's reports that a person labelled.

    python benchmarks/duplicates.py ../shared/data                # all figures below
    python benchmarks/duplicates.py ../shared/data --pairs        # the pairs to label, with their texts

Pairs: two flood reports that both have words, within 300 m of each other; up to 24 of each of 18 strata (distance to
5, 20, 50, 100, 200, 300 m; apart to 3, 12, 80 hours: the reports span three days, so nothing is known beyond), 427 in
all. One reader labelled them, from both titles and texts, metres and hours, without having seen any likeness; nobody
labelled them a second time. `duplicates_labels.csv` holds rows of the file and labels, no text and no place. The rule,
written before the first pair was read:

same: one visit would deal with both: same water, same place, same event.
  by text: both name the same smallest place (a street with its number, an RT, a block, a complex, a junction, a
    school), or one's place is in or at the other's and nothing puts them apart; or one message sent again, or a series
    by one author at one spot.
  by position: the texts name no place, or only an area that both lie in, do not contradict, and the points are within
    10 m and 6 hours.
different, by text: they name different smallest places, or are about different matters.
  by position: no place is named, over 100 m apart, and nothing ties the texts.
unknown: the rest (no place, 10 to 100 m; an area such as a kelurahan against a street in it).
Water that stands over night is one event; new rain on another day is another.

After the first 140 pairs it was amended: by position also beyond 6 hours where the later text says that the water still
stands; a complex against a spot in it is same within 100 m, unknown beyond; the complex against itself is same.

Labels by position repeat what a rule of distance does, so the odds are fitted and first scored on labels by text alone.
Reports that chains of steps up to 300 m connect form a group; the groups whose first row is even fit, the others score.
Intervals resample groups (999 times), since one author sent many of the pairs. Weights: pairs of the file per pair
labelled of the stratum, which makes shares those of all pairs within 300 m.

What was chosen, and on what: the form of the odds, letters parted from digits (log-likelihood -0.30 a pair instead of
-0.33) and the probability of 0.5 on the fitting half. Held-out figures of two earlier versions had been seen by then
(with "RT08" as one word: precision 0.856, recall 0.856 by text); nothing was chosen by them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score

from spatial.sample import write_sample_city
from spatial.sources.cleaning import CleaningParameters, default_locations
from spatial.sources.duplicates import duplicates, text_vectors

LABELS = Path(__file__).with_name("duplicates_labels.csv")
DISTANCES_M, HOURS, PER_STRATUM, REACH_M = (-1, 5, 20, 50, 100, 200, 301), (-1, 3, 12, 80), 24, 300.0
PARAMETERS = CleaningParameters()
DRAWS = 999


def wilson(hits: int, of: int) -> str:
    """Return a share with its 95 % interval (Wilson 1927)."""
    z, p = 1.96, hits / of
    middle, half = p + z * z / (2 * of), z * np.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    low, high = (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)
    return f"{hits}/{of} = {p:.3f} ({low:.3f}-{high:.3f})"


def jakarta(data: Path) -> gpd.GeoDataFrame:
    """Return Jakarta's reports with x, y (m), days and said (title and text)."""
    table = gpd.read_file(data / "jakarta/reports_petabencana_2017.geojson")
    plane = table.to_crs(table.estimate_utm_crs()).geometry
    table["x"], table["y"] = plane.x, plane.y
    table["days"] = (pd.to_datetime(table["created_at"]) - pd.Timestamp(2017, 2, 20)) / pd.Timedelta(days=1)
    table["said"] = [
        " ".join(str(part).strip() for part in row if pd.notna(part)) for row in table[["title", "text"]].values
    ]
    return table


def close_pairs(table: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return all pairs within `REACH_M`: row_a, row_b, distance_m, hours, group of rows that chains connect."""
    points = table[["x", "y"]].to_numpy()
    found = np.sort(cKDTree(points).query_pairs(REACH_M, output_type="ndarray"), axis=1)
    a, b = found[np.lexsort((found[:, 1], found[:, 0]))].T
    _, group = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(len(points), len(points))))
    apart = np.hypot(*(points[a] - points[b]).T)
    hours = 24.0 * np.abs(table["days"].to_numpy()[a] - table["days"].to_numpy()[b])
    first = pd.Series(range(len(group))).groupby(group).transform("min").to_numpy()
    return pd.DataFrame({"row_a": a, "row_b": b, "distance_m": apart, "hours": hours, "group": first[a]})


def with_strata(table: gpd.GeoDataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs whose texts have words, with their strata of distance (`far`) and time (`late`)."""
    plain = table["said"].str.replace(r"[#@]\w+|[^A-Za-z]", "", regex=True).str.len() > 0
    kept: pd.DataFrame = pairs.loc[plain.to_numpy()[pairs["row_a"]] & plain.to_numpy()[pairs["row_b"]]]
    return kept.assign(
        far=pd.cut(kept["distance_m"], DISTANCES_M, labels=False), late=pd.cut(kept["hours"], HOURS, labels=False)
    )


def sampled(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs to label, in the order in which they were read."""
    drawn = [
        group.sample(min(len(group), PER_STRATUM), random_state=2017) for _, group in pairs.groupby(["far", "late"])
    ]
    shuffled: pd.DataFrame = pd.concat(drawn).sample(frac=1, random_state=7)
    return shuffled


def labelled(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the labelled pairs with their weights, and whether their group fits."""
    table = pd.read_csv(LABELS, keep_default_na=False).merge(pairs, on=["row_a", "row_b"], validate="one_to_one")
    strata = ["far", "late"]
    table["weight"] = (
        table.merge(pairs.groupby(strata).size().rename("all").reset_index(), on=strata)["all"]
        / table.groupby(strata)["label"].transform("size")
    ).to_numpy()
    table["fits"] = table["group"] % 2 == 0
    return table


def features(table: pd.DataFrame) -> np.ndarray:
    """Return -ln(1 + m / 10), -ln(1 + hours) and likeness of the pairs."""
    return np.column_stack([-np.log1p(table["distance_m"] / 10.0), -np.log1p(table["hours"]), table["likeness"]])


def fit(table: pd.DataFrame, columns: int) -> np.ndarray:
    """Return base and slopes of the logistic model, hardly held back (C = 1000)."""
    model = LogisticRegression(C=1e3).fit(features(table)[:, :columns], table["label"] == "same")
    return np.array([model.intercept_[0], *model.coef_[0]])


def odds(table: pd.DataFrame, slopes: np.ndarray) -> np.ndarray:
    """Return log-odds of one incident."""
    return np.asarray(slopes[0] + features(table)[:, : len(slopes) - 1] @ slopes[1:])


def shares(joined: np.ndarray, same: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return precision and recall of the joined pairs, weighted."""
    hit = (weight * (joined & same)).sum()
    return np.array([hit / max((weight * joined).sum(), 1e-12), hit / max((weight * same).sum(), 1e-12)])


def resampled(table: pd.DataFrame) -> list[np.ndarray]:
    """Return the positions of `DRAWS` resamples of whole groups."""
    groups = [np.flatnonzero(table["group"] == g) for g in table["group"].unique()]
    rng = np.random.default_rng(1)
    return [np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))]) for _ in range(DRAWS)]


def line(name: str, joined: np.ndarray, table: pd.DataFrame, base: np.ndarray) -> str:
    """Return precision and recall with intervals (Wilson's, over groups, weighted), and less those of `base`."""
    same, weight, even = is_same(table), table["weight"].to_numpy(), np.ones(len(table))
    hits, drawn = int((joined & same).sum()), resampled(table)
    text = [f"{name}: precision {wilson(hits, max(int(joined.sum()), 1))}, recall {wilson(hits, int(same.sum()))}"]
    for label, weights, less in (("over groups", even, 0.0), ("of all pairs", weight, 0.0), ("less 20 m", even, 1.0)):
        ways = [shares(joined[i], same[i], weights[i]) - less * shares(base[i], same[i], weights[i]) for i in drawn]
        point = shares(joined, same, weights) - less * shares(base, same, weights)
        low, high = np.percentile(ways, [2.5, 97.5], axis=0)
        text.append(
            f"    {label}: precision {point[0]:.3f} ({low[0]:.3f} to {high[0]:.3f}), "
            f"recall {point[1]:.3f} ({low[1]:.3f} to {high[1]:.3f})"
        )
    return "\n".join(text)


def is_same(table: pd.DataFrame) -> np.ndarray:
    """Return which pairs are labelled same."""
    return np.asarray(table["label"] == "same")


def shipped() -> np.ndarray:
    """Return the shipped base and slopes."""
    p = PARAMETERS
    return np.array(
        [p.duplicate_odds_base, p.duplicate_odds_distance, p.duplicate_odds_time, p.duplicate_odds_likeness]
    )


def print_fit(fitting: pd.DataFrame) -> None:
    """Print the fitted odds, how they spread over groups, and where a rule of distance alone is best."""
    groups, rng = fitting["group"].unique(), np.random.default_rng(1)
    drawn = [pd.concat([fitting[fitting["group"] == g] for g in rng.choice(groups, len(groups))]) for _ in range(200)]
    low, high = np.percentile([fit(d, 3) for d in drawn if d["label"].nunique() > 1], [5, 95], axis=0)
    print(
        "base, distance, time, likeness fitted:",
        fit(fitting, 3).round(2),
        "5-95 % over groups:",
        low.round(2),
        high.round(2),
        "shipped:",
        shipped(),
    )
    print("base, distance, time fitted:", fit(fitting, 2).round(2))
    same, even = is_same(fitting), np.ones(len(fitting))
    for metres in (10, 20, 30, 50, 75, 100):
        precision, recall = shares((fitting["distance_m"] <= metres).to_numpy(), same, even)
        print(f"    to {metres} m: precision {precision:.3f}, recall {recall:.3f}")
    for least in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        joined = odds(fitting, shipped()) >= np.log(least / (1 - least))
        precision, recall = shares(joined, same, even)
        print(f"    from probability {least}: precision {precision:.3f}, recall {recall:.3f}")


def rules(table: pd.DataFrame, space_time: np.ndarray) -> dict[str, np.ndarray]:
    """Return which pairs each rule joins."""
    near = (table["distance_m"] <= PARAMETERS.duplicate_distance_m).to_numpy()
    far = (table["distance_m"] <= PARAMETERS.duplicate_text_distance_m).to_numpy()
    told = table["told"].to_numpy()
    by_odds = np.where(told, odds(table, shipped()) >= 0, near)
    return {
        "20 m and 14 days": near,
        "odds of space and time, fitted": odds(table, space_time) >= 0,
        "odds with texts, within 20 m": near & by_odds,
        "odds with texts, within 100 m (shipped)": far & by_odds,
        "odds with texts, any distance": by_odds,
    }


def compared(table: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return the labelled pairs with the likeness of their texts, and whether both say anything of their own."""
    rows = labelled(with_strata(table, close_pairs(table)))
    vectors, told = text_vectors(table["said"], PARAMETERS.duplicate_common_share)
    a, b = rows["row_a"].to_numpy(), rows["row_b"].to_numpy()
    return rows.assign(likeness=vectors[a].multiply(vectors[b]).sum(axis=1), told=told[a] & told[b])


def score_jakarta(table: gpd.GeoDataFrame) -> None:
    """Print everything about the labelled pairs."""
    rows = compared(table)
    print(pd.crosstab(rows["fits"], [rows["label"], rows["basis"]]).to_string())
    decided = rows[rows["label"] != "unknown"]
    by_text = decided[decided["basis"] == "text"]
    print_fit(by_text[by_text["fits"]])
    space_time = fit(by_text[by_text["fits"]], 2)
    incident = incidents_of(table, PARAMETERS, True)
    for name, kept in (("labels by text", by_text), ("all labels", decided)):
        held = kept[~kept["fits"]].reset_index(drop=True)
        print(f"\n{name}, held out: {len(held)} pairs of {held['group'].nunique()} groups")
        by_rule = rules(held, space_time) | {"in one incident at the end": one(incident, held)}
        for rule, joined in by_rule.items():
            print(line(rule, joined, held, by_rule["20 m and 14 days"]))
    unknown = rows[(rows["label"] == "unknown") & ~rows["fits"]].reset_index(drop=True)
    print(
        f"\n{len(unknown)} held-out pairs that nobody can tell, joined:",
        {rule: int(joined.sum()) for rule, joined in rules(unknown, space_time).items()},
    )


def one(incident: np.ndarray, table: pd.DataFrame) -> np.ndarray:
    """Return which pairs lie in one incident."""
    return np.asarray(incident[table["row_a"]] == incident[table["row_b"]])


def incidents_of(table: pd.DataFrame, parameters: CleaningParameters, texts: bool) -> np.ndarray:
    """Return the incident of each report of a table: x, y, days, said; category and report_id where it has them."""
    n = len(table)
    return duplicates(
        table[["x", "y"]].to_numpy(float),
        table["category"].tolist() if "category" in table else ["flood"] * n,
        table["days"].to_numpy(float),
        table["report_id"].tolist() if "report_id" in table else [f"{i:06d}" for i in range(n)],
        parameters,
        table["said"].tolist() if texts else None,
    )


VARIANTS = {
    "20 m, 14 days": (PARAMETERS, False),
    "with texts, within 20 m": (replace(PARAMETERS, duplicate_text_distance_m=20.0), True),
    "with texts (shipped)": (PARAMETERS, True),
}


def count_jakarta(table: gpd.GeoDataFrame) -> None:
    """Print Jakarta's incidents."""
    print(
        "\nJakarta,",
        len(table),
        "reports, incidents:",
        {name: len(np.unique(incidents_of(table, *variant))) for name, variant in VARIANTS.items()},
    )


def together(values: np.ndarray) -> float:
    """Return the number of pairs with equal values."""
    count = np.unique(values, return_counts=True)[1]
    return float((count * (count - 1) / 2).sum())


def sample_city(seed: int) -> pd.DataFrame:
    """Return the reports of a sample city with planted incidents; wrong rows and default points are left out."""
    with tempfile.TemporaryDirectory() as folder:
        write_sample_city(Path(folder), seed)
        table = pd.read_csv(Path(folder) / "data/laporan.csv", dtype=str, keep_default_na=False)
        truth = pd.read_csv(Path(folder) / "truth/reports.csv", dtype=str, keep_default_na=False)
    table = table.merge(truth, left_on="id", right_on="report_id", suffixes=("", "_true"))
    table = table[table["kind"].isin(["ordinary", "duplicate"])].reset_index(drop=True)
    points = gpd.GeoSeries.from_xy(table["bujur"].astype(float), table["lintang"].astype(float), crs=4326)
    plane = points.to_crs(points.estimate_utm_crs())
    days = (pd.to_datetime(table["waktu"]) - pd.Timestamp(2020, 1, 1)) / pd.Timedelta(days=1)
    return table.assign(x=plane.x, y=plane.y, days=days, said=table["uraian"])


def score_sample(seed: int) -> None:
    """Print pairwise precision and recall and the adjusted Rand index by category."""
    table = sample_city(seed)
    for name, variant in VARIANTS.items():
        found = incidents_of(table, *variant)
        print(f"\nsample city, seed {seed}, {name}")
        for category, rows in table.groupby("category"):
            mine, truth = found[rows.index], pd.factorize(rows["true_incident"])[0]
            both = together(mine * (len(table) + 1) + truth)
            print(
                f"    {category}: {len(rows)} reports, {len(np.unique(truth))} incidents, "
                f"found {len(np.unique(mine))}; "
                f"pairs: precision {both / max(together(mine), 1):.3f}, recall {both / max(together(truth), 1):.3f}; "
                f"adjusted Rand {adjusted_rand_score(truth, mine):.3f}"
            )


def count_boston(data: Path) -> None:
    """Print Boston's incidents and the seconds it takes; its only texts are types, which are given as texts once."""
    table = pd.read_parquet(data / "boston_311/boston_311_2011_slim.parquet")
    points = gpd.GeoSeries.from_xy(table["longitude"], table["latitude"], crs=4326)
    plane = points.to_crs(points.estimate_utm_crs())
    days = (pd.to_datetime(table["open_dt"]) - pd.Timestamp(2011, 1, 1)) / pd.Timedelta(days=1)
    table = table.assign(x=plane.x, y=plane.y, days=days, category=table["reason"], said=table["type"])
    table = table[np.isfinite(table[["x", "y"]]).all(axis=1)]
    table = table[~default_locations(table[["x", "y"]].to_numpy(float), PARAMETERS)].reset_index(drop=True)
    for name, (parameters, texts) in VARIANTS.items():
        begin = time.perf_counter()
        found = incidents_of(table.assign(report_id=table["case_enquiry_id"].astype(str)), parameters, texts)
        print(
            f"Boston, {len(table)} reports off default points, {name}: {len(np.unique(found))} incidents, "
            f"{time.perf_counter() - begin:.1f} s"
        )


def time_many(table: gpd.GeoDataFrame, n: int) -> None:
    """Print the seconds for n reports over 40 km with Jakarta's texts, 500 of them on one corner in an hour."""
    rng = np.random.default_rng(1)
    spread = pd.DataFrame({"x": rng.uniform(0, 4e4, n), "y": rng.uniform(0, 4e4, n), "days": rng.uniform(0, 365, n)})
    spread.loc[:499, ["x", "y"]] = 2e4 + rng.uniform(0, 15, (500, 2))
    spread.loc[:499, "days"] = rng.uniform(0, 1 / 24, 500)
    spread["said"] = rng.choice(table["said"].to_numpy(), n)
    begin = time.perf_counter()
    found = incidents_of(spread, PARAMETERS, True)
    print(f"{n} made-up reports: {len(np.unique(found))} incidents, {time.perf_counter() - begin:.1f} s")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pairs", action="store_true", help="print the pairs to label")
    options = parser.parse_args()
    table = jakarta(options.data)
    if options.pairs:
        for pair in sampled(with_strata(table, close_pairs(table))).itertuples():
            print(f"{pair.row_a} {pair.row_b} {pair.distance_m:.0f} m {pair.hours:.1f} h")
            print(f"    {table['said'][pair.row_a]}\n    {table['said'][pair.row_b]}")
        return
    score_jakarta(table)
    count_jakarta(table)
    for seed in (1, 2, 3):
        score_sample(seed)
    count_boston(options.data)
    for n in (100_000, 1_000_000):
        time_many(table, n)


if __name__ == "__main__":
    main()
