import pytest
from redis.crc import key_slot

from store.keys import Keys

KEYS = Keys()


def test_names_are_those_of_the_design() -> None:
    assert KEYS.live("als") == "ts:{als}:live"
    assert KEYS.fence("als") == "ts:{als}:fence"
    assert KEYS.lock("als") == "ts:{als}:lock"
    assert KEYS.hold("als") == "ts:{als}:hold"
    assert KEYS.compared("als") == "ts:{als}:compared"
    assert KEYS.generation("als", "7") == "ts:{als}:gen:7"
    assert KEYS.chunks("als", "7") == "ts:{als}:gen:7:chunks"
    assert KEYS.bucket("als", "7", 12) == "ts:b:{als:7:12}"
    assert KEYS.catalog("d1", 0) == "ts:catalog:d1:0"
    assert KEYS.knn("a1", 2) == "ts:knn:a1:2"
    assert KEYS.recent("42") == "ts:u:{42}"
    assert KEYS.profile("42") == "ts:p:{42}"
    assert KEYS.job("train-als-1") == "ts:job:train-als-1"
    assert (KEYS.jobs, KEYS.events) == ("ts:jobs", "ts:events")
    assert (KEYS.items_hidden, KEYS.items_meta) == ("ts:items:hidden", "ts:items:meta")


def test_users_may_be_given_as_text_or_as_bytes() -> None:
    assert KEYS.recent("用户") == KEYS.recent("用户".encode())
    assert KEYS.profile("🦊") == KEYS.profile("🦊".encode())


def test_another_prefix_is_another_tenant() -> None:
    assert Keys("shop:").live("als") == "shop:{als}:live"


@pytest.mark.parametrize("user", ["42", "a}b{c", "ümläut"])
def test_what_belongs_to_one_user_is_in_one_slot(user: str) -> None:
    assert key_slot(KEYS.recent(user).encode()) == key_slot(KEYS.profile(user).encode())


def test_a_bucket_and_its_overflow_are_in_one_slot_and_buckets_are_spread() -> None:
    slots = [key_slot(KEYS.bucket("als", "7", bucket).encode()) for bucket in range(50)]
    assert slots == [key_slot(KEYS.overflow("als", "7", bucket).encode()) for bucket in range(50)]
    assert len(set(slots)) > 40
