"""Pictures of a published raster: a stated colour ramp for each coverage, its legend, and pixels as a palette PNG."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import CSS4_COLORS, Normalize, to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from spatial.contracts import Coverage

RGB = tuple[int, int, int]
_SHADES = 255  # of a palette of 256; the first entry is for what is not known


@dataclass(frozen=True, slots=True)
class Ramp:
    """A matplotlib colour map between two values; what lies beyond an end has the colour of that end."""

    colours: str
    low: float
    high: float

    def indices(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the palette's entries of values: 0 where unknown, else 1–255."""
        share = np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)
        known = np.isfinite(share)
        entries = np.where(known, np.rint(np.where(known, share, 0.0) * (_SHADES - 1)) + 1, 0)
        return entries.astype(np.uint8)

    def palette(self, unknown: RGB) -> NDArray[np.uint8]:
        """Return the 256 colours of the palette, (256, 3)."""
        shades = colormaps[self.colours](np.linspace(0.0, 1.0, _SHADES), bytes=True)[:, :3]
        return np.vstack([np.array([unknown], np.uint8), shades]).astype(np.uint8)


# colour map, and the two ends where they are the same for every city; None: those of the version's own values
_RAMPS: dict[str, tuple[str, float | None, float | None]] = {
    "elevation": ("viridis", None, None),
    "elevation_cut": ("viridis", None, None),
    "hand": ("YlGnBu_r", 0.0, 20.0),
    "twi": ("YlGnBu", None, None),
    "gfi": ("YlGnBu", None, None),
    "gfi_disagreement": ("PuOr", -1.0, 1.0),
    "depression_depth": ("Blues", 0.0, 2.0),
    "depression_frequency": ("PuBu", 0.0, 1.0),
    "rain_to_fill": ("magma_r", 0.0, 300.0),
    "flood_susceptibility": ("YlGnBu", 0.0, 1.0),
    "water_depth": ("Blues", 0.0, 2.0),
    "tide_hours": ("viridis", 0.0, None),
    "drainage_head": ("RdYlBu", None, None),
}


def ramp_of(coverage: Coverage, low: float | None, high: float | None) -> Ramp:
    """Return the ramp of a coverage; `low` and `high` are the least and greatest value of the version, None if none."""
    colours, first, last = _RAMPS[coverage.name]
    first = first if first is not None else (0.0 if low is None else low)
    last = last if last is not None else (1.0 if high is None else high)
    return Ramp(colours, first, last if last > first else first + 1.0)


def colour_of(text: str) -> RGB:
    """Return the colour that `0xRRGGBB`, `#RRGGBB` or a CSS name says. Raises ValueError."""
    digits = re.fullmatch(r"(?:0x|#)([0-9a-fA-F]{6})", text)
    name = f"#{digits[1]}" if digits else CSS4_COLORS.get(text.lower())
    if name is None:
        raise ValueError(f"{text} is no colour")
    red, green, blue = (round(part * 255) for part in to_rgb(name))
    return red, green, blue


def palette_png(entries: NDArray[np.uint8], ramp: Ramp, background: RGB, transparent: bool) -> bytes:
    """Return a PNG of (rows, columns) entries of a ramp's palette; entry 0 is the background, transparent or not."""
    image = Image.fromarray(entries, "P")
    image.putpalette(ramp.palette(background).tobytes())
    buffer = BytesIO()
    image.save(buffer, "PNG", **({"transparency": b"\0" + b"\xff" * _SHADES} if transparent else {}))
    return buffer.getvalue()


def legend_png(coverage: Coverage, ramp: Ramp, low: float | None, high: float | None) -> bytes:
    """Return a PNG of the ramp with its values, the title in both languages and the unit; pointed where it goes on."""
    beyond = (low is not None and low < ramp.low, high is not None and high > ramp.high)
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[beyond]
    figure = Figure(figsize=(4.6, 0.95), dpi=110, layout="constrained")
    shades = ScalarMappable(Normalize(ramp.low, ramp.high), ramp.colours)
    bar = figure.colorbar(shades, cax=figure.add_subplot(), orientation="horizontal", extend=extend)
    bar.set_label(coverage.unit or "1", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.ax.set_title(f"{coverage.title_id}\n{coverage.title_en}", fontsize=8)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
