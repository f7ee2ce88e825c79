import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from store.embedded import free_port
from topshelf.cli.http import get
from topshelf.errors import ReaderRefused, ServiceError


class Reader(HTTPServer):
    """Answers every GET with ``answer`` and notes what was asked."""

    answer: tuple[int, bytes] = (200, b"{}")
    asked: list[tuple[str, str | None]]


class Handler(BaseHTTPRequestHandler):
    server: Reader

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("X-Reco-Source", "knn")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


@pytest.fixture
def reader() -> Iterator[Reader]:
    with Reader(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def base(reader: Reader) -> str:
    return f"http://127.0.0.1:{reader.server_port}"


def test_the_body_and_the_headers_are_handed_on(reader: Reader) -> None:
    reader.answer = (200, b'{"items": [1, 2]}')
    answer = get(base(reader), "open-sesame", "reco", "als", "1", k=2, category=None)
    assert answer.body == {"items": [1, 2]}
    assert answer.headers["x-reco-source"] == "knn"
    assert reader.asked == [("/reco/als/1?k=2", "Bearer open-sesame")]


def test_odd_ids_stay_one_part_of_the_path(reader: Reader) -> None:
    get(base(reader), "t", "reco", "als", "a/b?c d", category="Film-Noir & more")
    assert reader.asked[0][0] == "/reco/als/a%2Fb%3Fc%20d?category=Film-Noir+%26+more"


def test_a_refusal_carries_the_readers_own_key_and_words(reader: Reader) -> None:
    error = {"error_key": "user_not_found", "error_message": "nobody", "error_loc": None}
    reader.answer = (404, json.dumps({"errors": [error]}).encode())
    with pytest.raises(ReaderRefused, match="nobody") as caught:
        get(base(reader), "t", "reco", "als", "x")
    assert caught.value.key == "user_not_found"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"errors": []}', b'{"errors": [{}]}', b"\xff"])
def test_an_error_in_another_shape_is_a_refusal_too(reader: Reader, body: bytes) -> None:
    reader.answer = (502, body)
    with pytest.raises(ReaderRefused, match="502") as caught:
        get(base(reader), "t", "reco")
    assert caught.value.key == "reader_refused"


def test_an_answer_that_is_not_json_is_an_error(reader: Reader) -> None:
    reader.answer = (200, b"<html>another service</html>")
    with pytest.raises(ServiceError, match="no reader answers"):
        get(base(reader), "t", "reco")


def test_nobody_there_is_an_error_that_says_what_to_start() -> None:
    with pytest.raises(ServiceError, match="topshelf up"):
        get(f"http://127.0.0.1:{free_port()}", "t", "reco")
