import pytest

from store.pace import Pace
from workers.progress import pace_message, time_left


def test_a_pace_reads_as_a_sentence() -> None:
    pace = Pace(n_users=962_179, users_written=412_000, users_per_second=24_098.7)
    assert pace_message(pace) == "412,000 of 962,179 users, 24,100 a second, 23 s left"


def test_an_unknown_pace_promises_nothing() -> None:
    assert pace_message(Pace(n_users=300, users_written=0, users_per_second=0)) == "0 of 300 users"


def test_what_is_filled_has_no_time_left() -> None:
    assert pace_message(Pace(n_users=300, users_written=300, users_per_second=50)).endswith("50 a second")


def test_a_slow_pace_is_not_rounded_to_nothing() -> None:
    assert "0.25 a second" in pace_message(Pace(n_users=3, users_written=1, users_per_second=0.25))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (3_570, "1 h 0 min"),
        (4_320, "1 h 12 min"),
        (3_500, "58 min"),
    ],
)
def test_time_left_is_told_in_one_or_two_units(seconds: float, words: str) -> None:
    assert time_left(seconds) == words
