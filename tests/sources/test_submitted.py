"""A report that a client sends: what files must hold to, every fault named, and nothing lost by reading and writing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Transformer

from spatial.contracts import CATEGORIES, STATUSES
from spatial.errors import InputError
from spatial.sources.submitted import (
    DERIVED,
    OWN,
    check_derived,
    merged_values,
    new_values,
    read_place,
    read_properties,
    replaced_values,
    typed_back,
    usable_id,
)

CRS84 = CRS("OGC:CRS84")
CITY = (117.5, -3.32, 117.518, -3.302)
PLACE = (117.51, -3.31, 2)
HELD = new_values("r1", read_properties({"category": "road", "description": "hub 081234567890", "source": "x"}), PLACE)


def point(*pair: Any) -> dict[str, Any]:
    return {"type": "Point", "coordinates": list(pair)}


def test_own_and_derived_columns_are_all_of_the_contract() -> None:
    assert OWN == (
        "source", "category", "category_raw", "description", "status", "requested_datetime", "updated_datetime",
        "resolved_datetime", "depth_m",
    )  # fmt: skip
    assert {"cell", "kelurahan", "incident_id", "duplicate_of", "quality", "road_id", "lamp_id"} <= set(DERIVED)


def test_places_are_read_in_the_axis_order_of_their_crs() -> None:
    assert read_place(point(117.51, -3.3125), CRS84, CITY) == (117.51, -3.3125, 4)
    assert read_place(point(-3.3125, 117.51), CRS("EPSG:4326"), CITY) == (117.51, -3.3125, 4)
    east, north = Transformer.from_crs("EPSG:4326", "EPSG:32750", always_xy=True).transform(117.51, -3.3125)
    lon, lat, told = read_place(point(round(east, 3), round(north, 3)), CRS("EPSG:32750"), CITY)
    assert (lon, lat) == (pytest.approx(117.51, abs=1e-8), pytest.approx(-3.3125, abs=1e-8))
    assert told == 8  # millimetres


def test_a_place_outside_the_city_is_taken() -> None:
    assert read_place(point(110.5, -7), CRS84, CITY) == (110.5, -7.0, 1)


@pytest.mark.parametrize(
    ("geometry", "told"),
    [
        (None, "geometry: null"),
        ({"type": "LineString", "coordinates": [[0, 1], [1, 1]]}, "geometry"),
        (point(117.5, -3.3) | {"crs": {}}, "geometry"),
        (point(117.5), "two numbers"),
        (point(117.5, -3.3, 10), "two numbers"),
        (point("117.5", "-3.3"), "two numbers"),
        (point(True, False), "two numbers"),
        (point(float("nan"), -3.3), "two numbers"),
        (point(0, 0), "no place"),
        (point(181, -3.3), "±180"),
        (point(117.5, -91), "±90"),
        (point(-3.31, 117.51), "±90"),
        (point(500_000, 9_633_000), "±180"),
    ],
)
def test_what_is_no_place_is_refused(geometry: Any, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        read_place(geometry, CRS84, CITY)
    assert caught.value.field.startswith("geometry")


def test_a_swapped_place_is_refused_as_in_files() -> None:
    with pytest.raises(InputError, match="swapped"):
        read_place(point(47.02, 28.83), CRS84, (28.7, 46.9, 28.95, 47.1))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("category", "banjir", "one of waste, street_light, flood"),
        ("category", 3, "one of waste"),
        ("status", "Open", "one of open, closed"),
        ("requested_datetime", "2025-01-31", "RFC 3339"),
        ("requested_datetime", "2025-01-31T08:00:00", "RFC 3339"),
        ("requested_datetime", "2025-02-30T08:00:00Z", "RFC 3339"),
        ("requested_datetime", "٢٠٢٥-01-31T08:00:00Z", "RFC 3339"),
        ("requested_datetime", "0001-01-01T00:00:00+08:00", "RFC 3339"),
        ("requested_datetime", 1738310400, "RFC 3339"),
        ("depth_m", -0.1, "a number from 0"),
        ("depth_m", "0.5", "a number from 0"),
        ("depth_m", True, "a number from 0"),
        ("depth_m", float("nan"), "a number from 0"),
        ("depth_m", float("inf"), "a number from 0"),
        ("description", ["x"], "a text"),
        ("description", "a\x00b", "control character"),
        ("description", "x" * 10_001, "10000 characters"),
        ("bogus", 1, "expected of report_id, source"),
        ("decimals", 5, "is no property"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_what_was_expected(name: str, value: Any, expected: str) -> None:
    with pytest.raises(InputError, match=expected) as caught:
        read_properties({name: value})
    assert caught.value.field == name
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize("given", [None, [], "x"])
def test_properties_are_an_object(given: Any) -> None:
    with pytest.raises(InputError, match="an object"):
        read_properties(given)


def test_times_are_kept_in_utc_and_milliseconds() -> None:
    kept = read_properties({"requested_datetime": "2025-01-31t08:00:00.123987+08:00"})
    assert kept == {"requested_datetime": "2025-01-31T00:00:00.123Z"}


def test_a_report_that_cannot_have_been_is_refused() -> None:
    early = {"category": "road", "requested_datetime": "1989-12-31T23:59:59.000Z"}
    late = {"category": "road", "requested_datetime": (datetime.now(UTC) + timedelta(days=2)).isoformat()}
    solved = {"requested_datetime": "2025-01-02T00:00:00Z", "resolved_datetime": "2025-01-01T00:00:00Z"}
    for sent, field in ((early, "requested"), (late, "requested"), (solved | {"category": "road"}, "resolved")):
        with pytest.raises(InputError) as caught:
            new_values("r1", read_properties(sent), PLACE)
        assert caught.value.field == f"{field}_datetime"


def test_a_new_report_has_a_category_and_a_source() -> None:
    with pytest.raises(InputError, match=r"category: null; expected one of"):
        new_values("r1", read_properties({"category": None}), PLACE)
    made = new_values("r1", read_properties({"category": "road", "source": None}), PLACE)
    assert (made["source"], made["category_basis"], made["decimals"]) == ("api", "source", 2)


def test_a_new_flood_report_takes_the_depth_that_its_description_tells_as_files_do() -> None:
    text = "banjir setinggi 50 cm"
    made = new_values("r1", read_properties({"category": "flood", "description": text}), PLACE)
    assert made["depth_m"] == 0.5
    told = new_values("r1", read_properties({"category": "flood", "description": text, "depth_m": 0.1}), PLACE)
    assert told["depth_m"] == 0.1
    other = new_values("r1", read_properties({"category": "road", "description": text}), PLACE)
    assert other["depth_m"] is None


def test_replacing_takes_away_what_is_not_given_and_merging_keeps_it() -> None:
    given_ = read_properties({"category": "waste"})
    replaced = replaced_values(HELD, given_, PLACE)
    assert (replaced["category"], replaced["description"], replaced["source"]) == ("waste", None, "x")
    merged = merged_values(HELD, given_, PLACE)
    assert (merged["category"], merged["description"]) == ("waste", HELD["description"])
    assert merged_values(HELD, {"description": None}, PLACE)["description"] is None
    for name in ("category", "source"):
        with pytest.raises(InputError, match="null"):
            merged_values(HELD, {name: None}, PLACE)


def test_writing_back_the_public_text_keeps_the_text_as_it_was_told() -> None:
    public = {"category": "road", "description": "hub [telepon]"}
    assert HELD["description"] == "hub 081234567890"
    assert replaced_values(HELD, public, PLACE)["description"] == HELD["description"]
    assert merged_values(HELD, public, PLACE)["description"] == HELD["description"]
    assert replaced_values(HELD, public | {"description": "hub lurah"}, PLACE)["description"] == "hub lurah"


def test_a_category_that_a_person_changes_is_the_sources_word_and_not_a_guess() -> None:
    guessed = HELD | {"category_basis": "text"}
    assert merged_values(guessed, {"status": "closed"}, PLACE)["category_basis"] == "text"
    assert merged_values(guessed, {"category": "waste"}, PLACE)["category_basis"] == "source"


def test_read_only_columns_may_be_sent_back_but_not_changed() -> None:
    now, served = {"cell": "8a", "kelurahan": None, "report_id": "r1"}, {"cell": "8a", "kelurahan": "Uji"}
    check_derived({"cell": "8a", "kelurahan": None, "report_id": "r1", "category": "road"}, now, served)
    check_derived({"kelurahan": "Uji"}, now, served)
    for name, value in (("cell", "8b"), ("kelurahan", "Lain"), ("report_id", "r2"), ("road_distance_m", 3.0)):
        with pytest.raises(InputError, match="read-only") as caught:
            check_derived({name: value}, now, served)
        assert caught.value.field == name


def test_ids_of_clients_are_plain_and_hold_nothing_personal() -> None:
    assert usable_id("qlue:2024-0001~a.b_c") == "qlue:2024-0001~a.b_c"
    for bad in (None, 5, "", "a/b", "a b", "../x", ".x", "é", "x" * 101, "lapor:081234567890", "x'; DROP"):
        assert usable_id(bad) is None


def test_a_place_rounded_as_clients_write_it_is_no_move() -> None:
    assert typed_back((117.512345678, -3.31), (117.512346, -3.31, 6))
    assert not typed_back((117.512345678, -3.31), (117.512345, -3.31, 6))


texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2025, 1, 1), timezones=st.just(UTC))
properties = st.fixed_dictionaries(
    {"category": st.sampled_from(CATEGORIES)},
    optional={
        "source": texts.filter(bool),
        "category_raw": st.none() | texts,
        "description": st.none() | texts,
        "status": st.none() | st.sampled_from(STATUSES),
        "requested_datetime": st.none() | moments.map(datetime.isoformat),
        "depth_m": st.none() | st.floats(0, 100),
    },
)


@given(properties)
def test_what_is_kept_can_be_sent_back_and_changes_nothing(sent: dict[str, Any]) -> None:
    kept = new_values("r1", read_properties(sent), PLACE)
    back = {name: kept[name] for name in OWN}
    assert replaced_values(kept, read_properties(back), PLACE) == kept
    assert merged_values(kept, read_properties(back), PLACE) == kept
    assert merged_values(kept, {}, PLACE) == kept
