"""Every enumeration of the published layers, lower-case English, with bilingual labels of the categories."""

from __future__ import annotations

from collections.abc import Mapping

CATEGORIES = ("waste", "street_light", "flood", "drainage", "tree", "mobility", "road", "social_aid", "other")
CATEGORY_LABELS: Mapping[str, tuple[str, str]] = {
    "waste": ("sampah", "waste"),
    "street_light": ("PJU rusak", "broken street light"),
    "flood": ("banjir", "flood"),
    "drainage": ("drainase", "drainage"),
    "tree": ("tanaman bermasalah", "problem tree"),
    "mobility": ("mobilitas dan akses", "mobility and access"),
    "road": ("jalan rusak", "damaged road"),
    "social_aid": ("bantuan sosial", "social aid"),
    "other": ("lainnya", "other"),
}
CATEGORY_BASES = ("source", "constant", "text", "none")
STATUSES = ("open", "closed")
QUALITY_FLAGS = ("duplicate", "default_location", "outside_area", "time_unknown", "location_rounded")
CLASSES = ("low", "medium", "high")
SEVERITIES = ("low", "medium", "high")
TRENDS = ("rising", "steady", "falling")
CAUSES = ("circuit", "independent", "unknown")
CHANGES = ("new", "grown", "shrunk", "split", "merged", "unchanged")
EXPOSURE_BASES = ("background_reports", "road_length_m", "lit_road_length_m", "lamps", "none")
FAULT_KINDS = ("circuit", "lamp")
LAMP_KINDS = ("wired", "solar")
LAMP_BASES = ("inventory", "osm", "inferred", "none")
DISTANCE_BASES = ("network", "plane")
HOT_CLASSES = (
    "new",
    "consecutive",
    "intensifying",
    "persistent",
    "diminishing",
    "sporadic",
    "oscillating",
    "historical",
)
COLD_CLASSES = tuple(f"{name}_cold" for name in HOT_CLASSES)  # only where [emerging] cold asks for them
NO_PATTERN = "no_pattern"
EMERGENCES = (*HOT_CLASSES, *COLD_CLASSES, NO_PATTERN)
ZONE_TYPES = ("flood", "lighting")
