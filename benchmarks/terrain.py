"""Terrain kernels beside named peers in the same run, with a correctness gate first: seconds, ratios and peak memory.

    python benchmarks/terrain.py [--side 3000] [--chain-side 10000]

The terrain is made from a seed: a fractal surface on a slope, float32. Fill, D8 and accumulation stand beside pyflwdir,
HAND beside the lines of pyflwdir's function under njit (its own is plain Python). The whole chain, from a GeoTIFF, has
whitebox-workflows 2.0.6 beside it, which is no dependency: install it where Python finds it, else that part says so.
Its `fill_depressions` fills above the spill level, so the chain takes its Wang & Liu fill, whose surface equals ours.
The chain of 10000² needs about 12 GB for the peer and 4 GB for ours. `--chain-side 0` leaves it out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pyflwdir
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

from spatial.flood.filling import fill_depressions
from spatial.flood.flow import flow_accumulation, flow_direction, flow_order, hand
from spatial.flood.terrain import TerrainParameters, analyse

RUNS = 5
PIXEL_M = 30.0
PARAMETERS = TerrainParameters()
Surface = NDArray[np.float32]


def rough(side: int, seed: int = 1) -> Surface:
    """Return a surface of spectral slope -2 with 100 m of standard deviation, on a slope of 800 m, all above 1 m."""
    spectrum = np.fft.rfft2(np.random.default_rng(seed).standard_normal((side, side), dtype=np.float32))
    down, along = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]
    frequency = np.hypot(down, along)
    frequency[0, 0] = 1.0
    surface = np.fft.irfft2(spectrum / frequency**2, s=(side, side)).astype(np.float32)
    ramp = np.linspace(0.0, 400.0, side, dtype=np.float32)
    surface = surface * np.float32(100.0 / surface.std()) + ramp + ramp[:, None]
    return np.asarray(surface - surface.min() + np.float32(1.0), dtype=np.float32)


def report(step: str, ours: Callable[[], object], peer: Callable[[], object]) -> None:
    """Print medians of five runs of each, taken in turn after one each that does not count: seconds and processor's."""
    taken: dict[str, list[tuple[float, float]]] = {"ours": [], "peer": []}
    for run in range(RUNS + 1):
        for who, work in (("ours", ours), ("peer", peer)):
            start, cpu = time.perf_counter(), time.process_time()
            work()
            if run:
                taken[who].append((time.perf_counter() - start, time.process_time() - cpu))
    row(step, *(tuple(map(statistics.median, zip(*times, strict=True))) for times in taken.values()))


def row(step: str, ours: tuple[float, ...], peer: tuple[float, ...]) -> None:
    """Print one row of (seconds, seconds of processor) each."""
    print(f"{step}: ours {ours[0]:.2f} s, peer {peer[0]:.2f} s, {peer[0] / ours[0]:.2f}x", end="")
    print(f" (processor {ours[1]:.2f} s, {peer[1]:.2f} s, {peer[1] / ours[1]:.2f}x)", flush=True)


def flow(side: int) -> None:
    """Fill, D8 and accumulation against pyflwdir's fill and its accumulation on its own directions."""
    z = rough(side)

    def ours() -> object:
        filled = fill_depressions(z)
        downstream = flow_direction(filled)
        return flow_accumulation(downstream, flow_order(filled, downstream))

    def peer() -> object:
        d8 = pyflwdir.dem.fill_depressions(z, outlets="edge", connectivity=8)[1]
        return pyflwdir.from_array(d8, ftype="d8", check_ftype=False).upstream_area()

    if not np.array_equal(fill_depressions(z), pyflwdir.dem.fill_depressions(z)[0]):
        raise SystemExit("filled elevations differ from pyflwdir's")
    report(f"fill + D8 + accumulation, {side}², pyflwdir {pyflwdir.__version__}", ours, peer)


@numba.njit
def _pyflwdir_hand(idxs_ds: Any, seq: Any, drain: Any, elevtn: Any) -> Any:
    """The lines of pyflwdir.dem.height_above_nearest_drain."""
    heights = np.full(drain.size, -9999.0, dtype=np.float64)
    heights[seq] = 0.0
    for idx0 in seq:
        if drain[idx0] != 1:
            idx_ds = idxs_ds[idx0]
            dz = elevtn[idx0] - elevtn[idx_ds]
            heights[idx0] = heights[idx_ds] + dz
    return heights


def height(side: int) -> None:
    """HAND on our own directions, in our order and in pyflwdir's; the ends of the flow count as drainage for both."""
    filled = fill_depressions(rough(side))
    downstream = flow_direction(filled)
    order = flow_order(filled, downstream)
    wet = ((flow_accumulation(downstream, order) + 1) * PIXEL_M**2 / 1e6 >= 1.0) | (downstream < 0)
    pits = np.where(downstream < 0, np.arange(filled.size).reshape(filled.shape), downstream)
    network = pyflwdir.FlwdirRaster(pits.ravel().astype(np.intp), filled.shape, "d8", idxs_pit=pits[downstream < 0])
    # pyflwdir keeps its sequence once made, so it is made beforehand, as our order is
    flat = (network.idxs_ds, network.idxs_seq, wet.ravel(), filled.ravel())
    if not np.allclose(hand(filled, downstream, order, wet).ravel(), _pyflwdir_hand(*flat), atol=1e-2):
        raise SystemExit("HAND differs from pyflwdir's")
    label = f"HAND, {side}², pyflwdir's lines under njit"
    report(label, lambda: hand(filled, downstream, order, wet), lambda: _pyflwdir_hand(*flat))


def chain_ours(path: Path) -> None:
    """Run the chain on a GeoTIFF; GDAL keeps 16 MB of it, not the whole once more."""
    with rasterio.Env(GDAL_CACHEMAX=16), rasterio.open(path) as file:
        analyse(file.read(1), PIXEL_M, PARAMETERS)


def chain_peer(path: Path) -> None:
    """Run the same steps in whitebox-workflows, on all its threads: TWI by FD8 with Freeman's exponent, HAND by D8."""
    import whitebox_workflows  # type: ignore[import-not-found,unused-ignore]

    tools = whitebox_workflows.WbEnvironment()
    dem, water = tools.read_raster(str(path)), tools.hydrology
    filled = water.fill_depressions_wang_and_liu(dem=dem)
    pointer = water.d8_pointer(dem=filled)
    cells = water.d8_flow_accum(input=pointer, out_type="cells", input_is_pointer=True)
    threshold = PARAMETERS.stream_threshold_km2 * 1e6 / PIXEL_M**2
    streams = tools.streams.extract_streams(flow_accumulation=cells, threshold=threshold)
    heights = water.elevation_above_stream(dem=filled, streams=streams)
    slope = tools.terrain.slope(input=dem)
    area = water.fd8_flow_accum(dem=filled, out_type="sca", exponent=1.1)
    results = (heights, water.wetness_index(sca=area, slope=slope))
    del results


def measure(who: str, path: Path) -> None:
    """Run one chain; print its seconds and the peak memory above what the process held before, as JSON."""
    work = chain_ours if who == "ours" else chain_peer
    with tempfile.TemporaryDirectory() as folder:  # the first call loads what was compiled
        work(write(rough(300), Path(folder) / "small.tif"))
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again
    before = high_water()
    start, cpu = time.perf_counter(), time.process_time()
    work(path)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(json.dumps({"seconds": seconds, "cpu": cpu, "bytes": high_water() - before}))


def high_water() -> int:
    """Return the most memory that this process has held, bytes; getrusage would count what its parent held."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def write(surface: Surface, path: Path) -> Path:
    """Write a GeoTIFF in a plane."""
    rows, columns = surface.shape
    place = {"crs": "EPSG:32750", "transform": from_origin(0.0, rows * PIXEL_M, PIXEL_M, PIXEL_M)}
    profile = {"driver": "GTiff", "dtype": "float32", "count": 1, "height": rows, "width": columns, **place}
    with rasterio.open(path, "w", **profile) as file:
        file.write(surface, 1)
    return path


def same_fill(path: Path) -> bool:
    """Return whether the peer's Wang & Liu fill of a GeoTIFF equals ours."""
    import whitebox_workflows

    tools = whitebox_workflows.WbEnvironment()
    filled = tools.hydrology.fill_depressions_wang_and_liu(dem=tools.read_raster(str(path)), fix_flats=False)
    with rasterio.open(path) as file:
        return bool(np.array_equal(fill_depressions(file.read(1)), filled.to_numpy()))


def chain(side: int) -> None:
    """The whole chain, each in a process of its own."""
    found = find_spec("whitebox_workflows") is not None
    with tempfile.TemporaryDirectory() as folder:
        if found and not same_fill(write(rough(1000), Path(folder) / "gate.tif")):
            raise SystemExit("filled elevations differ from whitebox-workflows'")
        path = write(rough(side), Path(folder) / "terrain.tif")
        results = {}
        for who in ("ours", "peer") if found else ("ours",):
            command = [sys.executable, __file__, "--measure", who, str(path)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            results[who] = json.loads(done.splitlines()[-1])
    for who, result in results.items():
        above = result["bytes"] / side**2 - 4.0
        print(f"chain, {side}², {who}: peak {above:.1f} bytes a pixel above the input")
    if found:
        times = [(result["seconds"], result["cpu"]) for result in results.values()]
        row(f"whole chain, {side}², whitebox-workflows", *times)
    else:
        print("whitebox-workflows is not installed: no peer for the chain (pip install whitebox-workflows==2.0.6)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=3000, help="of the kernels' raster")
    parser.add_argument("--chain-side", type=int, default=10000, help="of the chain's raster; 0: leave it out")
    parser.add_argument("--measure", nargs=2, metavar=("WHO", "FILE"), help="one chain, for this program's own use")
    options = parser.parse_args()
    if options.measure:
        measure(options.measure[0], Path(options.measure[1]))
    else:
        flow(options.side)
        height(options.side)
        if options.chain_side:
            chain(options.chain_side)
