"""Lisbon with EU-DEM instead of SRTM: how far the cells' terrain figures keep their ranks. Consistency, not skill.

    python benchmarks/dem_agreement.py

Needs ../shared/data. EU-DEM descends partly from SRTM, so agreement says nothing about truth. Cells of land alone:
those that both runs give a susceptibility.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from scipy.stats import spearmanr

from spatial import pipeline
from spatial.store.geopackage import read_layer

ROOT = Path(__file__).parents[1]
SRTM, EUDEM = "dem_lisbon_srtm30m_4326.tif", "dem_lisbon_eudem25m_3035.tif"
COLUMNS = ("flood_susceptibility", "elevation_mean_m", "hand_mean_m", "twi_mean", "depression_depth_max_m")


def main() -> None:
    """Print Spearman's rank correlation of each column between the two runs."""
    text = (ROOT / "tests/cities/lisbon/city.toml").read_text("utf-8")
    text = text.replace("../../../../shared", str(ROOT.parent / "shared"))
    cells = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in (SRTM, EUDEM):
            folder = Path(scratch) / name
            folder.mkdir()
            (folder / "city.toml").write_text(text.replace(SRTM, name), "utf-8")
            version = pipeline.run(folder).version
            cells.append(read_layer(version.layers, "hexagons").set_index("cell"))
    both = cells[0][["flood_susceptibility"]].notna().all(axis=1) & cells[1]["flood_susceptibility"].notna()
    print(f"{int(both.sum())} of {len(both)} cells hold land in both")
    for column in COLUMNS:
        known = both & cells[0][column].notna() & cells[1][column].notna()
        rank = spearmanr(cells[0].loc[known, column], cells[1].loc[known, column]).statistic
        print(f"{column}: Spearman {rank:.3f} over {int(known.sum())} cells")


if __name__ == "__main__":
    main()
