"""Times of reports."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial.sources.times import carries_zone, parse_time

JAKARTA = ZoneInfo("Asia/Jakarta")


@pytest.mark.parametrize(
    "text",
    [
        "2017-02-20T07:58:22",
        "2017-02-20 07:58:22",
        "2017/02/20 07:58:22",
        "2017-02-20T00:58:22Z",
        "2017-2-20 7:58:22",
        "2017-02-20T00:58:22.000Z",
        "2017-02-20 01:58:22+0100",
        "2017-02-19T19:58:22-05:00",
        "2017-02-20 00:58:22 UTC",
        "2017-02-20T08:58:22+08",
    ],
)
def test_one_moment_in_many_forms(text: str) -> None:
    assert parse_time(text, JAKARTA) == datetime(2017, 2, 20, 0, 58, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        datetime(2017, 2, 20, 7, 0),
        pd.Timestamp("2017-02-20 07:00"),
        pd.Timestamp("2017-02-20 01:00", tz="Europe/Paris"),
        "2017-02-20 07:00",
    ],
)
def test_values_that_are_times_already(value: object) -> None:
    assert parse_time(value, JAKARTA) == datetime(2017, 2, 20, tzinfo=UTC)


def test_of_several_formats_the_first_that_fits_is_taken() -> None:
    forms = ("%d/%m/%Y %H:%M", "%m/%d/%Y %I:%M %p", "%d.%m.%Y")
    moment = datetime(2017, 2, 20, 7, 0, tzinfo=JAKARTA)
    assert parse_time("20/02/2017 07:00", JAKARTA, forms) == moment
    assert parse_time("02/20/2017 07:00 AM", JAKARTA, forms) == moment
    assert parse_time("20.02.2017", JAKARTA, forms) == moment.replace(hour=0)
    assert parse_time("2017-02-20 07:00", JAKARTA, forms) == moment
    assert parse_time("03/04/2017 07:00", JAKARTA, forms) == datetime(2017, 4, 3, 7, 0, tzinfo=JAKARTA)
    assert parse_time("20-02-2017", JAKARTA, forms) is None


def test_a_date_is_its_midnight_there() -> None:
    assert (
        parse_time("2017-02-20", JAKARTA)
        == parse_time(date(2017, 2, 20), JAKARTA)
        == datetime(2017, 2, 19, 17, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    "text",
    [
        "20/02/2017",
        "02/20/2017 07:58",
        "2017-13-01",
        "2017-02-30",
        "2017",
        "1487577502",
        "kemarin",
        "2017-02-20T25:00",
        "2017-02-20 07",
        "2017-02/20",
        "2017-02-20 07:58:22 WIB",
        "0001-01-01 00:00",
        20170220,
    ],
)
def test_what_is_ambiguous_or_no_time_is_none(text: object) -> None:
    assert parse_time(text, JAKARTA) is None


def test_a_stated_format_is_tried_first_then_iso() -> None:
    zone = ZoneInfo("America/Los_Angeles")
    expected = datetime(2014, 4, 30, 21, 51, 52, tzinfo=UTC)
    assert parse_time("04/30/2014 02:51:52 PM", zone, "%m/%d/%Y %I:%M:%S %p") == expected
    assert parse_time("2014-04-30 14:51:52", zone, "%m/%d/%Y %I:%M:%S %p") == expected


def test_of_an_hour_that_occurs_twice_the_first_is_taken() -> None:
    assert parse_time("2011-11-06 01:30", ZoneInfo("America/New_York")) == datetime(2011, 11, 6, 5, 30, tzinfo=UTC)


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_text_with_an_offset_round_trips(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_time(aware.isoformat(), JAKARTA) == aware
    assert parse_time(aware.isoformat(" "), JAKARTA) == aware


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 1, 1)))
def test_naive_text_is_seven_hours_ahead_in_jakarta(moment: datetime) -> None:
    parsed = parse_time(moment.isoformat(), JAKARTA)
    assert parsed is not None
    assert parsed.replace(tzinfo=None) + timedelta(hours=7) == moment


def test_which_times_carry_a_zone() -> None:
    zoned = ["2017-02-20T00:58Z", "2017-02-20 07:58+07", datetime(2017, 2, 20, tzinfo=UTC), "20.02.2017 +0700"]
    plain = ["2017-02-20 07:58", "2017-02-20", date(2017, 2, 20), datetime(2017, 2, 20), "yesterday"]
    assert [carries_zone(value, "%d.%m.%Y %z") for value in zoned] == [True] * 4
    assert not any(carries_zone(value) for value in plain)
