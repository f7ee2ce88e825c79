import gzip
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from api.app import create_app
from api.hot_route import HotRoute
from api.reports import FAILURES_A_MINUTE, Reports
from api.server import run
from store.embedded import free_port
from tests.api.caller import calling
from tests.api.conftest import READ
from tests.api.shop import Shop, list_of
from topshelf.errors import SettingsError
from topshelf.settings import Settings

DSN = "http://key@127.0.0.1:9/1"


class Capturing(Transport):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        event = envelope.get_event()
        assert event is not None
        self.events.append(dict(event))


class Broken(Transport):
    """Fails whenever something is to be sent."""

    def capture_envelope(self, envelope: Envelope) -> None:
        raise OSError("no route to host")


def reporting(settings: Settings, dsn: str = DSN) -> Settings:
    return settings.model_copy(update={"sentry_dsn": SecretStr(dsn)})


def raised(error: Exception) -> Exception:
    """An error with a traceback."""
    try:
        raise error
    except type(error) as caught:
        return caught


def test_an_error_arrives_with_its_title_route_model_and_a_hash_of_the_user(settings: Settings) -> None:
    transport = Capturing()
    reports = Reports(reporting(settings), transport)
    reports.failed(raised(ZeroDivisionError("by nought")), "GET /x", {"model": "als"}, user="somebody")
    [event] = transport.events
    [value] = event["exception"]["values"]
    assert (value["type"], value["value"]) == ("ZeroDivisionError", "by nought")
    assert value["stacktrace"]["frames"][-1]["function"] == "raised"
    assert event["tags"] == {"route": "GET /x", "model": "als"}
    assert event["environment"] == "production"
    assert len(event["user"]["id"]) == 16
    assert "somebody" not in json.dumps(event, default=str)


def test_the_hash_of_a_user_is_the_same_each_time_and_cannot_be_found_by_trying_ids(
    settings: Settings,
) -> None:
    transport = Capturing()
    other_tokens = settings.model_copy(update={"tokens_admin": (SecretStr("another"),)})
    for own, user in ((settings, "1"), (settings, "1"), (settings, "2"), (other_tokens, "1")):
        Reports(reporting(own), transport).failed(raised(ValueError("x")), "GET /x", {}, user=user)
    first, again, other, elsewhere = [event["user"]["id"] for event in transport.events]
    assert first == again
    assert len({first, other, elsewhere, sha256(b"1").hexdigest()[:16]}) == 4


def test_secrets_in_a_message_are_blotted_out(settings: Settings) -> None:
    transport = Capturing()
    Reports(reporting(settings), transport).failed(raised(ValueError("token read-token")), "GET /x", {})
    assert "read-token" not in json.dumps(transport.events, default=str)


def test_a_storm_of_errors_is_a_few_reports(settings: Settings) -> None:
    transport = Capturing()
    reports = Reports(reporting(settings), transport)
    for _ in range(5 * FAILURES_A_MINUTE):
        reports.failed(raised(ValueError("x")), "GET /x", {})
        reports.slow("GET /x", 2.0, {})
    reports.failed(raised(KeyError("x")), "GET /x", {})
    titles = [event.get("message", "an error") for event in transport.events]
    assert titles.count("an error") == FAILURES_A_MINUTE + 1
    assert titles.count("slow request: GET /x") == 1


def test_without_a_dsn_nothing_is_reported(settings: Settings) -> None:
    transport = Capturing()
    reports = Reports(settings, transport)
    reports.failed(raised(ValueError("x")), "GET /x", {})
    reports.close()
    assert transport.events == []


def test_a_report_that_fails_stays_here(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    reports = Reports(reporting(settings), Broken())
    reports.failed(raised(ValueError("x")), "GET /x", {})
    reports.slow("GET /x", 2.0, {})
    assert "no route to host" in caplog.text


@pytest.mark.parametrize("processes", [1, 2])
def test_a_dsn_that_is_none_is_refused_before_anything_starts(settings: Settings, processes: int) -> None:
    own = reporting(settings, "nonsense").model_copy(update={"api_processes": processes})
    for start in (Reports, run):
        with pytest.raises(SettingsError, match="TOPSHELF_SENTRY_DSN"):
            start(own)


def test_a_dsn_without_the_sdk_is_an_error_that_says_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    with pytest.raises(SettingsError, match=r"topshelf\[watch\]"):
        Reports(reporting(settings))


class Sink(ThreadingHTTPServer):
    """Takes what Sentry's client sends."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), SinkHandler)
        self.bodies: list[bytes] = []


class SinkHandler(BaseHTTPRequestHandler):
    server: Sink

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(gzip.decompress(body) if self.headers["Content-Encoding"] else body)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def failing(settings: Settings) -> FastAPI:
    """A reader one route of which fails, and one is slow."""
    app = create_app(settings)

    @app.get("/fails/{model_name}/{user_id}")
    async def fails(model_name: str, user_id: str) -> None:
        raise ZeroDivisionError(f"nothing for {model_name}")

    @app.get("/dawdles")
    def dawdles() -> None:
        time.sleep(settings.slow_request_seconds * 2)

    return app


def test_a_server_gets_what_failed_and_what_was_slow(stocked: Shop, settings: Settings, sink: Sink) -> None:
    own = reporting(settings, f"http://key@127.0.0.1:{sink.server_address[1]}/1")
    with calling(failing(own.model_copy(update={"slow_request_seconds": 0.05})), READ) as api:
        answer = api.get("/fails/als/7")
        assert answer.status_code == 500
        assert answer.json()["errors"][0]["error_key"] == "internal_error"
        api.get("/dawdles")
        api.get("/reco/als/abc")
    sent = b"".join(sink.bodies).decode()
    assert "nothing for als" in sent
    assert '"generation":"1"' in sent.replace('": "', '":"')
    assert "slow request: GET /dawdles" in sent
    assert "user_not_found" not in sent


@pytest.mark.parametrize("silent", [True, False], ids=["that never answers", "that is not there"])
def test_a_server_is_not_noticed(stocked: Shop, settings: Settings, silent: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1] if silent else free_port()
        with calling(failing(reporting(settings, f"http://key@127.0.0.1:{port}/1")), READ) as api:
            for _ in range(20):
                assert api.get("/fails/als/7").status_code == 500
                assert api.get("/reco/als/7").json()["items"] == list_of(7)[:10]


def test_what_fails_in_the_hot_route_is_reported_though_the_list_is_handed_out(
    stocked: Shop, settings: Settings, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("in the hot route")

    own = reporting(settings, f"http://key@127.0.0.1:{sink.server_address[1]}/1")
    with calling(create_app(own), READ) as api:
        monkeypatch.setattr(HotRoute, "_stored", fail)
        assert api.get("/reco/als/7").json()["items"] == list_of(7)[:10]
    sent = b"".join(sink.bodies).decode()
    assert "in the hot route" in sent
    assert "GET /reco/{model_name}/{user_id}" in sent
