"""What `check` tells of roads and elevation: how much of the area they cover, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import Transformer
from rasterio.features import geometry_mask

from spatial.contracts import Raster
from spatial.hexgrid.join import CityGrid
from spatial.pipeline.plane import Plane
from spatial.quality.heights import HeightFault, Kind, height_faults
from spatial.sources.elevation import ElevationFacts


@dataclass(frozen=True, slots=True)
class RoadChecks:
    """Roads within the area; lengths in km, `outside` lines that do not touch it, cells of the city and with a road."""

    roads: int
    km: float
    outside: int
    without_class: int
    without_class_km: float
    without_name: int
    without_lit: int
    cells: int
    cells_with_road: int

    @property
    def cell_share(self) -> float:
        """Share of the city's cells that hold a road, 0–1."""
        return self.cells_with_road / self.cells if self.cells else 0.0


@dataclass(frozen=True, slots=True)
class PlacedFault:
    """A fault of the elevation with its place in degrees."""

    lon: float
    lat: float
    fault: HeightFault


@dataclass(frozen=True, slots=True)
class ElevationChecks:
    """Elevation of the area and its margin; `below_zero_share` is of the area's known pixels, 0–1."""

    facts: ElevationFacts
    below_zero_share: float
    faults: tuple[PlacedFault, ...]

    def of(self, *kinds: Kind) -> tuple[PlacedFault, ...]:
        """Return the faults of some kinds, the worst first."""
        return tuple(place for place in self.faults if place.fault.kind in kinds)


def check_roads(plane: Plane, grid: CityGrid) -> RoadChecks | None:
    """Look at the city's roads; None where it has none."""
    roads = plane.roads
    if roads is None:
        return None
    km = shapely.length(roads.geometry.to_numpy()) / 1000.0
    classless = roads["highway"].isna().to_numpy(dtype=bool)
    with_road = plane.lengths.loc[plane.lengths["length_m"] > 0, "cell"].nunique()
    return RoadChecks(
        len(roads),
        float(km.sum()),
        plane.roads_outside,
        int(classless.sum()),
        float(km[classless].sum()),
        int(roads["name"].isna().sum()),
        int(roads["lit"].isna().sum()),
        len(grid.cells),
        int(with_road),
    )


def check_elevation(
    raster: Raster | None, facts: ElevationFacts | None, grid: CityGrid, sea_level_m: float
) -> ElevationChecks | None:
    """Look at the city's elevation in its UTM zone; None where it has none."""
    if raster is None or facts is None:
        return None
    inside = geometry_mask([grid.area], raster.values.shape, raster.transform, invert=True)
    known = raster.values[inside & np.isfinite(raster.values)]
    below = float((known < 0).mean()) if known.size else 0.0
    faults = height_faults(raster.values, raster.pixel_size_m, inside, sea_level_m)
    return ElevationChecks(facts, below, _placed(raster, faults))


def _placed(raster: Raster, faults: Sequence[HeightFault]) -> tuple[PlacedFault, ...]:
    to_degrees = Transformer.from_crs(raster.crs, "OGC:CRS84", always_xy=True)
    places = [raster.transform @ (fault.column + 0.5, fault.row + 0.5) for fault in faults]
    return tuple(PlacedFault(*to_degrees.transform(x, y), fault) for (x, y), fault in zip(places, faults, strict=True))
