import redis

from store.keys import Keys
from store.stocked import read_rows
from tests.store.stocking import USERS, Stocking, pack


def test_rows_come_in_the_order_asked_for_and_whole(
    client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    generation = stocking.open(n_items=2**20, k_store=30)
    lists = {user: tuple(range(position, position + 30)) for position, user in enumerate(USERS)}
    stocking.fill(generation, lists)
    asked = [USERS[3].encode(), b"stranger", USERS[-1].encode()]
    assert read_rows(client, keys, generation, asked) == [
        pack(lists[USERS[3]], 3), None, pack(lists[USERS[-1]], 3),
    ]  # fmt: skip


def test_a_generation_without_user_rows_stocks_nobody(
    client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    generation = stocking.open((), layout="segments")
    assert read_rows(client, keys, generation, [b"1"]) == [None]
