"""Street lamps: from an inventory, from OpenStreetMap, or inferred along roads; and how far apart they stand.

Everything is in the plane of the city's UTM zone, metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spatial.errors import ContractError
from spatial.lighting.network import Positions, RoadNetwork, locate

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Names = NDArray[np.object_]
ROAD_WITHIN_M = 30.0  # a lamp further than this from every road lights none (ours: a wide road with its verges)
_NEIGHBOURS = 4  # whose gaps give the local spacing: two on either side
# p10 and p90 of the lamp spacing of Kediri: a gap outside is of twin arms, or a stretch without lamps.
_SPACING_RANGE_M = (7.9, 43.0)
_UNLIT = ("no", "disused")
# Ways that run beside a street and would take its lamps; they count where OSM says that they are lit themselves.
_PATHS = ("footway", "path", "track", "steps", "cycleway", "bridleway")


@dataclass(frozen=True, eq=False, slots=True)
class Lamps:
    """Lamps, in the order of their ids within each source.

    Attributes
    ----------
    ids : (n,) strings, unique.
    source : (n,) "inventory", "osm", "inferred", or "report" (a place that a report names and no lamp explains).
    points_m : (n, 2) metres.
    at : their positions on the network, without an edge where no road is within `ROAD_WITHIN_M`.
    road : (n,) int64, the road (position in the lines of the network) that it stands on, -1 where there is none.
    along_m : (n,) float64, metres from the start of that road, -1 where there is none.
    spacing_m : (n,) float64, local distance to the next lamp.
    place_sd_m : (n,) float64, standard deviation of the lamp's own place, on either axis; 0 for a lamp that is known.
    """

    ids: Names
    source: Names
    points_m: Array
    at: Positions
    road: Ints
    along_m: Array
    spacing_m: Array
    place_sd_m: Array

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, which: Ints) -> Lamps:
        """Return some of the lamps, in the order of `which`."""
        return Lamps(
            self.ids[which],
            self.source[which],
            self.points_m[which],
            self.at.take(which),
            self.road[which],
            self.along_m[which],
            self.spacing_m[which],
            self.place_sd_m[which],
        )


def known_lamps(table: gpd.GeoDataFrame | None, network: RoadNetwork | None, default_m: float) -> Lamps:
    """Return the lamps of an inventory or of OpenStreetMap on their roads.

    Parameters
    ----------
    table : points in the plane with `lamp_id` and, if known, `source`; None without any.
    network : the city's roads, or None.
    default_m : spacing where lamps are too few to tell, metres.
    """
    if table is None or table.empty:
        return _lamps([], [], np.empty((0, 2)), network, np.empty(0), 0.0)
    table = table.sort_values("lamp_id")
    points = shapely.get_coordinates(table.geometry.to_numpy())
    source = table["source"].tolist() if "source" in table else ["inventory"] * len(table)
    lamps = _lamps(table["lamp_id"].tolist(), source, points, network, np.full(len(table), default_m), 0.0)
    spacing = local_spacing_m(lamps.points_m, lamps.road, lamps.along_m, default_m)
    return Lamps(lamps.ids, lamps.source, points, lamps.at, lamps.road, lamps.along_m, spacing, lamps.place_sd_m)


def places_of_reports(ids: Names, points_m: Array, sd_m: Array, network: RoadNetwork | None, spacing_m: float) -> Lamps:
    """Return a lamp for each report that no lamp explains, where the report says that it is.

    Parameters
    ----------
    ids : (n,) of the incidents. points_m : (n, 2). sd_m : (n,) error of the reports' places.
    spacing_m : the spacing to reckon with.
    """
    return _lamps(ids.tolist(), ["report"] * len(ids), points_m, network, np.full(len(ids), spacing_m), sd_m)


def _lamps(
    ids: list[str], source: list[str], points_m: Array, network: RoadNetwork | None, spacing: Array, sd: Array | float
) -> Lamps:
    n = len(ids)
    nowhere = Positions(np.full(n, -1, dtype=np.int64), np.full(n, np.nan), np.full(n, np.nan))
    at = nowhere if network is None else locate(network, points_m, ROAD_WITHIN_M)
    on = at.edge >= 0
    road, along = np.full(n, -1, dtype=np.int64), np.full(n, -1.0)
    if network is not None:
        road[on] = network.line[at.edge[on]]
        along[on] = network.along_m[at.edge[on]] + at.offset_m[on]
    names = np.array(ids, dtype=object), np.array(source, dtype=object)
    return Lamps(*names, points_m, at, road, along, spacing, np.full(n, sd) if np.isscalar(sd) else np.asarray(sd))


def local_spacing_m(points_m: Array, road: Ints, along_m: Array, default_m: float) -> Array:
    """Return how far apart lamps stand around each lamp, metres; (n,).

    The median of the gaps between a lamp and its four nearest on the same road. A lamp with none on its road takes the
    city's median: of the gaps along roads where there are at least ten, else of the distances to the nearest lamp
    where there are ten lamps, else `default_m`. Gaps outside 7.9–43 m are taken to be that.

    Parameters
    ----------
    points_m : (n, 2). road, along_m : (n,) as `Lamps` has them.
    """
    spacing = np.full(len(road), np.nan)
    order = np.lexsort((along_m, road))
    ordered = pd.DataFrame({"at": order, "road": road[order], "along": along_m[order]})
    for _, group in ordered[ordered["road"] >= 0].groupby("road"):
        if len(group) > 1:
            spacing[group["at"]] = _median_gaps(group["along"].to_numpy(float))
    known = spacing[np.isfinite(spacing)]
    usual = default_m
    if len(known) >= 10:
        usual = float(np.median(np.clip(known, *_SPACING_RANGE_M)))
    elif len(points_m) >= 10:
        usual = float(np.clip(np.median(cKDTree(points_m).query(points_m, k=2)[0][:, 1]), *_SPACING_RANGE_M))
    return np.where(np.isfinite(spacing), np.clip(spacing, *_SPACING_RANGE_M), usual)


def _median_gaps(along: Array) -> Array:
    """Return for each of the sorted positions the median gap among itself and its nearest neighbours; (n ≥ 2,)."""
    gaps = np.diff(along)
    result = np.empty(len(along))
    for i in range(len(along)):
        low = high = i
        while high - low < _NEIGHBOURS and (low > 0 or high < len(along) - 1):
            before = along[i] - along[low - 1] if low > 0 else np.inf
            after = along[high + 1] - along[i] if high < len(along) - 1 else np.inf
            low, high = (low - 1, high) if before < after else (low, high + 1)
        result[i] = np.median(gaps[low:high])
    return result


def roads_with_lamps(roads: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    """Tell on which roads lamps may stand; (n,) bool.

    Those that OSM says are lit, and those of which it says nothing unless they are paths; all of them where that
    leaves none.
    """
    lit = roads["lit"].to_numpy(dtype=object, na_value=None)
    path = roads["highway"].isin(_PATHS).to_numpy(dtype=bool)
    silent = np.array([value is None for value in lit], dtype=bool)
    chosen = np.where(silent, ~path, ~np.isin(lit.astype(str), _UNLIT))
    return np.asarray(chosen if chosen.any() else np.ones(len(roads), dtype=bool))


def inferred_lamps(
    network: RoadNetwork, roads: gpd.GeoDataFrame, spacing_m: float, points_m: Array, within_m: Array
) -> Lamps:
    """Return where lamps are to be expected along the roads near some points.

    A road of length L holds round(L / spacing), at least one, evenly spread; the first stands half a gap from the
    start. The id is the road's and the metres from its start, so it depends on neither order nor reports.

    Parameters
    ----------
    roads : `road_id, highway, lit`, in the order of the network's lines.
    spacing_m : > 0.
    points_m : (n, 2). within_m : (n,) only lamps this near to a point are made, since a city has too many.

    Notes
    -----
    Such a lamp stands anywhere in its gap (uniform: standard deviation gap / √12), so it tells where a report belongs
    along a road, not where to find a pole.

    Raises
    ------
    ContractError
        Roads of another number than the network's lines, or a spacing that is not above 0.
    """
    if network.line.max(initial=-1) >= len(roads) or not spacing_m > 0:
        raise ContractError("inferred lamps need the roads of the network and a spacing above 0")
    chosen = roads_with_lamps(roads)
    points = np.asarray(shapely.points(points_m), dtype=object)
    point, edge = network.tree.query(points, predicate="dwithin", distance=within_m)
    near = chosen[network.line[edge]]
    point, edge = point[near], edge[near]
    length = np.bincount(network.line, weights=network.graph.length, minlength=len(roads))
    gap = length / np.maximum(np.round(length / spacing_m), 1.0)
    road, along = network.line[edge], network.along_m[edge]
    middle = along + shapely.line_locate_point(network.shapes[edge], points[point])
    low = np.ceil(np.maximum(middle - within_m[point], along) / gap[road] - 0.5)
    high = np.floor(np.minimum(middle + within_m[point], along + network.graph.length[edge]) / gap[road] - 0.5)
    counts = np.maximum(high - low + 1, 0).astype(np.int64)
    owner = np.repeat(np.arange(len(edge)), counts)
    slot = low[owner] + np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    table = pd.DataFrame({"road": road[owner], "slot": slot, "edge": edge[owner]})
    table = table.drop_duplicates(["road", "slot"]).sort_values(["road", "slot"])
    return _on_roads(network, roads, table, gap, spacing_m)


def _on_roads(
    network: RoadNetwork, roads: gpd.GeoDataFrame, table: pd.DataFrame, gap: Array, spacing_m: float
) -> Lamps:
    """Return the lamps at the given slots of the roads."""
    road, edge = table["road"].to_numpy(np.int64), table["edge"].to_numpy(np.int64)
    along = (table["slot"].to_numpy(float) + 0.5) * gap[road]
    offset = np.clip(along - network.along_m[edge], 0.0, network.graph.length[edge])
    at = Positions(edge, offset, np.zeros(len(table)))
    names = roads["road_id"].to_numpy(dtype=object)[road]
    ids = np.array([f"{name}@{metres:.1f}" for name, metres in zip(names, along, strict=True)], dtype=object)
    source = np.full(len(ids), "inferred", dtype=object)
    spacing = np.full(len(ids), spacing_m)
    return Lamps(ids, source, network.points_m(at), at, road, along, spacing, gap[road] / np.sqrt(12.0))


def joined(first: Lamps, second: Lamps) -> Lamps:
    """Return the lamps of both."""
    pairs = zip(_arrays(first), _arrays(second), strict=True)
    ids, source, points, edge, offset, distance, road, along, spacing, sd = (np.concatenate(pair) for pair in pairs)
    return Lamps(ids, source, points, Positions(edge, offset, distance), road, along, spacing, sd)


def _arrays(lamps: Lamps) -> tuple[NDArray[np.generic], ...]:
    at = (lamps.at.edge, lamps.at.offset_m, lamps.at.distance_m)
    return (
        lamps.ids,
        lamps.source,
        lamps.points_m,
        *at,
        lamps.road,
        lamps.along_m,
        lamps.spacing_m,
        lamps.place_sd_m,
    )
