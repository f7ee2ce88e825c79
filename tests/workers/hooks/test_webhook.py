"""Notices to web addresses, against a real server."""

import base64
import hashlib
import hmac
import logging
import threading
from contextlib import suppress
from dataclasses import replace
from io import BufferedIOBase

import pytest
from pydantic import SecretStr, ValidationError

from store.job import Job
from store.night import ModelOutcome, NightlyRun
from tests.workers.hooks.recorded import recorded
from tests.workers.receiver import receiving
from topshelf.errors import NoticeUndelivered, SettingsError
from topshelf.settings import Settings
from workers.hooks.telling import TURN_LEASE_SECONDS, TURN_SECONDS
from workers.hooks.webhook import WebHook, webhooks
from workers.runtime import Runtime

KEY = b"thirty-two bytes of a secret key"


@pytest.fixture
def run(runtime: Runtime) -> NightlyRun:
    found = recorded(runtime, "nightly-2026-11-27")
    outcome = ModelOutcome("als", "refused", job="j", reason="too little", metrics={"NDCG@10": 0.1})
    return replace(
        found,
        models={"als": outcome},
        started="2026-11-27T03:00:00+00:00",
        finished="2026-11-27T03:01:30+00:00",
        state="failed",
        reason="als refused: too little",
    )


def test_an_address_is_told_what_happened(settings: Settings, run: NightlyRun) -> None:
    with receiving() as receiver:
        WebHook(receiver.url, settings).failed(run)
    [taken] = receiver.taken
    assert taken.path == "/hook?token=s3cret-of-the-address"
    assert taken.headers["content-type"] == "application/json"
    notice = taken.notice
    assert {name: notice[name] for name in ("event", "run", "schedule", "state", "duration_seconds")} == {
        "event": "failed",
        "run": "nightly-2026-11-27",
        "schedule": "nightly",
        "state": "failed",
        "duration_seconds": 90.0,
    }
    [model] = notice["models"]
    assert (model["model"], model["state"], model["metrics"]) == ("als", "refused", {"NDCG@10": 0.1})


def test_a_refusal_names_its_model(settings: Settings, runtime: Runtime, run: NightlyRun) -> None:
    job: Job = runtime.jobs.create("pipeline", "als")[0]
    with receiving() as receiver:
        WebHook(receiver.url, settings).refused(run, job)
    assert (receiver.taken[0].notice["event"], receiver.taken[0].notice["model"]) == ("refused", "als")


@pytest.mark.parametrize("secret", [KEY.decode(), "whsec_" + base64.b64encode(KEY).decode()])
def test_a_notice_is_signed_where_there_is_a_key(settings: Settings, run: NightlyRun, secret: str) -> None:
    signing = settings.model_copy(update={"webhook_secret": SecretStr(secret)})
    with receiving() as receiver:
        WebHook(receiver.url, signing).started(run)
        WebHook(receiver.url, settings).started(run)
    signed, unsigned = receiver.taken
    said = {name: signed.headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature")}
    content = f"{said['id']}.{said['timestamp']}.".encode() + signed.body
    digest = base64.b64encode(hmac.new(KEY, content, hashlib.sha256).digest()).decode()
    assert said["signature"] == f"v1,{digest}"
    assert said["id"] == "nightly-2026-11-27.started"
    assert "webhook-signature" not in unsigned.headers


@pytest.mark.parametrize("status", [302, 404, 503])
def test_an_answer_that_is_no_success_is_not_delivered(
    settings: Settings, run: NightlyRun, status: int
) -> None:
    with receiving() as receiver:
        receiver.status = status
        with pytest.raises(NoticeUndelivered, match=str(status)):
            WebHook(receiver.url, settings).succeeded(run)
    assert len(receiver.taken) == 1


def test_the_address_is_in_no_error_and_no_log(
    settings: Settings, run: NightlyRun, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with receiving() as receiver:
        known = settings.model_copy(update={"webhook_urls": (SecretStr(receiver.url),)})
        [hook] = webhooks(Runtime(known))
        hook.succeeded(run)
    with pytest.raises(NoticeUndelivered) as refused:
        hook.succeeded(run)
    assert "s3cret" not in f"{refused.value}{hook.name}{known!r}{caplog.text}"


def test_one_that_does_not_answer_in_time_is_not_delivered(settings: Settings, run: NightlyRun) -> None:
    answer = threading.Event()
    with receiving() as receiver:
        receiver.before_answer = answer.wait
        try:
            with pytest.raises(NoticeUndelivered, match=r"did not answer within 0\.2 s"):
                WebHook(receiver.url, settings.model_copy(update={"webhook_timeout_seconds": 0.2})).succeeded(
                    run
                )
        finally:
            answer.set()


def test_one_that_keeps_talking_without_an_answer_is_let_go(settings: Settings, run: NightlyRun) -> None:
    gone = threading.Event()

    def drip(answer: BufferedIOBase) -> None:
        with suppress(OSError):
            answer.write(b"HTTP/1.1 204 No Content\r\nx: ")
            for _ in range(100):
                answer.write(b"x")
                gone.wait(0.02)
            answer.write(b"\r\n\r\n")

    with receiving() as receiver:
        receiver.write_answer = drip
        with pytest.raises(NoticeUndelivered, match=r"did not answer within 0\.2 s"):
            WebHook(receiver.url, settings.model_copy(update={"webhook_timeout_seconds": 0.2})).succeeded(run)
        gone.set()


def test_what_follows_the_status_of_an_answer_is_not_read(settings: Settings, run: NightlyRun) -> None:
    with receiving() as receiver:
        receiver.write_answer = lambda answer: answer.write(
            b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\ncut short"
        )
        WebHook(receiver.url, settings).succeeded(run)
    assert receiver.events == ["succeeded"]


def test_a_notice_is_over_before_another_worker_takes_the_turn() -> None:
    with pytest.raises(ValidationError):
        Settings(webhook_timeout_seconds=TURN_LEASE_SECONDS - TURN_SECONDS)


def test_each_address_is_noted_under_a_name_of_its_own(settings: Settings) -> None:
    one, two = (WebHook(f"https://host/{token}", settings).name for token in "ab")
    assert one != two
    assert one == WebHook("https://host/a", settings).name


def test_bad_addresses_are_a_settings_error_that_shows_none() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment(
            {
                "TOPSHELF_WEBHOOK_URLS": "https://host/tokenA,ftp://tokenB,tokenC",
                "TOPSHELF_WEBHOOK_SECRET": "whsec_%tokenD",
            }
        )
    assert "TOPSHELF_WEBHOOK_URLS: address 2 is not of the form https://host/path" in str(refused.value)
    assert "TOPSHELF_WEBHOOK_SECRET: base64 is wanted behind whsec_" in str(refused.value)
    assert "token" not in str(refused.value)
