import redis

from store.keys import Keys
from store.stocked import read_lists, read_rows, read_scores
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


def test_lists_are_the_deltas_else_the_bases(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    base = stocking.live(1)
    delta = stocking.live_delta(base, 2, [*USERS[:2], "newcomer"])
    asked = [USERS[0].encode(), USERS[5].encode(), b"newcomer", b"stranger"]
    found = read_lists(client, keys, stocking.generations.layers("als"), asked)
    assert found == [[2, 2, 2], [1, 1, 1], [2, 2, 2], []]
    assert read_lists(client, keys, [base], asked) == [[1, 1, 1], [1, 1, 1], [], []]
    assert read_lists(client, keys, [delta], asked) == [[2, 2, 2], [], [2, 2, 2], []]


def test_in_a_generation_of_segments_everybody_has_the_list_of_one(
    client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    generation = stocking.open(["1", "2"], layout="segments")
    rows = [pack(range(3), 2), pack((7, 8), 2)]
    stocking.generations.write_segments("als", generation.id, rows, ["", "Drama"])
    stocking.fill(generation, {"1": [1], "2": [0]})
    assert read_lists(client, keys, [generation], [b"1", b"2", b"3"]) == [[7, 8], [0, 1, 2], [0, 1, 2]]
