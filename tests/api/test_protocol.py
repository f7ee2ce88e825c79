"""What a client sees of one connection, on a real server."""

import http.client
import inspect
import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.api.shop import Shop, list_of
from tests.api.test_server import serving
from topshelf.settings import Settings

LENGTH = re.compile(rb"content-length: (\d+)\r\n", re.IGNORECASE)


@pytest.fixture
def server(stocked: Shop, settings: Settings) -> Iterator[tuple[str, int]]:
    with serving(settings) as url:
        address = urlsplit(url)
        assert address.hostname
        assert address.port
        yield address.hostname, address.port


def request(path: str, *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: reader", "Authorization: Bearer read-token", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def answers(server: tuple[str, int], sent: bytes, n: int) -> list[tuple[bytes, bytes]]:
    """Heads and bodies of the first n answers, and nothing after them where the server closes."""
    with socket.create_connection(server, timeout=20) as connection:
        connection.sendall(sent)
        received = b""
        found: list[tuple[bytes, bytes]] = []
        while len(found) < n:
            head, end, rest = received.partition(b"\r\n\r\n")
            length = LENGTH.search(head + b"\r\n")
            if end and length and len(rest) >= int(length[1]):
                size = int(length[1])
                found.append((head, rest[:size]))
                received = rest[size:]
            else:
                more = connection.recv(65_536)
                assert more, f"closed after {found}"
                received += more
        return found


def test_requests_sent_at_once_are_answered_in_their_order(server: tuple[str, int]) -> None:
    """Lists from Redis, lists that must be made, the long way and an error, all on one connection."""
    once = ["/reco/als/7", "/reco/als/999", "/reco/als/8?k=3", "/reco/als/abc", "/health/live", "/reco/als/9"]
    paths = once * 20
    found = answers(server, b"".join(map(request, paths)), len(paths))
    for path, (head, body) in zip(paths, found, strict=True):
        assert head.startswith(b"HTTP/1.1 404" if "abc" in path else b"HTTP/1.1 200"), path
        user = path.rpartition("/")[2].partition("?")[0]
        if user.isdigit():
            assert b'"user_id":%b' % user.encode() in body


def test_an_answer_has_the_headers_of_http(server: tuple[str, int]) -> None:
    connection = http.client.HTTPConnection(*server, timeout=20)
    for _ in range(3):
        connection.request("GET", "/reco/als/7", headers={"Authorization": "Bearer read-token"})
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.headers["Date"]
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["X-Reco-Source"] == "cache"
        assert "Server" not in answer.headers
        assert str(list_of(7)[:10]).replace(" ", "").encode() in answer.read()
    connection.close()


@pytest.mark.parametrize("options", [{"version": "1.0"}, {}])
def test_a_client_that_wants_no_second_answer_is_let_go(
    server: tuple[str, int], options: dict[str, str]
) -> None:
    with socket.create_connection(server, timeout=20) as connection:
        headers = [] if options else ["Connection: close"]
        connection.sendall(request("/reco/als/7", *headers, **options))
        received = b""
        while more := connection.recv(65_536):
            received += more
    assert received.count(b"HTTP/1.1 200") == 1
    assert b"connection: close" in received


def test_a_body_on_a_get_does_no_harm(server: tuple[str, int]) -> None:
    sent = request("/reco/als/7", "Content-Length: 5") + b"hello" + request("/reco/als/8")
    first, second = answers(server, sent, 2)
    assert b'"user_id":7' in first[1]
    assert b'"user_id":8' in second[1]


def test_the_seam_in_uvicorn_is_where_it_was() -> None:
    """Without it everything works, at half the rate: see api/protocol.py."""
    assert list(inspect.signature(HttpToolsProtocol._start_asgi_task).parameters) == ["self", "cycle", "app"]


def test_somebody_who_hangs_up_disturbs_nobody(server: tuple[str, int]) -> None:
    for _ in range(20):
        with socket.create_connection(server, timeout=20) as connection:
            connection.sendall(request("/reco/als/999") + request("/reco/als/7"))
    [(head, _)] = answers(server, request("/reco/als/7"), 1)
    assert head.startswith(b"HTTP/1.1 200")
