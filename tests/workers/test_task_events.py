"""What a task tells while it runs; tests/system/test_flower.py has it read in Flower."""

from collections.abc import Callable
from typing import Any

import pytest
from celery.exceptions import Ignore

from topshelf.errors import JobError, StoreError
from topshelf.settings import Settings
from workers.binding import Task, bind
from workers.dispatch import Dispatcher
from workers.outcome import DONE, Outcome
from workers.runtime import Runtime
from workers.task_events import tell_failure, tell_progress


class Told:
    """A task at hand that notes the events it is asked to send."""

    request = type("Request", (), {"id": "a1"})

    def __init__(self, error: Exception | None = None) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.error = error

    def send_event(self, event: str, *, retry: bool, **fields: Any) -> None:
        if self.error is not None:
            raise self.error
        self.events.append((event, fields))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    task = Told()
    monkeypatch.setattr("workers.task_events.current_task", task)
    return task


def test_progress_is_a_share_and_a_message(told: Told) -> None:
    tell_progress("als: iteration 9 of 20", 0.45)
    tell_progress("waiting for room in Redis")
    assert told.events == [
        ("task-progress", {"result": "45 % · als: iteration 9 of 20"}),
        ("task-progress", {"result": "waiting for room in Redis"}),
    ]


def test_a_failure_is_a_sentence(told: Told) -> None:
    tell_failure("als: no room")
    assert told.events == [("task-failed", {"exception": "als: no room"})]


def test_a_broker_that_is_away_holds_nothing_up(told: Told) -> None:
    told.error = ConnectionRefusedError("nobody there")
    tell_progress("on and on", 0.5)


def test_nothing_is_told_outside_a_task() -> None:
    tell_progress("on and on", 0.5)


@pytest.fixture
def call(settings: Settings, dispatcher: Dispatcher) -> Callable[..., Outcome]:
    """Runs a function as the task that Celery would call; with settings that know a secret."""
    knowing = Settings.from_environment(settings.to_environment(), neptune_token="sesame-4711")

    def run(task: Task) -> Outcome:
        return bind("topshelf.drain", task, Runtime(knowing), dispatcher)()

    return run


def test_a_task_returns_its_sentence(call: Callable[..., Outcome]) -> None:
    assert repr(call(lambda *_: Outcome("5 events drained"))) == "5 events drained"
    assert call(lambda *_: None) is DONE


def test_a_task_that_gave_its_job_up_is_told_as_failed(call: Callable[..., Outcome], told: Told) -> None:
    with pytest.raises(Ignore, match="no room"):
        call(lambda *_: Outcome("als: no room for sesame-4711", failed=True))
    assert told.events == [("task-failed", {"exception": "als: no room for **********"})]


@pytest.mark.parametrize("words", ["the login sesame-4711 is refused", "the login is refused"])
def test_an_error_is_raised_without_the_secret_in_it(call: Callable[..., Outcome], words: str) -> None:
    def fails(*_: object) -> None:
        raise StoreError(words)

    with pytest.raises((JobError, StoreError)) as caught:
        call(fails)
    assert "refused" in str(caught.value)
    assert "sesame" not in str(caught.value)
    assert isinstance(caught.value, JobError) == ("sesame" in words)
