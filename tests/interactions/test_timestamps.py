from datetime import date, datetime

import polars as pl
import pytest

from interactions.timestamps import parse_timestamps

NOON = datetime(2021, 8, 22, 12, 0, 0)


def parsed(value: object, form: str | None = None) -> object:
    return parse_timestamps(pl.Series([value]), form).item()


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2021-08-22", datetime(2021, 8, 22)),
        ("2021-08-22 12:00:00", NOON),
        ("2021-08-22T12:00:00", NOON),
        ("2021-08-22T12:00:00Z", NOON),
        ("2021-08-22T14:00:00+02:00", NOON),
        ("2021-08-22 12:00", NOON),
        ("2021-08-22T12:00:00.250", NOON.replace(microsecond=250_000)),
        ("1629633600", NOON),
        ("1629633600000", NOON),
        ("1629633600.5", NOON.replace(microsecond=500_000)),
        (1_629_633_600, NOON),
        (1_629_633_600_000, NOON),
        (date(2021, 8, 22), datetime(2021, 8, 22)),
        (NOON, NOON),
    ],
)
def test_usual_notations_are_read_as_utc(value: object, moment: datetime) -> None:
    assert parsed(value) == moment


@pytest.mark.parametrize(
    "value",
    ["22.08.2021", "08/22/2021", "2021-02-30", "2021-13-01", "21-08-22", "yesterday", "nan", "inf", "1e30"],
)
def test_what_is_no_time_is_null(value: str) -> None:
    assert parsed(value) is None


def test_a_declared_format_is_the_only_one_read() -> None:
    assert parsed("22.08.2021 12:00", "%d.%m.%Y %H:%M") == NOON
    assert parsed("2021-08-22", "%d.%m.%Y") is None


def test_a_declared_unit_overrides_the_size() -> None:
    assert parsed("5000", "ms") == datetime(1970, 1, 1, 0, 0, 5)
    assert parsed(5000, "s") == datetime(1970, 1, 1, 1, 23, 20)
    assert parsed("2021-08-22", "s") is None


def test_notations_may_mix_and_missing_ones_stay_missing() -> None:
    mixed = parse_timestamps(pl.Series(["2021-08-22", None, "1629633600", "2021-08-22T12:00:00Z"]))
    assert mixed.to_list() == [datetime(2021, 8, 22), None, NOON, NOON]


def test_zoned_datetimes_are_turned_into_utc() -> None:
    zoned = pl.Series([datetime(2021, 8, 22, 21)]).dt.replace_time_zone("Asia/Tokyo")
    assert parse_timestamps(zoned).to_list() == [NOON]
