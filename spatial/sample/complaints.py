"""A year of citizens' reports: what happened, who tells of it, and the traps that real files hold.

Each report starts as an event at a true place and time; the delivered row then gets noise, or falls into a trap.
Events are tables with columns x, y (plane, metres, true), time (datetime64[s], local), incident, text (key of
`words.TEXTS`), depth_m (NaN where none), genuine (bool), until (repair; NaT where none is told), blur_m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spatial.sample.frame import Floats, Frame, Ints
from spatial.sample.lamps import Lamps
from spatial.sample.town import Districts, Street
from spatial.sample.words import CATEGORY_WORDS, SHARES, TEXTS, UNREADABLE_TIMES, depth_word

KINDS = ("ordinary", "duplicate", "default_point", "wrong_row")
WRONG_ROWS = ("missing", "swapped", "zero", "time", "far")
_MEAN_DAYS = {
    "waste": 4.0,
    "drainage": 14.0,
    "tree": 5.0,
    "mobility": 25.0,
    "road": 30.0,
    "social_aid": 20.0,
    "other": 12.0,
    "flood": 3.0,
}
_HOURS = np.array([0.2, 0.1, 0.1, 0.1, 0.2, 0.6, 1.5, 2.5, 3, 3, 3, 2.5, 2, 2, 2, 2.5, 3, 3, 3, 3, 2.5, 2, 1.2, 0.6])
_SPOT_M = 20.0
_PEOPLE = np.array([0.6, 1.5, 3.0])


@dataclass(frozen=True, eq=False, slots=True)
class Spots:
    """Places along the streets, 20 m apart, where people may report.

    Attributes
    ----------
    x, y : (n,) metres. street : (n,) int. voice : (n,) people × how readily they report. depth : (n,) m, main storm.
    """

    x: Floats
    y: Floats
    street: Ints
    voice: Floats
    depth: Floats


@dataclass(frozen=True, eq=False, slots=True)
class Storms:
    """Storms of the year: when each began (datetime64[s], local) and its depths as a share of the main storm's."""

    begin: NDArray[np.datetime64]
    share: Floats


@dataclass(frozen=True, eq=False, slots=True)
class World:
    """Everything that reports are about."""

    frame: Frame
    streets: list[Street]
    spots: Spots
    storms: Storms
    lamps: Lamps
    lamp_voice: Floats
    outages: pd.DataFrame
    default_point: tuple[float, float]
    year: int


def place_spots(frame: Frame, streets: list[Street], districts: Districts, propensity: Floats, depth: Floats) -> Spots:
    """Return the spots of a town; `propensity` is per kelurahan, `depth` the (size, size) depth of the main storm."""
    along = [np.arange(_SPOT_M / 2, street.line.length, _SPOT_M) for street in streets]
    points = [
        shapely.get_coordinates(shapely.line_interpolate_point(street.line, a))
        for street, a in zip(streets, along, strict=True)
    ]
    x, y = np.vstack(points).T
    number = np.repeat(np.arange(len(streets)), [len(a) for a in along])
    kelurahan = np.array([street.kelurahan for street in streets])[number]
    voice = _PEOPLE[districts.density][kelurahan] * propensity[kelurahan]
    return Spots(x, y, number, voice, frame.sample(depth, x, y))


def write_storms(year: int, rng: np.random.Generator) -> Storms:
    """Return the main storm (share 1) and five to seven smaller ones, all in the wet months."""
    smaller = int(rng.integers(5, 8))
    days = rng.choice(np.r_[0:95, 320:360], smaller + 1, replace=False)
    begin = np.datetime64(f"{year}-01-01", "s") + days * np.timedelta64(86400, "s")
    begin = begin + rng.integers(12 * 3600, 20 * 3600, smaller + 1).astype("timedelta64[s]")
    return Storms(begin, np.concatenate([[1.0], rng.uniform(0.3, 0.75, smaller)]))


def tell(world: World, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return `count` delivered reports in order of time, with their truth.

    Columns: report_id, waktu, lintang, bujur, kategori, uraian, status, waktu_selesai, kedalaman_cm (texts, as in the
    file) and the truth: category, incident, kind, genuine, x, y.
    """
    number = rng.multinomial(count, list(SHARES.values()))
    parts = [_category(world, category, int(n), rng) for category, n in zip(SHARES, number, strict=True)]
    table = pd.concat(parts, ignore_index=True).sort_values(["time", "incident"], kind="stable", ignore_index=True)
    repeats = table["kind"].isin(["ordinary", "duplicate"])
    later = table.loc[repeats, "incident"].duplicated()
    table.loc[repeats, "kind"] = np.where(later, "duplicate", "ordinary")
    table["report_id"] = [f"L-{world.year}-{i + 1:06d}" for i in range(len(table))]
    return _delivered(world, table, rng)


def _category(world: World, category: str, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return the events of one category, traps and repeats included; lamps are reported often enough to repeat."""
    repeat = 0.0 if category == "street_light" else 0.05
    kinds = rng.choice(KINDS, count, p=[0.95 - repeat, repeat, 0.04, 0.01])
    first = int((kinds != "duplicate").sum())
    events = _EVENTS.get(category, _anywhere)(world, category, first, rng)
    events["kind"] = kinds[kinds != "duplicate"]
    again = _again(events[events["kind"] == "ordinary"], count - first, rng)
    table = pd.concat([events, again], ignore_index=True) if count > first else events
    table["category"] = category
    table["kategori"] = rng.choice(CATEGORY_WORDS[category], count)
    return table


def _events(
    x: Floats,
    y: Floats,
    time: NDArray[np.datetime64],
    incident: list[str],
    text: str,
    until: NDArray[np.datetime64],
    blur_m: float | Floats,
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "x": x,
            "y": y,
            "time": time,
            "incident": incident,
            "text": text,
            "depth_m": np.nan,
            "genuine": True,
            "until": until,
            "blur_m": blur_m,
        }
    )


def _anywhere(world: World, category: str, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return events along streets wherever people report; a third of drainage events lie where the storm stood."""
    spots = world.spots
    weight = spots.voice.copy()
    if category == "drainage":
        weight = (
            weight / weight.sum()
            + 0.5 * (spots.voice * (spots.depth > 0.1)) / (spots.voice * (spots.depth > 0.1)).sum()
        )
    at = rng.choice(len(weight), count, p=weight / weight.sum())
    time = _any_time(world.year, count, rng)
    until = _repaired(time, _MEAN_DAYS[category], rng)
    names = [f"{category}-{i + 1:05d}" for i in range(count)]
    return _events(spots.x[at], spots.y[at], time, names, category, until, 12.0)


def _floods(world: World, category: str, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return flood events: 85 % at spots that a storm flooded by 0.15 m or more, the rest where nothing stood."""
    mistaken = _leaks(world, rng.binomial(count, 0.15), rng)
    spots, storms = world.spots, world.storms
    depth = spots.depth[:, None] * storms.share[None, :]
    weight = (spots.voice[:, None] * np.minimum(depth, 0.6) * (depth >= 0.15)).ravel()
    chosen = rng.choice(len(weight), count - len(mistaken), replace=False, p=weight / weight.sum())
    at, storm = np.divmod(chosen, len(storms.share))
    after = np.clip(1.0 + rng.exponential(4.0, len(at)), 1.0, 30.0) * 3600.0
    time = storms.begin[storm] + after.astype("timedelta64[s]")
    names = [f"flood-{s}-{a:06d}" for s, a in zip(storm, at, strict=True)]
    blur = rng.uniform(10.0, 20.0, len(at))
    true = _events(spots.x[at], spots.y[at], time, names, category, _repaired(time, 3.0, rng), blur)
    true["depth_m"] = depth.ravel()[chosen]
    both = pd.concat([true, mistaken], ignore_index=True)
    return both.iloc[rng.permutation(len(both))].reset_index(drop=True)


def _leaks(world: World, count: int, rng: np.random.Generator) -> pd.DataFrame:
    spots = world.spots
    weight = spots.voice * (spots.depth < 0.05)
    at = rng.choice(len(weight), count, p=weight / weight.sum())
    time = _any_time(world.year, count, rng)
    names = [f"not-flood-{i + 1:04d}" for i in range(count)]
    table = _events(spots.x[at], spots.y[at], time, names, "leak", _repaired(time, 5.0, rng), 15.0)
    return table.assign(genuine=False)


def _dark_lamps(world: World, category: str, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return reports of dark lamps; about a tenth are of lamps that burn."""
    false = _burning_lamps(world, rng.binomial(count, 0.10), rng)
    outages = world.outages
    over = np.datetime64(f"{world.year + 1}-01-01", "s")
    start = outages["start"].to_numpy()
    end = outages["end"].to_numpy()
    lasts = (np.minimum(end, over) - start) / np.timedelta64(1, "s")
    weight = world.lamp_voice[outages["lamp"]] * (1.0 - np.exp(-lasts / (10 * 86400.0)))
    at = rng.choice(len(outages), count - len(false), p=weight / weight.sum())
    wait = rng.exponential(6 * 86400.0, len(at))
    wait = np.where(wait < lasts[at], wait, rng.uniform(0.0, 1.0, len(at)) * lasts[at] * 0.98)
    time = start[at] + wait.astype("timedelta64[s]")
    told = outages["recorded"].to_numpy()[at] & (end[at] < over)
    until = np.where(told, end[at], np.datetime64("NaT", "s"))
    lamp = outages["lamp"].to_numpy()[at]
    ids = world.lamps.ids
    names = [f"pju-{ids[i]}-{o}" for i, o in zip(lamp, outages["outage"].to_numpy()[at], strict=True)]
    true = _events(world.lamps.x[lamp], world.lamps.y[lamp], time, names, category, until, 8.0)
    both = pd.concat([true, false], ignore_index=True)
    return both.iloc[rng.permutation(len(both))].reset_index(drop=True)


def _burning_lamps(world: World, count: int, rng: np.random.Generator) -> pd.DataFrame:
    weight = world.lamp_voice / world.lamp_voice.sum()
    lamp = rng.choice(len(weight), 3 * count + 10, p=weight)
    time = _any_time(world.year, len(lamp), rng)
    dark = np.array([_dark(world.outages, i, t) for i, t in zip(lamp, time, strict=True)], dtype=bool)
    lamp, time = lamp[~dark][:count], time[~dark][:count]
    names = [f"false-pju-{i + 1:04d}" for i in range(len(lamp))]
    table = _events(
        world.lamps.x[lamp], world.lamps.y[lamp], time, names, "street_light", _repaired(time, 5.0, rng), 8.0
    )
    return table.assign(genuine=False)


def _dark(outages: pd.DataFrame, lamp: int, time: np.datetime64) -> bool:
    mine = outages[outages["lamp"] == lamp]
    return bool(((mine["start"] <= time) & (time < mine["end"])).any())


_EVENTS = {"flood": _floods, "street_light": _dark_lamps}


def _any_time(year: int, count: int, rng: np.random.Generator) -> NDArray[np.datetime64]:
    """Return times of the year: every day alike, by day more than by night."""
    begin, over = np.datetime64(f"{year}-01-01", "s"), np.datetime64(f"{year + 1}-01-01", "s")
    day = rng.integers(0, int((over - begin) / np.timedelta64(86400, "s")), count)
    hour = rng.choice(24, count, p=_HOURS / _HOURS.sum())
    return begin + (day * 86400 + hour * 3600 + rng.integers(0, 3600, count)).astype("timedelta64[s]")


def _repaired(time: NDArray[np.datetime64], mean_days: float, rng: np.random.Generator) -> NDArray[np.datetime64]:
    """Return when each was dealt with: after `mean_days` on average; one in ten never."""
    wait = (0.1 + rng.exponential(mean_days, len(time))) * 86400.0
    return np.where(rng.random(len(time)) < 0.10, np.datetime64("NaT", "s"), time + wait.astype("timedelta64[s]"))


def _again(first: pd.DataFrame, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return `count` further reports of the same incidents: minutes to ten days later, before they are dealt with."""
    last = first["time"].max() - pd.Timedelta(days=2)
    early = first[first["time"] < last]
    picked: pd.DataFrame = early.iloc[rng.integers(0, len(early), count)].reset_index(drop=True)
    wait = np.clip(rng.lognormal(np.log(6 * 3600.0), 1.8, count), 120.0, 10 * 86400.0)
    room = np.minimum(
        (picked["until"] - picked["time"]).dt.total_seconds().fillna(np.inf),
        (first["time"].max() - picked["time"]).dt.total_seconds(),
    )
    wait = np.minimum(wait, 0.8 * room.to_numpy())
    picked["time"] = picked["time"] + pd.to_timedelta(np.round(wait), unit="s")
    picked["kind"] = "duplicate"
    return picked


def _delivered(world: World, table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    angle, reach = rng.uniform(0, 2 * np.pi, len(table)), np.abs(rng.normal(0.0, table["blur_m"].to_numpy()))
    default = (table["kind"] == "default_point").to_numpy()
    x = np.where(default, world.default_point[0], table["x"] + reach * np.cos(angle))
    y = np.where(default, world.default_point[1], table["y"] + reach * np.sin(angle))
    lon, lat = world.frame.lonlat(x, y)
    table["bujur"], table["lintang"] = ([f"{value:.6f}" for value in values] for values in (lon, lat))
    table["waktu"] = table["time"].dt.strftime("%Y-%m-%d %H:%M:%S")
    table["uraian"] = _texts(world, table, rng)
    table["kedalaman_cm"] = _depths(table["depth_m"].to_numpy(), rng)
    as_of = table.loc[table["kind"] != "wrong_row", "time"].max()
    closed = (table["until"] <= as_of).to_numpy()
    young = (as_of - table["time"]) < pd.Timedelta(days=3)
    waiting = np.where(young | (rng.random(len(table)) < 0.3), "menunggu", "diproses")
    table["status"] = np.where(closed, "selesai", waiting)
    table["waktu_selesai"] = np.where(closed, table["until"].dt.strftime("%Y-%m-%d %H:%M:%S").fillna(""), "")
    _spoil(table, rng)
    return table


def _texts(world: World, table: pd.DataFrame, rng: np.random.Generator) -> list[str]:
    tree = cKDTree(np.column_stack([world.spots.x, world.spots.y]))
    spot = tree.query(table[["x", "y"]].to_numpy())[1]
    texts = []
    for key, depth, street in zip(table["text"], table["depth_m"], world.spots.street[spot], strict=True):
        pattern = TEXTS[key][int(rng.integers(len(TEXTS[key])))]
        says = np.isfinite(depth) and rng.random() < 0.5
        word = f" {depth_word(depth)}" if says else ""
        texts.append(pattern.format(road=world.streets[street].name, n=int(rng.integers(2, 9)), depth=word))
    return texts


def _depths(depth_m: Floats, rng: np.random.Generator) -> list[str]:
    """Return the depth in cm as four in ten guess it: within about a quarter, rounded to 5 cm."""
    guess = np.maximum(5.0, 5.0 * np.round(20.0 * depth_m * np.exp(rng.normal(0.0, 0.25, len(depth_m)))))
    told = np.isfinite(depth_m) & (rng.random(len(depth_m)) < 0.4)
    return [f"{value:.0f}" if tell_it else "" for value, tell_it in zip(guess, told, strict=True)]


def _spoil(table: pd.DataFrame, rng: np.random.Generator) -> None:
    """Turn the rows of kind wrong_row into what their `wrong` says; other rows have an empty `wrong`."""
    wrong = np.where(table["kind"] == "wrong_row", rng.choice(WRONG_ROWS, len(table)), "")
    lon, lat = table["bujur"].to_numpy(copy=True), table["lintang"].to_numpy(copy=True)
    table["wrong"] = wrong
    table["bujur"] = np.select(
        [wrong == "missing", wrong == "zero", wrong == "swapped", wrong == "far"],
        ["", "0.0", lat, [f"{float(v) - 10.8:.6f}" for v in lon]],
        lon,
    )
    table["lintang"] = np.select([wrong == "missing", wrong == "zero", wrong == "swapped"], ["", "0.0", lon], lat)
    table["waktu"] = np.where(wrong == "time", rng.choice(UNREADABLE_TIMES, len(table)), table["waktu"])
