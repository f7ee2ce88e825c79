"""kombu's Redis transport, whose channels outlive the server they are closed without.

A worker that loses its broker closes the connection twice, the second time after the transport was taken
from it; kombu 5.7 then wants to put back, or to acknowledge, messages over a connection that is none, and the
error ends the worker. What is left undone here the reconciler sends again.
"""

from typing import Any

from kombu import transport
from kombu.transport import redis

SCHEMES = ("redis", "rediss")


def install() -> None:
    """Have kombu take this transport for ``redis://`` and ``rediss://`` in this process."""
    transport.TRANSPORT_ALIASES.update(dict.fromkeys(SCHEMES, f"{__name__}:{Transport.__name__}"))
    for scheme in SCHEMES:
        # What was looked up before, by a plain client in the same process, is kept for good otherwise.
        transport._transport_cache.pop(scheme, None)


class QoS(redis.QoS):
    """The messages a channel has delivered and that are not acknowledged yet."""

    def restore_unacked(self, client: Any = None) -> None:
        if self._connected:
            super().restore_unacked(client)

    def ack(self, delivery_tag: str) -> None:
        if self._connected:
            super().ack(delivery_tag)

    @property
    def _connected(self) -> bool:
        connection = self.channel.connection
        return connection is not None and connection.client is not None


class Channel(redis.Channel):
    """A channel with such a :class:`QoS`."""

    QoS = QoS


class Transport(redis.Transport):
    """A transport of such channels."""

    Channel = Channel
