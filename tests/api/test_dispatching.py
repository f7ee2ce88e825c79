import socket
import time
from collections.abc import Iterator

import pytest
import redis
from pydantic import SecretStr

from api.dispatching import Dispatcher
from store.dispatch import START_QUEUE
from topshelf.errors import StoreUnavailable
from topshelf.settings import Settings


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_each_message_has_an_id_of_its_own(settings: Settings, client: redis.Redis) -> None:
    dispatcher = Dispatcher(settings)
    dispatcher.start("j1")
    dispatcher.start("j1")
    messages = client.lrange(START_QUEUE, 0, -1)
    assert len(set(messages)) == 2


def test_a_broker_that_is_silent_is_given_up_in_seconds(settings: Settings, silent_port: int) -> None:
    dead = SecretStr(f"redis://127.0.0.1:{silent_port}/0")
    dispatcher = Dispatcher(settings.model_copy(update={"durable_url": dead}))
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        dispatcher.start("j1")
    assert time.monotonic() - started < 15


def test_a_broker_that_is_not_there_is_given_up_in_seconds(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    dispatcher = Dispatcher(
        settings.model_copy(update={"durable_url": SecretStr(f"redis://127.0.0.1:{port}/0")})
    )
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        dispatcher.start("j1")
    assert time.monotonic() - started < 15
