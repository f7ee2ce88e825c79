"""Hooks are told from the records of runs: at least once, whoever dies or is down."""

import itertools
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from store.embedded import free_port
from store.job import Job
from store.night import ModelOutcome, NightlyRun
from store.nights import Notice
from tests.waiting import wait_until
from tests.workers.hooks.recorded import recorded
from tests.workers.receiver import receiving
from topshelf.settings import Settings
from workers.dispatch import Dispatcher
from workers.hooks import configured, telling
from workers.hooks.hook import RunHook
from workers.hooks.telling import occurrences, settle, tell_hooks
from workers.runtime import Runtime
from workers.tasks.reconcile import reconcile

Begin = Callable[..., NightlyRun]


@pytest.fixture
def begin(runtime: Runtime) -> Begin:
    numbers = itertools.count(1)

    def begin_one(**given: str) -> NightlyRun:
        return recorded(runtime, f"nightly-2026-11-{next(numbers):02}", **given)

    return begin_one


def telling_to(settings: Settings, *urls: str) -> Runtime:
    return Runtime(settings.model_copy(update={"webhook_urls": tuple(SecretStr(url) for url in urls)}))


def told(runtime: Runtime, dispatcher: Dispatcher, condition: Callable[[], bool]) -> None:
    """Tell what is due, turn after turn, until a condition holds."""

    def is_so() -> bool:
        tell_hooks(runtime, dispatcher)
        return condition()

    wait_until(is_so, "the hooks told")


def test_what_is_told_of_a_run_follows_from_its_record(runtime: Runtime, begin: Begin) -> None:
    run = begin()
    assert [each.kind for each in occurrences(run)] == ["started"]
    runtime.nights.update(run.id, models={"als": ModelOutcome("als", "refused", job="j")})
    runtime.nights.finish(run.id, "failed")
    assert [each.name for each in occurrences(runtime.nights.get(run.id))] == [
        "started",
        "refused:j",
        "failed",
    ]
    assert [each.kind for each in occurrences(begin(state="skipped"))] == ["skipped"]


def test_every_event_is_told_once_and_the_run_is_closed(
    settings: Settings, dispatcher: Dispatcher, begin: Begin
) -> None:
    with receiving() as one, receiving() as two:
        runtime = telling_to(settings, one.url, two.url)
        run = begin()
        assert settle(runtime)
        tell_hooks(runtime, dispatcher)
        assert not settle(runtime)
        job, _ = runtime.jobs.create("pipeline", "als")
        runtime.nights.update(run.id, models={"als": ModelOutcome("als", "refused", job=job.id)})
        runtime.nights.finish(run.id, "failed")
        tell_hooks(runtime, dispatcher)
        tell_hooks(runtime, dispatcher)
        assert one.events == two.events == ["started", "refused", "failed"]
        assert not settle(runtime)
        assert runtime.nights.open() == []


def test_a_receiver_that_was_down_is_told_when_it_is_up(
    settings: Settings, dispatcher: Dispatcher, begin: Begin
) -> None:
    port = free_port()
    with receiving() as other:
        runtime = telling_to(settings, f"http://127.0.0.1:{port}/", other.url)
        run = begin()
        runtime.nights.finish(run.id, "succeeded")
        tell_hooks(runtime, dispatcher)
        assert other.events == ["started", "succeeded"]
    assert [notice.attempts for notice in runtime.nights.notices(run.id).values() if not notice.done] == [
        1,
        1,
    ]
    assert len(runtime.nights.open()) == 1
    with receiving(port) as receiver:
        told(runtime, dispatcher, lambda: len(receiver.taken) == 2)
        assert sorted(receiver.events) == ["started", "succeeded"]
    settle(runtime)
    assert runtime.nights.open() == []


def test_a_notice_is_not_tried_again_before_its_time(
    settings: Settings, dispatcher: Dispatcher, begin: Begin
) -> None:
    with receiving() as receiver:
        receiver.status = 500
        runtime = telling_to(settings, receiver.url)
        begin()
        tell_hooks(runtime, dispatcher)
        [(_, notice)] = runtime.nights.notices(runtime.nights.open()[0].id).items()
        assert (notice.attempts, notice.error) == (1, "the receiver answered with status 500")
        runtime.nights.note(
            runtime.nights.open()[0].id,
            f"{configured.hooks_of(runtime)[0].name}/started",
            Notice(attempts=1, next_epoch=notice.next_epoch + 3600),
        )
        tell_hooks(runtime, dispatcher)
        assert not settle(runtime)
    assert len(receiver.taken) == 1


def test_one_that_is_down_for_good_is_given_up(
    settings: Settings, dispatcher: Dispatcher, begin: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = telling_to(settings, f"http://127.0.0.1:{free_port()}/")
    run = begin()
    runtime.nights.finish(run.id, "succeeded")
    [hook] = configured.hooks_of(runtime)
    for event in ("started", "succeeded"):
        runtime.nights.note(run.id, f"{hook.name}/{event}", Notice(attempts=telling.MOST_ATTEMPTS - 1))
    tell_hooks(runtime, dispatcher)
    assert not settle(runtime)
    assert runtime.nights.open() == []
    assert "nobody tells it any more" in caplog.text


def test_a_teller_that_dies_before_it_noted_the_delivery_tells_again(
    runtime: Runtime, dispatcher: Dispatcher, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    class Fragile(RunHook):
        name = "fragile"

        def started(self, run: NightlyRun) -> None:
            heard.append("started")
            if len(heard) == 1:
                raise KeyboardInterrupt

    class Sturdy(RunHook):
        name = "sturdy"

        def started(self, run: NightlyRun) -> None:
            heard.append("sturdy")

        def refused(self, run: NightlyRun, job: Job) -> None:
            raise AssertionError("nobody was refused")

    monkeypatch.setattr(configured, "FACTORIES", (lambda _: [Fragile(), Sturdy()],))
    begin()
    with pytest.raises(KeyboardInterrupt):
        tell_hooks(runtime, dispatcher)
    told(runtime, dispatcher, lambda: len(heard) == 3)
    assert heard == ["started", "sturdy", "started"]


def test_while_one_process_tells_no_other_does(
    settings: Settings, dispatcher: Dispatcher, begin: Begin
) -> None:
    with receiving() as receiver:
        runtime = telling_to(settings, receiver.url)
        begin()
        receiver.before_answer = lambda: tell_hooks(telling_to(settings, receiver.url), dispatcher)
        tell_hooks(runtime, dispatcher)
    assert receiver.events == ["started"]


def test_the_reconciler_has_a_worker_tell_what_is_due(
    settings: Settings, dispatcher: Dispatcher, begin: Begin
) -> None:
    with receiving() as receiver:
        runtime = telling_to(settings, receiver.url)
        begin()
        reconcile(runtime, dispatcher)
        assert dispatcher.waiting("io") == 1
        waiting = runtime.durable.lrange("io", 0, -1)
    assert "topshelf.tell_hooks" in str(waiting)
    assert "s3cret" not in str(waiting)
