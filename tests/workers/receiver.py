"""A web address that takes notices, on loopback."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any

from store.embedded import free_port


@dataclass(frozen=True)
class Taken:
    """A notice as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def notice(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """What came to an address, which answers with ``status``, or what ``write_answer`` writes."""

    port: int
    status: int = 204
    taken: list[Taken] = field(default_factory=list)
    before_answer: Callable[[], object] = lambda: None
    write_answer: Callable[[BufferedIOBase], object] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=s3cret-of-the-address"

    @property
    def events(self) -> list[str]:
        return [taken.notice["event"] for taken in self.taken]


@contextmanager
def receiving(port: int | None = None) -> Iterator[Receiver]:
    """A receiver that listens during the block."""
    receiver = Receiver(port or free_port())

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.before_answer()
            receiver.taken.append(Taken(self.path, dict(self.headers.items()), body))
            if receiver.write_answer is not None:
                receiver.write_answer(self.wfile)
                return
            self.send_response(receiver.status)
            self.send_header("content-length", "0")
            self.send_header("location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", receiver.port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
