"""How fast a generation is being filled."""

from dataclasses import dataclass

import redis

from store.connection import store_errors
from store.keys import Keys

FIELDS = ("n_users", "users_written", "pace_users", "pace_from")


@dataclass(frozen=True)
class Pace:
    """Where the filling of a generation stands.

    Attributes:
        users_per_second: over the last half a minute to a minute, or since the work began or was taken up
            again after a pause; 0 while nothing is known.
    """

    n_users: int
    users_written: int
    users_per_second: float

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at this pace; None while nothing is known."""
        if not self.users_per_second:
            return None
        return max(0, self.n_users - self.users_written) / self.users_per_second


@store_errors()
def read_pace(client: redis.Redis, keys: Keys, model: str, generation: str) -> Pace:
    """The pace of a generation, by its own record and the server's clock."""
    with client.pipeline(transaction=True) as pipe:
        pipe.hmget(keys.generation(model, generation), *FIELDS)
        pipe.time()
        values, (seconds, microseconds) = pipe.execute()
    n_users, written, before, since_ms = (int(value or 0) for value in values)
    elapsed = seconds + microseconds / 1e6 - since_ms / 1000
    rate = max(0, written - before) / elapsed if since_ms and elapsed > 0 else 0.0
    return Pace(n_users, written, rate)
