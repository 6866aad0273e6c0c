"""The ground and its hollows: a raster by hand, outlines that are exact, a culvert that drains, odd elevations."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pyproj import CRS

from services.cli import main
from spatial import pipeline
from spatial.contracts import Raster
from spatial.flood.depressions import find_depressions
from spatial.hexgrid.join import raster_cells, to_plane
from spatial.pipeline.hollows import Hollows, find_hollows
from spatial.pipeline.pixels import centres, outlines, pieces
from spatial.store.geopackage import read_layer
from spatial.store.rasters import read_raster
from spatial.store.versions import Version
from tests.pipeline.tiny import EAST, NORTH, SOUTH, WEST, write_tiny_city

Array = NDArray[np.float64]
WEST_M, NORTH_M = 500_000.0, 9_600_000.0
EVERYWHERE = shapely.box(0, 0, 1e6, 1e7)


def raster(values: Array) -> Raster:
    return Raster(values, Affine(30.0, 0.0, WEST_M, 0.0, -30.0, NORTH_M), CRS.from_epsg(32750))


def hollows(z: Array, area: shapely.Geometry = EVERYWHERE, least_m: float = 0.3) -> Hollows:
    return find_hollows(find_depressions(z, 30.0), raster(z), area, least_m)


def plane_of(table: gpd.GeoDataFrame) -> gpd.GeoSeries:
    return table.geometry.to_crs(32750)


@pytest.fixture
def stairs() -> Array:
    """A trough that falls to the east in a wall of 9 m: ponds of 1, 0.2 and 2 m behind sills of 6, 4 and 3 m."""
    z = np.full((3, 9), 9.0)
    z[1, 1:9] = [5.0, 6.0, 3.8, 4.0, 1.0, 1.0, 3.0, 2.0]
    return z


def test_stairs_by_hand(stairs: Array) -> None:
    table = hollows(stairs).table
    # The pond of 0.2 m is too shallow to be published, and the first spills through it into the third.
    first, last = table.sort_values("depth_max_m").itertuples()
    assert (first.depth_max_m, last.depth_max_m) == (1.0, 2.0)
    assert (first.volume_m3, last.volume_m3) == (900.0, 3600.0)
    assert (first.area_km2, last.area_km2) == pytest.approx((0.0009, 0.0018))
    assert first.spills_into == last.depression_id
    assert pd.isna(last.spills_into)
    shallow = hollows(stairs, least_m=0.1).table
    assert len(shallow) == 3
    ids = dict(zip(shallow["depression_id"], shallow["spills_into"], strict=True))
    assert ids[ids[first.depression_id]] == last.depression_id
    assert sorted(shallow["spill_order"]) == [1, 2, 3]
    # The id is where the pit lies: the pixel of column 1, row 1.
    x, y = (float(v) for v in first.depression_id.removeprefix("depression/").split(","))
    assert to_plane(shapely.Point(x, y), CRS.from_epsg(32750)).distance(shapely.Point(WEST_M + 45, NORTH_M - 45)) < 0.2


def test_only_ponds_that_meet_the_area_are_published(stairs: Array) -> None:
    first_pixel = shapely.box(WEST_M + 30, NORTH_M - 60, WEST_M + 60, NORTH_M - 30)
    table = hollows(stairs, first_pixel).table
    assert table["depth_max_m"].tolist() == [1.0]
    assert table["spills_into"].isna().all()  # where it spills is not published
    assert table["spill_order"].tolist() == [1]
    assert plane_of(table).iloc[0].symmetric_difference(first_pixel).area < 0.1
    assert hollows(stairs, shapely.box(0, 0, 1, 1)).table.empty


def test_ground_without_hollows() -> None:
    plane = np.add.outer(np.arange(5.0), np.arange(6.0))
    found = hollows(plane)
    assert found.table.empty
    assert (len(found.chosen), len(found.top)) == (0, 0)


def test_a_numbering_from_elsewhere_gives_the_same_ids(stairs: Array) -> None:
    """A pit more, further up, shifts the numbers of depressions; their ids stay."""
    shifted = stairs.copy()
    taller = np.vstack([np.full((2, 9), 9.5), shifted])
    taller[1, 4] = 7.0
    table = find_hollows(
        find_depressions(taller, 30.0),
        Raster(taller, Affine(30.0, 0.0, WEST_M, 0.0, -30.0, NORTH_M + 60), CRS.from_epsg(32750)),
        EVERYWHERE,
        0.3,
    ).table
    assert set(hollows(stairs).table["depression_id"]) < set(table["depression_id"])
    assert len(table) == 3


grounds = arrays(np.float64, (9, 10), elements=st.integers(0, 12).map(lambda n: n / 2))


@given(grounds, st.sampled_from([0.3, 1.2]))
def test_every_table_of_hollows_hangs_together(z: Array, least_m: float) -> None:
    found = hollows(z, least_m=least_m)
    table = found.table
    assert table["depression_id"].is_unique
    assert set(table["spills_into"].dropna()) <= set(table["depression_id"])
    assert (table["spills_into"] != table["depression_id"]).fillna(True).all()
    assert sorted(table["spill_order"]) == list(range(1, len(table) + 1))
    assert (table["depth_max_m"] >= least_m).all()
    rain = table.sort_values("spill_order")["rain_to_fill_mm"].to_numpy()
    assert (np.diff(rain) >= -1e-9).all()
    assert plane_of(table).area.to_numpy() / 1e6 == pytest.approx(table["area_km2"].to_numpy(), rel=1e-5)
    here, chain = table.set_index("depression_id")["spills_into"].dropna().to_dict(), 0
    for name in list(here):
        while name in here:
            name, chain = here[name], chain + 1
            assert chain < 1000, "water runs in a circle"


@given(arrays(np.int32, (6, 7), elements=st.integers(-1, 3)))
def test_outlines_cover_exactly_their_pixels(labels: NDArray[np.int32]) -> None:
    grid = raster(np.zeros(labels.shape))
    shapes = outlines(labels, grid, 4)
    points = shapely.points(centres(grid, np.arange(labels.size)))
    for label, shape in enumerate(shapes):
        assert shape.is_valid
        assert shape.area == pytest.approx((labels == label).sum() * 900.0)
        assert np.array_equal(shapely.contains(shape, points), labels.ravel() == label)
    assert outlines(np.full((2, 2), -1, dtype=np.int32), raster(np.zeros((2, 2))), 0) == []
    assert set(pieces(labels, grid)[1]) == set(labels[labels >= 0])


# --- in a run


def elevation(city: Path, change: object) -> None:
    with rasterio.open(city / "dem.tif", "r+") as target:
        target.write(change(target.read(1)).astype("float32"), 1)  # type: ignore[operator]


def edit(city: Path, more: str, replacing: tuple[str, str] = ("", "")) -> None:
    text = (city / "city.toml").read_text().replace(*replacing, 1)
    (city / "city.toml").write_text(text + more)


def ran(city: Path) -> tuple[Version, gpd.GeoDataFrame]:
    version = pipeline.run(city).version
    return version, read_layer(version.layers, "hexagons")


@pytest.fixture
def city(tmp_path: Path) -> Path:
    return write_tiny_city(tmp_path / "city")


def test_ordinary_versions_have_empty_scenario_layers_and_their_hollows(city: Path) -> None:
    version, cells = ran(city)
    for name in ("scenario_cells", "scenario_roads", "scenario_depressions"):
        assert version.manifest["layers"][name]["rows"] == 0
    depressions = read_layer(version.layers, "depressions")
    assert len(depressions) > 0
    assert depressions["frequency"].isna().all()
    assert "dem_error" in version.manifest["layers"]["depressions"]["null_because"]["frequency"]["en"]
    assert "no_elevation_error" in {row["code"] for row in version.manifest["left_out"]}
    # The rain of each cell is that of the pond in it that is deepest.
    deep = cells.dropna(subset="rain_to_fill_mm")
    assert len(deep) > 0
    assert set(deep["rain_to_fill_mm"]) <= set(depressions["rain_to_fill_mm"])
    assert (deep["depression_depth_max_m"] >= 0.3).all()
    assert (cells.loc[cells["rain_to_fill_mm"].isna(), "depression_depth_max_m"] < 0.3).all()


def test_the_susceptibility_of_a_cell_is_the_mean_of_its_pixels(city: Path) -> None:
    version, cells = ran(city)
    raster_ = read_raster(version.path, "flood_susceptibility")
    position = raster_cells(raster_, to_plane(cells.geometry.to_numpy(), raster_.crs))
    for i in (0, len(cells) // 2, len(cells) - 1):
        assert cells["flood_susceptibility"].iloc[i] == pytest.approx(
            float(np.nanmean(raster_.values[position == i])), rel=1e-5
        )


def dam(z: Array) -> Array:
    """A dam across the valley, 3 m high and 120 m wide, north of the middle; the hollow that was there is filled in.

    The valley falls by 0.1 m a row more, or the water would leave over the northern rim, 1 m above the dam's foot.
    """
    z = z + 0.1 * (109 - np.arange(110)[:, None])
    z[40:44, 52:56] += 1.5
    z[50:54, 36:68] += 3.0
    return z


def with_culvert(city: Path) -> None:
    """The only waterway is a culvert along the valley, through the dam; row r begins at -3.297 - 0.00027 · r."""
    middle, north, south = (WEST + EAST) / 2, -3.297 - 0.00027 * 48, -3.297 - 0.00027 * 56
    line = shapely.LineString([(middle, north), (middle, south)])
    table = gpd.GeoDataFrame({"waterway": ["culvert"]}, geometry=[line], crs="EPSG:4326")
    table.to_file(city / "waterways.geojson")


def test_a_culvert_drains_the_hollow_behind_a_dam(city: Path) -> None:
    elevation(city, dam)
    with_culvert(city)
    dammed, before = ran(city)
    edit(city, "[burn]\nburn_culverts = true\n[dem_error]\nsigma_m = 0.05\nrange_m = 60\nrealisations = 4\n")
    drained, after = ran(city)
    assert "elevation_cut" not in dammed.manifest["rasters"]
    assert "elevation_cut" in drained.manifest["rasters"]
    assert (dammed.manifest["facts"]["cut_pixels"], drained.manifest["facts"]["cut_pixels"] > 0) == (0, True)
    z, cut = (read_raster(drained.path, name).values for name in ("elevation", "elevation_cut"))
    assert np.array_equal(z, read_raster(dammed.path, "elevation").values, equal_nan=True)
    assert (cut <= z)[np.isfinite(z)].all()
    middle = shapely.Point((WEST + EAST) / 2, -3.297 - 0.00027 * 49)
    cell = before.index[before.contains(middle)][0]
    was, now = before["depression_depth_max_m"][cell], after["depression_depth_max_m"][cell]
    assert was > 1.5
    assert now < 0.5
    depressions = [read_layer(v.layers, "depressions").to_crs(32750) for v in (dammed, drained)]
    depth = [t.loc[t.distance(plane_point(middle)) < 200, "depth_max_m"].max() for t in depressions]
    assert depth[0] > 1.5
    assert not depth[1] > 0.5
    # What the culvert drains is no hollow under the elevation's error either.
    assert after["depression_frequency"][cell] < 0.5


def plane_point(point: shapely.Point) -> shapely.Point:
    return gpd.GeoSeries([point], crs="EPSG:4326").to_crs(32750).iloc[0]


def test_a_trench_below_the_sea_is_not_sea(city: Path) -> None:
    """A coast in the south, and a drain through the valley cut to below its level."""
    elevation(city, lambda z: np.where(np.arange(110)[:, None] > 95, -1.0, np.maximum(z - 2.0, 0.3)))
    plain, cells = ran(city)
    edit(city, "[burn]\nburn_waterways = true\nwaterway_depth_m = 4.0\n")
    cut, cells_cut = ran(city)
    assert np.nanmin(read_raster(cut.path, "elevation_cut").values[10:90]) < -1.0
    facts = [v.manifest["facts"]["sea_share_of_cells"] for v in (plain, cut)]
    assert facts[0] == facts[1]
    hand = [read_raster(v.path, "hand").values for v in (plain, cut)]
    assert np.array_equal(np.isnan(hand[0]), np.isnan(hand[1]))
    assert np.nanmin(hand[1]) >= 0
    assert cells_cut["elevation_mean_m"].equals(cells["elevation_mean_m"])
    assert cells_cut["slope_mean_deg"].equals(cells["slope_mean_deg"])


@pytest.mark.parametrize("change", ["plane", "sea", "flat"])
def test_odd_elevations_run_and_flood(city: Path, change: str) -> None:
    rows, columns = np.mgrid[0:110, 0:110]
    surfaces = {"plane": 5 + 0.1 * rows + 0.01 * columns, "sea": np.full((110, 110), -1.0), "flat": rows * 0.0 + 3.0}
    elevation(city, lambda z: surfaces[change])
    version, cells = ran(city)
    assert version.manifest["layers"]["depressions"]["rows"] == 0
    if change == "sea":
        assert version.manifest["facts"]["sea_share_of_cells"] == 1.0
        assert cells["flood_susceptibility"].isna().all()
        assert version.manifest["rasters"]["hand"]["known_share"] == 0.0
    else:
        assert cells["flood_susceptibility"].notna().all()
    result = CliRunner().invoke(main, ["scenario", str(city), "--rain-mm", "100"])
    assert result.exit_code == 0, result.output
    assert "0 sel tergenang" in result.stdout


def test_the_area_of_the_tiny_city_is_where_its_hollow_is() -> None:
    """The tests above look for a hollow at rows 46 to 56: they must lie in the area."""
    assert SOUTH < -3.297 - 0.00027 * 56 < -3.297 - 0.00027 * 46 < NORTH
