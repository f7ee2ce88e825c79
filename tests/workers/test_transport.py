"""Closing without a server: what ends a worker of kombu 5.7 does not end ours."""

from collections.abc import Iterator

import pytest
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.message import Message

from topshelf.settings import Settings
from workers.celery_app import create_app
from workers.transport import Transport


@pytest.fixture
def connection(settings: Settings) -> Iterator[Connection]:
    app = create_app(settings)
    with app.connection_for_read() as connection:
        yield connection
    app.close()


def delivered(connection: Connection) -> Message:
    """A message that is taken and not acknowledged."""
    queue = Queue("held", channel=connection.default_channel)
    queue.declare()
    with connection.Producer() as producer:
        producer.publish({"id": 1}, routing_key="held")
    message = queue.get()
    assert isinstance(message, Message)
    return message


def test_redis_urls_use_it_and_still_read_as_redis(connection: Connection) -> None:
    assert isinstance(connection.transport, Transport)
    assert connection.as_uri().startswith("redis://")


def test_a_message_is_acknowledged_and_one_left_over_put_back_while_connected(connection: Connection) -> None:
    delivered(connection).ack()
    held = delivered(connection)
    held.channel.close()
    with connection.channel() as channel:
        assert Queue("held", channel=channel).queue_declare(passive=True).message_count == 1


def test_a_channel_closes_and_a_message_is_let_go_after_the_transport_was_taken_away(
    connection: Connection,
) -> None:
    held = delivered(connection)
    connection._do_close_transport()
    held.channel._disconnect_pools()
    held.ack()
    held.channel.close()
