import socket
import threading
from collections.abc import Iterable, Iterator

import pytest
import redis

from store.connection import connect
from store.streaming import CommandStream
from topshelf.errors import NotEnoughRoom, StoreError, StoreUnavailable


def increments(key: bytes, times: int) -> bytes:
    return b"*2\r\n$4\r\nINCR\r\n$%d\r\n%b\r\n" % (len(key), key) * times


def send_all(client: redis.Redis, parts: Iterable[bytes]) -> None:
    """Send parts of two commands each."""
    with CommandStream(client, 2) as stream:
        for part in parts:
            stream.send(part, 2)


def busy(client: redis.Redis) -> int:
    return len(client.connection_pool._in_use_connections)


@pytest.mark.parametrize("connections", [1, 3])
def test_everything_is_sent_and_every_answer_counted(client: redis.Redis, connections: int) -> None:
    with CommandStream(client, connections) as stream:
        for _ in range(5):
            stream.send(increments(b"n", 4), 4)
    assert client.get("n") == b"20"
    assert stream.total == sum(range(1, 21))
    assert busy(client) == 0


def test_a_stream_with_nothing_in_it_takes_no_connection(client: redis.Redis) -> None:
    with CommandStream(client, 2):
        assert busy(client) == 0


@pytest.mark.parametrize("after", [0, 1, 5])
def test_what_redis_refuses_is_an_error_and_leaves_connections_usable(
    client: redis.Redis, after: int
) -> None:
    client.set("text", "abc")
    parts = [increments(b"n", 1) + increments(b"text", 1), *[increments(b"n", 2)] * after]
    with pytest.raises(StoreError, match="not an integer"):
        send_all(client, parts)
    assert busy(client) == 0
    assert [client.get("text") for _ in range(5)] == [b"abc"] * 5


def test_whoever_gives_up_leaves_no_answers_for_others(client: redis.Redis) -> None:
    def parts() -> Iterator[bytes]:
        yield increments(b"n", 2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send_all(client, parts())
    client.set("other", "abc")
    assert [client.get("other") for _ in range(5)] == [b"abc"] * 5
    assert busy(client) == 0


def test_a_full_server_is_not_enough_room(own_client: redis.Redis) -> None:
    own_client.config_set("maxmemory", "1")
    with pytest.raises(NotEnoughRoom, match="maxmemory"), CommandStream(own_client, 2) as stream:
        stream.send(increments(b"n", 3), 3)


@pytest.fixture
def hangs_up() -> Iterator[str]:
    """A server that takes what it is sent and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(100)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_server_that_hangs_up_is_unavailable(hangs_up: str) -> None:
    with (
        connect(hangs_up, timeout_seconds=2) as client,
        pytest.raises(StoreUnavailable),
        CommandStream(client, 1) as stream,
    ):
        stream.send(increments(b"n", 1), 1)
