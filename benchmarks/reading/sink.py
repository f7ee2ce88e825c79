"""A stand-in for Sentry: takes every envelope and counts them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.reading.load import HOST


class Sink(ThreadingHTTPServer):
    """Counts what was posted to it."""

    daemon_threads = True

    def __init__(self) -> None:
        self.posts = 0
        super().__init__((HOST, 0), _Handler)

    @property
    def dsn(self) -> str:
        """Where a Sentry client sends."""
        return f"http://key@{HOST}:{self.server_address[1]}/1"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Sink

    def do_POST(self) -> None:
        """Take anything."""
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.posts += 1
        self.send_response(HTTPStatus.OK)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its signature
        """Say nothing."""


@contextmanager
def sentry_sink() -> Iterator[Sink]:
    """A sink that takes posts until the block ends."""
    with Sink() as sink:
        taking = threading.Thread(target=sink.serve_forever, name="sentry sink", daemon=True)
        taking.start()
        try:
            yield sink
        finally:
            sink.shutdown()
            taking.join()
