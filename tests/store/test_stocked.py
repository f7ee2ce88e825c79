import redis

from store.keys import Keys
from store.stocked import read_rows, read_scores
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


def test_scores_come_item_by_item(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    generation = stocking.open(n_items=2**20, k_store=30, score_width=2)
    lists = dict.fromkeys(USERS, tuple(range(30))) | {USERS[1]: (4, 2), USERS[2]: ()}
    stocking.fill(generation, lists)
    asked = [user.encode() for user in (*USERS[:3], "stranger")]
    assert read_rows(client, keys, generation, asked) == [
        pack(range(30), 3), pack((4, 2), 3), b"", None
    ]  # fmt: skip
    assert list(map(list, read_scores(client, keys, generation, asked))) == [
        [item / 2 for item in range(30)], [2.0, 1.0], [], []
    ]  # fmt: skip


def test_rows_without_scores_have_none(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    assert read_scores(client, keys, stocking.live(), [USERS[0].encode()]) == [()]


def test_a_generation_without_user_rows_stocks_nobody(
    client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    generation = stocking.open((), layout="segments")
    assert read_rows(client, keys, generation, [b"1"]) == [None]
