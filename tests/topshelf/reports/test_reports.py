import json
import logging
import sys
from hashlib import sha256
from typing import Any

import pytest
from pydantic import SecretStr

from tests.topshelf.reports.capturing import Broken, Capturing, reporting
from topshelf.errors import SettingsError
from topshelf.release import release
from topshelf.reports import Monitor, Place, Reports, check_reports
from topshelf.reports.rate import MOST_KINDS
from topshelf.reports.reports import FAILURES_A_MINUTE
from topshelf.reports.titles import LONGEST_TITLE
from topshelf.settings import Settings

ROUTE = "GET /reco/{model_name}/{user_id}"
PLACE = Place(ROUTE, {"route": ROUTE, "model": "als"})
NIGHTLY = Monitor("topshelf-nightly", "0 3 * * *", "Europe/Berlin", margin_minutes=10, most_minutes=360)


@pytest.fixture
def settings() -> Settings:
    return Settings(tokens_read=(SecretStr("read-token"),), tokens_admin=(SecretStr("admin-token"),))


@pytest.fixture
def transport() -> Capturing:
    return Capturing()


@pytest.fixture
def reports(settings: Settings, transport: Capturing) -> Reports:
    return Reports(reporting(settings), "reader", transport)


def raised(error: Exception) -> Exception:
    """An error with a traceback."""
    try:
        raise error
    except type(error) as caught:
        return caught


def test_an_error_arrives_with_its_title_place_origin_and_a_hash_of_the_user(
    reports: Reports, transport: Capturing
) -> None:
    reports.failed(raised(ZeroDivisionError("by nought")), PLACE, user="somebody")
    [event] = transport.events
    [value] = event["exception"]["values"]
    assert (value["type"], value["value"]) == ("ZeroDivisionError", "by nought")
    assert value["stacktrace"]["frames"][-1]["function"] == "raised"
    assert "vars" not in value["stacktrace"]["frames"][-1]
    assert event["tags"] == {"service": "reader", "route": ROUTE, "model": "als"}
    assert (event["transaction"], event["level"]) == (ROUTE, "error")
    assert (event["environment"], event["release"]) == ("production", f"topshelf@{release()}")
    assert event["server_name"]
    assert len(event["user"]["id"]) == 16
    assert "somebody" not in json.dumps(event)


def test_an_error_that_was_never_raised_has_a_title_and_its_group(
    reports: Reports, transport: Capturing
) -> None:
    reports.failed(ValueError("too little"), PLACE, level="warning", group=("gate", "als"))
    [event] = transport.events
    assert transport.titles == ["ValueError: too little"]
    assert (event["level"], event["fingerprint"]) == ("warning", ["gate", "als"])


def test_the_hash_of_a_user_is_the_same_each_time_and_cannot_be_found_by_trying_ids(
    settings: Settings, transport: Capturing
) -> None:
    other_tokens = settings.model_copy(update={"tokens_admin": (SecretStr("another"),)})
    for own, user in ((settings, "1"), (settings, "1"), (settings, "2"), (other_tokens, "1")):
        Reports(reporting(own), "reader", transport).failed(raised(ValueError("x")), PLACE, user=user)
    first, again, other, elsewhere = [event["user"]["id"] for event in transport.events]
    assert first == again
    assert len({first, other, elsewhere, sha256(b"1").hexdigest()[:16]}) == 4


class Odd(Exception):
    """An error that Sentry's client cannot look at."""

    @property
    def errno(self) -> int:
        raise RuntimeError("no number")


def test_an_error_that_cannot_be_put_into_words_keeps_nobody_from_going_on(
    reports: Reports, transport: Capturing, caplog: pytest.LogCaptureFixture
) -> None:
    reports.failed(Odd("odd"), PLACE)
    reports.failed(ValueError("plain"), PLACE)
    assert transport.titles == ["ValueError: plain"]
    assert "an error could not be reported" in caplog.text


def test_a_user_is_left_out_of_what_an_error_says(reports: Reports, transport: Capturing) -> None:
    reports.failed(raised(KeyError(4711)), PLACE, user="4711")
    reports.refused(404, "user_not_found", "'abc' is not a user id", PLACE, user="abc")
    assert transport.titles == [
        "KeyError: <user>",
        f"404 user_not_found on {ROUTE}: '<user>' is not a user id",
    ]


def test_secrets_are_blotted_out_wherever_they_stand(reports: Reports, transport: Capturing) -> None:
    error = raised(RuntimeError("admin-token is no good"))
    error.__cause__ = raised(ValueError("sent read-token"))
    place = Place("read-token", {"read-token": "read-token"}, {"job": {"params": {"a": ["admin-token"]}}})
    reports.failed(error, place, group=("admin-token",))
    reports.refused(401, "not_authenticated", "read-token is not known", place)
    reports.slow(place, 2.0)
    assert len(transport.events) == 3
    sent = json.dumps(transport.events)
    assert "read-token" not in sent
    assert "admin-token" not in sent
    assert "**********" in transport.titles[0]


def test_a_storm_of_errors_is_a_few_reports(reports: Reports, transport: Capturing) -> None:
    for _ in range(5 * FAILURES_A_MINUTE):
        reports.failed(raised(ValueError("x")), PLACE)
        reports.slow(PLACE, 2.0)
    reports.failed(raised(KeyError("x")), PLACE)
    assert transport.titles.count("ValueError: x") == FAILURES_A_MINUTE
    assert transport.titles.count("KeyError: 'x'") == 1
    assert transport.titles.count(f"slow request: {ROUTE}") == 1


def test_refused_requests_are_one_report_with_a_group_of_their_own(
    reports: Reports, transport: Capturing
) -> None:
    for _ in range(1000):
        reports.refused(401, "not_authenticated", "a token is wanted", PLACE)
        reports.refused(404, "user_not_found", "no such user", PLACE)
    assert transport.titles == [
        f"401 not_authenticated on {ROUTE}: a token is wanted",
        f"404 user_not_found on {ROUTE}: no such user",
    ]
    first = transport.events[0]
    assert first["fingerprint"] == ["401", "not_authenticated", ROUTE]
    assert (first["level"], first["tags"]["model"]) == ("warning", "als")


def test_the_next_report_says_how_many_were_held_back(settings: Settings, transport: Capturing) -> None:
    reports = Reports(reporting(settings, sentry_refused_seconds=1e-9), "reader", transport)
    reports.refused(401, "not_authenticated", "a token is wanted", PLACE)
    reports.refused(401, "not_authenticated", "a token is wanted", PLACE)
    assert [event["extra"]["held_back_before"] for event in transport.events] == [0, 0]


def test_what_is_held_back_in_the_end_is_counted_when_the_process_leaves(
    reports: Reports, transport: Capturing
) -> None:
    for _ in range(1000):
        reports.refused(401, "not_authenticated", "a token is wanted", PLACE)
    reports.close()
    first, last = transport.events
    assert transport.titles[1] == f"401 not_authenticated on {ROUTE}: 999 more since the last report"
    assert first["fingerprint"] == last["fingerprint"]
    assert last["extra"]["held_back_before"] == 999
    assert (last["transaction"], last["tags"]) == (ROUTE, {"service": "reader", "route": ROUTE})


def test_somebody_who_varies_everything_is_a_bounded_number_of_short_reports(
    reports: Reports, transport: Capturing
) -> None:
    for number in range(20 * MOST_KINDS):
        reports.refused(404, f"key {number}", "x" * 10_000, Place(f"GET /{number}"))
    assert len(transport.events) == MOST_KINDS + 1
    assert max(map(len, transport.titles)) == LONGEST_TITLE
    reports.close()
    assert transport.titles[-1] == "requests of many more kinds were refused"
    assert transport.events[-1]["extra"]["held_back_before"] == 19 * MOST_KINDS - 1


def test_refused_requests_are_not_told_where_nobody_wants_to_hear(
    settings: Settings, transport: Capturing
) -> None:
    reports = Reports(reporting(settings, sentry_refused_seconds=0), "reader", transport)
    reports.refused(401, "not_authenticated", "a token is wanted", PLACE)
    reports.close()
    assert transport.events == []


def test_a_slow_request_says_how_slow(reports: Reports, transport: Capturing) -> None:
    reports.slow(PLACE, 2.5, user="7")
    [event] = transport.events
    assert event["extra"] == {"milliseconds": 2500.0, "held_back_before": 0}
    assert (event["fingerprint"], event["transaction"]) == ([f"slow request: {ROUTE}"], ROUTE)
    assert event["user"]["id"]


def test_check_ins_of_one_run_are_one_whichever_process_sends_them(
    settings: Settings, transport: Capturing
) -> None:
    Reports(reporting(settings), "worker", transport).check_in(NIGHTLY, "2026-11-27", "in_progress")
    Reports(reporting(settings), "worker", transport).check_in(NIGHTLY, "2026-11-27", "ok", 12.5)
    Reports(reporting(settings), "worker", transport).check_in(NIGHTLY, "2026-11-28", "error", 1.0)
    first, last, other = transport.check_ins
    assert first["check_in_id"] == last["check_in_id"] != other["check_in_id"]
    assert (first["status"], last["status"], other["status"]) == ("in_progress", "ok", "error")
    assert (first["duration"], last["duration"]) == (None, 12.5)
    assert first["monitor_slug"] == "topshelf-nightly"
    assert first["monitor_config"] == {
        "schedule": {"type": "crontab", "value": "0 3 * * *"},
        "timezone": "Europe/Berlin",
        "checkin_margin": 10,
        "max_runtime": 360,
        "failure_issue_threshold": 1,
        "recovery_threshold": 1,
    }
    assert (first["environment"], first["release"]) == ("production", f"topshelf@{release()}")


def test_without_a_dsn_nothing_is_reported(settings: Settings, transport: Capturing) -> None:
    reports = Reports(settings, "reader", transport)
    report_everything(reports)
    reports.close()
    assert transport.events == transport.check_ins == []


def test_a_report_that_fails_stays_here(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    reports = Reports(reporting(settings), "reader", Broken())
    with caplog.at_level(logging.ERROR):
        report_everything(reports)
    assert caplog.text.count("OSError: no route to host") == 4


def test_a_dsn_that_is_none_is_refused(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="TOPSHELF_SENTRY_DSN: not a DSN"):
        check_reports(reporting(settings, "nonsense"))


def test_a_dsn_without_the_sdk_is_an_error_that_says_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    check_reports(settings)
    with pytest.raises(SettingsError, match=r"topshelf\[watch\]"):
        check_reports(reporting(settings))


def report_everything(reports: Reports) -> None:
    """One report of each kind."""
    calls: list[Any] = [
        lambda: reports.failed(raised(ValueError("x")), PLACE),
        lambda: reports.refused(401, "not_authenticated", "a token is wanted", PLACE),
        lambda: reports.slow(PLACE, 2.0),
        lambda: reports.check_in(NIGHTLY, "2026-11-27", "in_progress"),
    ]
    for call in calls:
        call()
