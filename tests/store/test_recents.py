import pytest
import redis

from store.keys import Keys
from store.recents import Recents


@pytest.fixture
def recents(client: redis.Redis, keys: Keys) -> Recents:
    return Recents(client, keys, ttl_seconds=100, limit=3)


def test_items_are_kept_newest_first(recents: Recents) -> None:
    recents.touch("1", ["a", "b"])
    recents.touch("1", ["c"])
    assert recents.read("1") == ["c", "b", "a"]


def test_an_item_touched_again_moves_to_the_front(recents: Recents) -> None:
    recents.touch("1", ["a", "b", "a"])
    recents.touch("1", ["b"])
    assert recents.read("1") == ["b", "a"]


def test_only_the_newest_are_kept(recents: Recents) -> None:
    recents.touch("1", [str(number) for number in range(20_000)])
    assert recents.read("1") == ["19999", "19998", "19997"]


def test_repeated_items_do_not_push_out_others(recents: Recents) -> None:
    recents.touch("1", ["a", "b", "c", "c", "c"])
    assert recents.read("1") == ["c", "b", "a"]


def test_each_touch_lengthens_the_life_of_the_list(recents: Recents, client: redis.Redis, keys: Keys) -> None:
    recents.touch("1", ["a"])
    client.expire(keys.recent("1"), 5)
    recents.touch("1", ["b"])
    assert 95 < client.ttl(keys.recent("1")) <= 100


def test_users_are_told_apart_and_may_be_text_or_bytes(recents: Recents) -> None:
    recents.touch("用户", ["ü"])
    recents.touch("1", ["a"])
    assert recents.read("用户".encode()) == ["ü"]
    assert recents.read("2") == []


def test_touching_nothing_writes_nothing(recents: Recents, client: redis.Redis, keys: Keys) -> None:
    recents.touch("1", [])
    assert not client.exists(keys.recent("1"))


def test_a_profile_is_replaced_whole(recents: Recents) -> None:
    recents.put_profile("1", {"categories": ["戏剧"], "age": 30})
    recents.put_profile("1", {"categories": []})
    assert recents.read_profile("1") == {"categories": []}
    assert recents.read_profile("2") is None
