"""What a zone's page and the ranked list say of a zone: where and how bad, why it is there, how sure, what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.labels import Reader
from services.messages import TEXTS
from services.tables import score_parts
from spatial.contracts import Layer

ZONE_LAYERS = ("flood_zones", "lighting_zones")


@dataclass(frozen=True, slots=True)
class Story:
    """A zone told to a person; every text is in the reader's language.

    `parts` hold label, value and told value of each part of the score; `sure` holds title, text and explanation (which
    may be empty) of each statement.
    """

    identifier: str
    severity: str
    severity_label: str
    rank: int | None
    rank_of: int
    score: str
    why: str
    parts: tuple[tuple[str, float, str], ...]
    sure: tuple[tuple[str, str, str], ...]
    change: str
    trend: str
    roads: str
    last_report: str


def story_of(layer: Layer, properties: Mapping[str, Any], manifest: Mapping[str, Any], reader: Reader) -> Story:
    """Return what there is to tell of a zone; a null is told with its reason from the manifest."""
    told = _Teller(layer, properties, manifest, reader)
    parts = score_parts(properties.get("explanation_parts"), reader)
    severity = str(properties["severity"])
    return Story(
        identifier=str(properties[layer.id_column]),
        severity=severity,
        severity_label=reader.value(severity),
        rank=properties.get("priority_rank"),
        rank_of=manifest["layers"][layer.name]["rows"],
        score=told("score"),
        why=told(f"explanation_{reader.lang}"),
        parts=tuple((label, value, reader.share(value)) for label, value in parts),
        sure=tuple(_sure(told)),
        change=_change(told),
        trend=told("trend"),
        roads=told("road_length_m"),
        last_report=told("last_report"),
    )


@dataclass(frozen=True, slots=True)
class _Teller:
    layer: Layer
    properties: Mapping[str, Any]
    manifest: Mapping[str, Any]
    reader: Reader

    def __call__(self, name: str) -> str:
        value = self.properties.get(name)
        if value is None:
            reason = self.manifest["layers"][self.layer.name]["null_because"].get(name)
            return f"– ({reason[self.reader.lang]})" if reason else "–"
        column = next(column for column in self.layer.columns if column.name == name)
        return self.reader.formatter(column)(value)


def _sure(told: _Teller) -> list[tuple[str, str, str]]:
    texts = TEXTS[told.reader.lang]
    seen = f"{told('n_reports')} {texts.reports}, {told('n_incidents')} {texts.incidents}"
    known = told.properties.get("p_value") is not None
    rows = [(texts.p_value, told("p_value"), texts.p_explained if known else ""), (texts.evidence, seen, "")]
    if told.layer.name == "flood_zones":
        return [*rows, calibration(told.manifest, told.reader)]
    cause = told("cause")
    if told.properties.get("cause_probability") is not None:
        cause += f" ({told('cause_probability')})"
    return [*rows, (texts.cause, cause, "")]


def _change(told: _Teller) -> str:
    texts = TEXTS[told.reader.lang]
    counts = {texts.gained: "members_gained", texts.lost: "members_lost"}
    moved = [f"{told(name)} {words}" for words, name in counts.items() if told.properties.get(name)]
    changed = told("change")
    return changed if told.properties.get("change") in (None, "new", "unchanged") else ", ".join([changed, *moved])


def calibration(manifest: Mapping[str, Any], reader: Reader) -> tuple[str, str, str]:
    """Return that it is about the flood score, whether that is calibrated, and why, with the AUC where measured."""
    texts = TEXTS[reader.lang]
    skill = (manifest.get("skill") or {}).get("flood_score")
    if isinstance(skill, Mapping):
        auc = skill["auc"]
        span = [reader.number(auc[key]) for key in ("value", "low", "high") if auc.get(key) is not None]
        figure = f" (AUC {span[0]}{f'; {span[1]} – {span[2]}' if len(span) == 3 else ''})" if span else ""
        mark = texts.calibrated if skill["calibrated"] else texts.not_calibrated
        return texts.flood_score, mark, skill[f"reason_{reader.lang}"] + figure
    told = (row[reader.lang] for row in manifest["left_out"] if row["code"] == "not_calibrated")
    lacks = ((text.partition(": ")[2] or text).rstrip(".") for text in told)
    return texts.flood_score, texts.not_calibrated, next(lacks, "")
