import pytest
import redis

from store.keys import Keys
from store.schedule_notes import ScheduleNote, ScheduleNotes

DAY = 86_400.0


def note(since: float, expected: float = 0.0, mark: str = "0 3 * * * UTC") -> ScheduleNote:
    return ScheduleNote(mark, since, ("als",), expected=expected, gap_seconds=DAY)


@pytest.fixture
def notes(client: redis.Redis, keys: Keys) -> ScheduleNotes:
    return ScheduleNotes(client, keys)


def test_a_schedule_is_looked_after_since_it_was_first_asked_about(notes: ScheduleNotes) -> None:
    assert notes.look_after("nightly", note(100.0)).since == 100.0
    assert notes.look_after("nightly", note(200.0)).since == 100.0
    notes.look_after("weekly", note(150.0))
    notes.keep_only(["weekly"])
    assert notes.look_after("nightly", note(300.0)).since == 300.0
    assert notes.look_after("weekly", note(300.0)).since == 150.0


def test_another_mark_begins_afresh(notes: ScheduleNotes) -> None:
    notes.look_after("nightly", note(100.0))
    notes.settle("nightly", 150.0)
    fresh = note(200.0, mark="0 4 * * * UTC")
    assert notes.look_after("nightly", fresh) == fresh
    assert notes.all() == {"nightly": fresh}


def test_what_is_settled_stays_so(notes: ScheduleNotes) -> None:
    notes.look_after("nightly", note(100.0))
    notes.settle("nightly", 300.0)
    notes.settle("nightly", 200.0)
    assert notes.all()["nightly"].settled == 300.0


def test_a_run_is_expected_until_one_is_begun(notes: ScheduleNotes) -> None:
    notes.look_after("nightly", note(100.0, expected=200.0))
    assert notes.look_after("nightly", note(250.0, expected=200.0 + DAY)).expected == 200.0
    notes.expect("nightly", 150.0, 175.0)
    assert notes.all()["nightly"].expected == 200.0
    notes.expect("nightly", 200.0, 200.0 + DAY)
    assert notes.all()["nightly"].expected == 200.0 + DAY


def test_a_slower_clock_expects_nothing_that_is_settled(notes: ScheduleNotes) -> None:
    notes.look_after("nightly", note(100.0, expected=200.0))
    notes.expect("nightly", 200.0, 200.0 + DAY)
    notes.settle("nightly", 200.0)
    assert notes.look_after("nightly", note(198.0, expected=200.0)).expected == 200.0 + DAY


def test_a_run_begun_before_its_hour_hides_no_missed_one(notes: ScheduleNotes) -> None:
    notes.look_after("nightly", note(100.0, expected=200.0))
    notes.expect("nightly", 200.0 + DAY, 200.0 + 2 * DAY)
    assert notes.look_after("nightly", note(150.0, expected=200.0)).expected == 200.0


def test_nothing_is_noted_of_a_schedule_nobody_looks_after(notes: ScheduleNotes) -> None:
    notes.settle("nightly", 100.0)
    notes.expect("nightly", 100.0, 200.0)
    assert notes.all() == {}
