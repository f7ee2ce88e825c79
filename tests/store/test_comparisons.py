"""What an incremental run remembers of having found nobody."""

import redis

from store.comparisons import is_nobody_new, note_nobody_new
from store.keys import Keys
from tests.store.stocking import Stocking


def test_nobody_is_new_in_the_version_that_was_noted_for_that_base_alone(
    client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    base, other = stocking.live(), stocking.live()
    assert not is_nobody_new(client, keys, base, "d2")
    note_nobody_new(client, keys, base, "d2")
    assert is_nobody_new(client, keys, base, "d2")
    assert not is_nobody_new(client, keys, base, "d3")
    assert not is_nobody_new(client, keys, other, "d2")
