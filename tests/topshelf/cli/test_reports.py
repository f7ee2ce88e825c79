import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from store.embedded import free_port
from tests.topshelf.cli.outcome import Topshelf

KEY = "the-key-of-a-project"


class Server(ThreadingHTTPServer):
    """Answers whatever is posted with one status and body."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.body = status, body
        self.posted: list[tuple[str, str, bytes]] = []

    @property
    def dsn(self) -> str:
        return f"http://{KEY}@127.0.0.1:{self.server_address[1]}/7"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.path, self.headers["X-Sentry-Auth"], body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    status, body = request.param
    with Server(status, body) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("server", [(200, b'{"id": "x"}')], indirect=True)
def test_one_event_is_sent_and_the_answer_shown(
    topshelf: Topshelf, environ: Callable[..., None], server: Server
) -> None:
    environ(sentry_dsn=server.dsn, sentry_environment="staging")
    shown = topshelf("report-test")
    assert shown.exit_code == 0
    assert (
        f"/api/7/envelope/, environment staging\nthe server answered 200 {server.body.decode()}" in shown.out
    )
    told = json.loads(topshelf("report-test", "--json").out)
    assert told["answer"] == '200 {"id": "x"}'
    [(path, authorization, _), (_, _, body)] = server.posted
    assert path == "/api/7/envelope/"
    assert f"sentry_key={KEY}" in authorization
    header, item, event = (json.loads(line) for line in body.splitlines())
    assert (item["type"], header["event_id"]) == ("event", told["event"])
    assert event["message"].startswith("a report on purpose")
    assert (event["environment"], event["level"]) == ("staging", "info")
    assert KEY not in shown.out


@pytest.mark.parametrize("server", [(403, b"no such project")], indirect=True)
def test_a_server_that_takes_nothing_is_an_error_with_its_answer(
    topshelf: Topshelf, environ: Callable[..., None], server: Server
) -> None:
    environ(sentry_dsn=server.dsn)
    ended = topshelf("report-test")
    assert ended.exit_code == 7
    assert "403 no such project" in ended.err
    assert KEY not in ended.err


def test_nobody_there_is_an_error_with_the_address(topshelf: Topshelf, environ: Callable[..., None]) -> None:
    port = free_port()
    environ(sentry_dsn=f"http://{KEY}@127.0.0.1:{port}/7")
    ended = topshelf("report-test")
    assert ended.exit_code == 7
    assert f"nobody takes reports at http://127.0.0.1:{port}/api/7/envelope/" in ended.err
    assert KEY not in ended.err


def test_without_a_dsn_or_the_sdk_it_says_what_is_missing(
    topshelf: Topshelf, environ: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = topshelf("report-test")
    assert (ended.exit_code, "TOPSHELF_SENTRY_DSN is not set" in ended.err) == (2, True)
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    environ(sentry_dsn=f"http://{KEY}@127.0.0.1:1/7")
    ended = topshelf("report-test")
    assert (ended.exit_code, "topshelf[watch]" in ended.err) == (2, True)
