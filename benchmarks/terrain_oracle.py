"""D8, accumulation and specific area beside whitebox-workflows on Denpasar's and Lisbon's elevation.

    python benchmarks/terrain_oracle.py

Needs ../shared/data and whitebox-workflows 2.0.6, which is no dependency. Both are given the same filled surface, three
ways: our directions (is the accumulation right?); a surface without ties and flats, made of the elevation with noise of
up to 0.5 m and each pixel then raised a random 2–4 mm above the one it drains to (are the directions right?); and the
elevation as it is, in whole metres, where flats and ties leave the direction open and each has its own rule.
A channel is a pixel with more than 1 km² upstream. The last line compares multiple flow direction on the second
surface.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import whitebox_workflows  # type: ignore[import-not-found,unused-ignore]
from numpy.typing import NDArray
from rasterio.transform import from_origin

from spatial.flood.filling import fill_depressions
from spatial.flood.flow import flow_accumulation, flow_direction, flow_order
from spatial.flood.wetness import specific_area

DATA = Path(__file__).parents[2] / "shared/data"
PIXEL_M = 30.0
ESRI = {(0, 1): 1, (1, 1): 2, (1, 0): 4, (1, -1): 8, (0, -1): 16, (-1, -1): 32, (-1, 0): 64, (-1, 1): 128}
TOOLS = whitebox_workflows.WbEnvironment()
Array = NDArray[np.float64]
Index = NDArray[np.int32]


def raster(values: NDArray[Any], folder: Path) -> Any:
    """Hand an array to the peer as a GeoTIFF in a plane."""
    path = folder / f"{len(list(folder.iterdir()))}.tif"
    rows, columns = values.shape
    place = {"crs": "EPSG:32750", "transform": from_origin(0.0, rows * PIXEL_M, PIXEL_M, PIXEL_M), "nodata": -9999.0}
    with rasterio.open(
        path, "w", driver="GTiff", dtype="float64", count=1, height=rows, width=columns, **place
    ) as file:
        file.write(values.astype(float), 1)
    return TOOLS.read_raster(str(path))


def pointers(downstream: Index) -> Index:
    """Return the directions in Esri's code, 0 where the flow ends."""
    here = np.arange(downstream.size).reshape(downstream.shape)
    columns = downstream.shape[1]
    south, east = downstream // columns - here // columns, downstream % columns - here % columns
    codes = np.zeros(downstream.shape, dtype=np.int32)
    for (i, j), code in ESRI.items():
        codes[(south == i) & (east == j) & (downstream >= 0)] = code
    return codes


def directions(surface: Array) -> tuple[Index, Index, Index]:
    """Return downstream, order, and the pixels through each pixel."""
    downstream = flow_direction(surface)
    order = flow_order(surface, downstream)
    return downstream, order, flow_accumulation(downstream, order) + np.int32(1)


def distinct(elevation: Array) -> Array:
    """Return the elevation with noise, filled, and without ties or flats."""
    rng = np.random.default_rng(0)
    surface = fill_depressions(elevation + rng.uniform(0.0, 0.5, elevation.shape)).astype(float)
    downstream, order, _ = directions(surface)
    heights, to = surface.ravel(), downstream.ravel()
    steps = rng.uniform(0.002, 0.004, heights.size)
    for pixel in order.tolist():
        if to[pixel] >= 0:
            heights[pixel] = max(heights[pixel], heights[to[pixel]] + steps[pixel])
    return surface


def kilometres(channel: NDArray[np.bool_], codes: NDArray[Any]) -> float:
    """Return the length of the flow out of the channel's pixels."""
    aslant = np.isin(codes, [2, 8, 32, 128])
    return float(np.where(aslant, np.sqrt(2.0), 1.0)[channel & (codes > 0)].sum() * PIXEL_M / 1000.0)


def compare(label: str, ours: tuple[NDArray[Any], NDArray[Any]], peer: tuple[NDArray[Any], NDArray[Any]]) -> None:
    """Print how far directions, accumulation and length of channels agree; each side is (codes, pixels through)."""
    channel, theirs = (cells * PIXEL_M**2 > 1e6 for _, cells in (ours, peer))
    error = np.abs(peer[1] - ours[1]) / ours[1]
    print(
        f"  {label}: directions equal {np.mean(ours[0] == peer[0]):.2%}; of {channel.sum()} channel pixels "
        f"{np.mean(error[channel] <= 0.01):.2%} within 1 %, {np.mean(theirs[channel]):.2%} channel to both; "
        f"length {kilometres(channel, ours[0]):.1f} km, peer {kilometres(theirs, peer[0]):.1f} km"
    )


def why(filled: Array, codes: Index, peer: NDArray[Any], channel: NDArray[np.bool_]) -> None:
    """Print how much of the disagreement lies on flats, and whether the rest are ties of the steepest descent."""
    padded = np.pad(filled, 1, mode="edge")
    rows, columns = filled.shape
    descent = {0: np.full(filled.shape, -1e9)}
    for (i, j), code in ESRI.items():
        neighbour = padded[1 + i : 1 + i + rows, 1 + j : 1 + j + columns]
        descent[code] = (filled - neighbour) / np.hypot(i, j)
    flat = np.max(list(descent.values()), axis=0) <= 0.0
    differs = ~flat & (codes != peer)
    tie = np.zeros(filled.shape, dtype=bool)
    for code, value in descent.items():
        for other, rival in descent.items():
            tie |= differs & (codes == code) & (peer == other) & (np.abs(value - rival) < 1e-9)
    print(
        f"    flat: {flat.mean():.1%} of pixels, {flat[channel].mean():.1%} of channel pixels; "
        f"other directions that differ: {differs.sum()} ({differs[channel].mean():.1%} of channel pixels), "
        f"of which ties {tie.sum()}"
    )


def city(name: str, elevation: Array, folder: Path) -> None:
    """Print the comparisons of one city."""
    print(f"{name}, {elevation.shape[0]} × {elevation.shape[1]}")
    water = TOOLS.hydrology
    filled = fill_depressions(elevation).astype(float)
    theirs = water.fill_depressions_wang_and_liu(dem=raster(elevation, folder), fix_flats=False).to_numpy()
    loose = water.fill_depressions(dem=raster(elevation, folder), fix_flats=False).to_numpy()
    print(
        f"  filled: Wang & Liu's equal {np.mean(theirs == filled):.2%}; fill_depressions' equal "
        f"{np.mean(loose == filled):.2%}, above the spill level {np.mean(loose > filled):.2%}, "
        f"by up to {np.max(loose - filled):.0f} m"
    )
    downstream, _, cells = directions(filled)
    codes = pointers(downstream)
    given = water.d8_flow_accum(input=raster(codes, folder), out_type="cells", input_is_pointer=True, esri_pntr=True)
    compare("our directions", (codes, cells), (codes, given.to_numpy()))
    surface = distinct(elevation)
    smooth, _, through = directions(surface)
    dem = raster(surface, folder)
    pointer, amount = water.d8_pointer(dem=dem, esri_pntr=True), water.d8_flow_accum(input=dem, out_type="cells")
    compare("no ties, no flats", (pointers(smooth), through), (pointer.to_numpy(), amount.to_numpy()))
    fixed = water.fill_depressions_wang_and_liu(dem=raster(filled, folder))
    pointer, amount = water.d8_pointer(dem=fixed, esri_pntr=True), water.d8_flow_accum(input=fixed, out_type="cells")
    compare("as it is", (codes, cells), (pointer.to_numpy(), amount.to_numpy()))
    why(filled, codes, pointer.to_numpy(), cells * PIXEL_M**2 > 1e6)
    ours = specific_area(surface, smooth, np.zeros(surface.shape, dtype=bool), PIXEL_M)
    peer = water.fd8_flow_accum(dem=dem, out_type="cells", exponent=1.1).to_numpy() * PIXEL_M
    error = np.abs(np.log(peer / ours))
    print(f"  multiple flow direction: ln a differs by {np.median(error):.1e} in the median, {error.max():.1e} at most")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        for title, file in (
            ("Denpasar", "denpasar/dem_denpasar.tif"),
            ("Lisbon", "lisbon/dem_lisbon_srtm30m_4326.tif"),
        ):
            with rasterio.open(DATA / file) as source:
                city(title, source.read(1).astype(float), Path(made))
