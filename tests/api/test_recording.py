"""What a recording shows of a coroutine, and that it leaves the coroutine alone."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from api.recording import MOST_RECORDS, Recording

EVERY_FORM = ["html", "speedscope", "text"]


def count_digits(up_to: int) -> int:
    return sum(len(str(number)) for number in range(up_to))


async def asked_of_redis() -> None:
    await asyncio.sleep(0.001)


async def handled() -> None:
    count_digits(2_000)
    await asked_of_redis()
    count_digits(2_000)


def recorded(handling: Callable[[], Coroutine[Any, Any, None]]) -> Recording:
    recording = Recording()

    async def run() -> None:
        await recording.of(handling())

    asyncio.run(run())
    return recording


def text_of(recording: Recording) -> str:
    return recording.render("text", "GET /reco", 0.0)


def test_a_recording_shows_what_ran_and_where_it_waited() -> None:
    text = text_of(recorded(handled))
    assert "GET /reco" in text
    for name in ("handled", "count_digits", "asked_of_redis", "[await]"):
        assert name in text
    assert "setstatprofile" not in text


def test_time_is_neither_lost_nor_counted_twice() -> None:
    recording = recorded(handled)
    assert sum(record.seconds for record in recording.records) == pytest.approx(recording.seconds)
    waited = sum(record.seconds for record in recording.records if record.waiting)
    assert recording.running_seconds == pytest.approx(recording.seconds - waited)
    assert waited >= 0.001


@pytest.mark.parametrize("form", EVERY_FORM)
def test_a_coroutine_too_short_for_a_sample_is_shown_all_the_same(form: Any) -> None:
    async def nothing() -> None:
        """Ends at once."""

    assert "nothing" in recorded(nothing).render(form, "", 0.0)


def test_speedscope_gets_json() -> None:
    shown = json.loads(recorded(handled).render("speedscope", "GET /reco", 0.0))
    assert "count_digits" in {frame["name"] for frame in shown["shared"]["frames"]}


def test_a_method_is_shown_with_its_class() -> None:
    class Shelf:
        async def look(self) -> None:
            count_digits(5_000)

    assert "Shelf.look" in text_of(recorded(Shelf().look))


def test_other_coroutines_neither_show_nor_are_watched() -> None:
    watched: list[object] = []
    quiet, busy = Recording(), Recording()

    async def waiting() -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def neighbour() -> None:
        for _ in range(20):
            watched.append(sys.getprofile())
            count_digits(500)
            await asyncio.sleep(0)

    async def run() -> None:
        other = asyncio.create_task(neighbour())
        await asyncio.gather(_awaiting(quiet.of(waiting())), _awaiting(busy.of(handled())), other)

    asyncio.run(run())
    assert set(watched) == {None}
    assert "count_digits" not in text_of(quiet)
    assert "count_digits" in text_of(busy)
    assert "waiting" not in text_of(busy)


async def _awaiting(it: Awaitable[None]) -> None:
    await it


def test_an_error_comes_through_and_what_led_to_it_is_shown() -> None:
    recording = Recording()

    async def failing() -> None:
        await asked_of_redis()
        raise LookupError("no such list")

    async def run() -> None:
        await recording.of(failing())

    with pytest.raises(LookupError, match="no such list"):
        asyncio.run(run())
    assert "asked_of_redis" in text_of(recording)
    assert sys.getprofile() is None


def test_a_cancellation_reaches_the_coroutine_and_may_be_survived() -> None:
    said: list[str] = []

    async def stubborn() -> None:
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            said.append("cancelled")
        await asyncio.sleep(0)
        said.append("survived")

    async def run() -> None:
        task = asyncio.create_task(_awaiting(Recording().of(stubborn())))
        await asyncio.sleep(0)
        task.cancel()
        await task

    asyncio.run(run())
    assert said == ["cancelled", "survived"]


def test_a_profiler_that_is_there_already_is_left_alone() -> None:
    def theirs(*_: object) -> None:
        """A profiler of somebody else's."""

    sys.setprofile(theirs)
    try:
        recording = recorded(handled)
        assert sys.getprofile() is theirs
    finally:
        sys.setprofile(None)
    assert "asked_of_redis" in text_of(recording)


def test_a_recording_does_not_grow_without_end() -> None:
    async def restless() -> None:
        for _ in range(2 * MOST_RECORDS):
            await asyncio.sleep(0)

    recording = recorded(restless)
    assert len(recording.records) == MOST_RECORDS
    assert sum(record.seconds for record in recording.records) == pytest.approx(recording.seconds)


def test_samples_grow_rarer_in_a_long_step() -> None:
    async def busy() -> None:
        count_digits(300_000)

    recording = recorded(busy)
    assert len(recording.records) < 2_000
