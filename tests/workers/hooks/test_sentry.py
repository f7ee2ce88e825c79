import pytest

from store.night import EndState, NightlyRun
from tests.topshelf.reports.capturing import Capturing, reporting
from topshelf.reports import Reports
from topshelf.settings import Settings
from workers.dispatch import Dispatcher
from workers.hooks.configured import hooks_of
from workers.hooks.sentry import SentryHook, sentry_hooks, slug_of
from workers.hooks.telling import tell_hooks
from workers.runtime import Runtime

RUN = "nightly-2026-11-27"


@pytest.fixture
def transport() -> Capturing:
    return Capturing()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return reporting(settings)


@pytest.fixture
def runtime(settings: Settings, transport: Capturing) -> Runtime:
    """A process of a worker; what it reports is kept."""
    return another(settings, transport)


def another(settings: Settings, transport: Capturing) -> Runtime:
    runtime = Runtime(settings)
    vars(runtime)["reports"] = Reports(settings, "worker", transport)
    return runtime


def begin(runtime: Runtime, run: str = RUN, cron: str = "0 3 * * *") -> NightlyRun:
    created, _ = runtime.nights.create(
        run,
        schedule="nightly",
        date=run[-10:],
        due="2026-11-27T02:00:00+00:00",
        cron=cron,
        timezone="Europe/Berlin",
        trigger="clock",
        models=("als",),
    )
    assert runtime.nights.begin_stage(run, created.stage, 60)
    return runtime.nights.get(run)


def end(runtime: Runtime, state: EndState, reason: str = "") -> NightlyRun:
    runtime.nights.finish(RUN, state, reason)
    return runtime.nights.get(RUN)


def test_a_run_checks_in_when_it_begins_and_when_it_is_over_with_what_it_took(
    runtime: Runtime, dispatcher: Dispatcher, transport: Capturing, settings: Settings
) -> None:
    begin(runtime)
    tell_hooks(runtime, dispatcher)
    end(runtime, "succeeded")
    tell_hooks(another(settings, transport), dispatcher)
    begun, over = transport.check_ins
    assert (begun["status"], over["status"]) == ("in_progress", "ok")
    assert begun["check_in_id"] == over["check_in_id"]
    assert begun["duration"] is None
    assert over["duration"] >= 0
    assert transport.events == []


def test_the_monitor_has_the_schedule_s_hour_zone_and_limits(runtime: Runtime, transport: Capturing) -> None:
    SentryHook(runtime).started(begin(runtime))
    [begun] = transport.check_ins
    assert begun["monitor_slug"] == slug_of(runtime.settings.key_prefix, "nightly")
    assert begun["monitor_config"] == {
        "schedule": {"type": "crontab", "value": "0 3 * * *"},
        "timezone": "Europe/Berlin",
        "checkin_margin": 10,
        "max_runtime": 360,
        "failure_issue_threshold": 1,
        "recovery_threshold": 1,
    }


def test_a_run_that_fails_checks_in_so_and_says_why_once(
    runtime: Runtime, dispatcher: Dispatcher, transport: Capturing
) -> None:
    begin(runtime)
    run = end(runtime, "failed", "als failed: the loss is not finite")
    tell_hooks(runtime, dispatcher)
    tell_hooks(runtime, dispatcher)
    assert [one["status"] for one in transport.check_ins] == ["in_progress", "error"]
    [event] = transport.events
    assert transport.titles == [f"nightly run {RUN} failed: als failed: the loss is not finite"]
    assert event["tags"] == {"service": "worker", "task": "nightly", "schedule": "nightly", "run": RUN}
    assert (event["level"], event["fingerprint"]) == ("error", ["nightly", "nightly", "failed"])
    SentryHook(runtime).failed(run)
    assert transport.events[0]["event_id"] == transport.events[1]["event_id"]


def test_a_run_that_was_skipped_counts_as_failed(runtime: Runtime, transport: Capturing) -> None:
    begin(runtime)
    SentryHook(runtime).skipped(end(runtime, "skipped", "nightly-2026-11-26 was still at work"))
    assert transport.check_ins[-1]["status"] == "error"
    assert transport.titles == [f"nightly run {RUN} skipped: nightly-2026-11-26 was still at work"]


def test_a_schedule_that_is_run_by_hand_alone_has_no_monitor(runtime: Runtime, transport: Capturing) -> None:
    SentryHook(runtime).started(begin(runtime, cron=""))
    assert transport.check_ins == []


def test_there_is_a_hook_only_where_there_is_somebody_to_tell(settings: Settings) -> None:
    assert [hook.name for hook in hooks_of(Runtime(settings))] == ["sentry"]
    assert not sentry_hooks(Runtime(reporting(settings, "")))


@pytest.mark.parametrize(
    ("prefix", "slug"),
    [
        ("ts:", "topshelf-nightly"),
        ("Shop/DE:", "topshelf-shop-de-nightly"),
        ("x" * 60, f"topshelf-{'x' * 41}"),
    ],
)
def test_deployments_that_share_a_project_have_monitors_of_their_own(prefix: str, slug: str) -> None:
    assert slug_of(prefix, "nightly") == slug
