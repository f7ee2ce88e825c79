"""Ready-made commands over several connections: sent without waiting, every answer read."""

from typing import Self

import redis
from redis.connection import Connection

from store.connection import store_errors


class CommandStream:
    """Sends RESP as it is given, over connections of a client's pool; to be used in a ``with`` block.

    One connection after the other gets a part; one that is to get its next part is waited for first. So no
    more than ``connections`` parts are on their way.

    Attributes:
        total: sum of the answers so far, which are integers.

    Raises:
        StoreUnavailable: Redis is away, or does not answer in time.
        NotEnoughRoom: it has reached ``maxmemory``.
        StoreError: it refused otherwise. Any of them may be about a part sent earlier.
    """

    def __init__(self, client: redis.Redis, connections: int) -> None:
        self.total = 0
        self._pool = client.connection_pool
        self._n_connections = connections
        self._connections: list[Connection] = []
        self._answers_due: list[int] = []
        self._turn = 0

    def __enter__(self) -> Self:
        return self

    @store_errors()
    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                for turn in range(len(self._connections)):
                    self._await_answers(turn)
        finally:
            self._let_go()

    @store_errors()
    def send(self, commands: bytes | memoryview, n_commands: int) -> None:
        """Send a part of a stream: ``n_commands`` whole commands."""
        turn = self._turn % self._n_connections
        self._turn += 1
        if turn == len(self._connections):
            self._connections.append(self._pool.get_connection())
            self._answers_due.append(0)
        self._await_answers(turn)
        self._answers_due[turn] = n_commands
        self._connections[turn].send_packed_command([commands])  # type: ignore[no-untyped-call]

    def _await_answers(self, turn: int) -> None:
        while self._answers_due[turn]:
            self.total += self._connections[turn].read_response(disable_decoding=True)
            self._answers_due[turn] -= 1

    def _let_go(self) -> None:
        """Give the connections back; those that owe answers are of no use to anybody and are closed."""
        for connection, due in zip(self._connections, self._answers_due, strict=True):
            if due:
                connection.disconnect()  # type: ignore[no-untyped-call]
            self._pool.release(connection)
        self._connections, self._answers_due = [], []
