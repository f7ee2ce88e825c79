"""What a task tells while it runs; tests/system/test_flower.py has it read in Flower."""

from typing import Any

import pytest
from celery.exceptions import Ignore

from topshelf.errors import JobError, StoreError
from topshelf.settings import Settings
from workers import celery_app
from workers.celery_app import create_app
from workers.outcome import DONE, Outcome
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


def called(monkeypatch: pytest.MonkeyPatch, task: Any, settings: Settings) -> Any:
    monkeypatch.setitem(celery_app.TASKS, "topshelf.drain", task)
    app = create_app(settings)
    try:
        return app.tasks["topshelf.drain"]()
    finally:
        app.close()


def test_a_task_returns_its_sentence(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    assert repr(called(monkeypatch, lambda *_: Outcome("5 events drained"), settings)) == "5 events drained"
    assert called(monkeypatch, lambda *_: None, settings) is DONE


def test_a_task_that_gave_its_job_up_is_told_as_failed(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, told: Told
) -> None:
    with pytest.raises(Ignore, match="no room"):
        called(monkeypatch, lambda *_: Outcome("als: no room", failed=True), settings)
    assert told.events == [("task-failed", {"exception": "als: no room"})]


def test_an_error_with_a_secret_in_it_is_raised_without(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    def fails(*_: object) -> None:
        raise StoreError("cannot log in with sesame-4711")

    knowing = Settings.from_environment(settings.to_environment(), neptune_token="sesame-4711")
    with pytest.raises(JobError, match=r"^StoreError: cannot log in with \*+$"):
        called(monkeypatch, fails, knowing)
    with pytest.raises(StoreError, match="sesame-4711"):
        called(monkeypatch, fails, settings)
