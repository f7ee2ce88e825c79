import pytest
import redis

from store.keys import Keys
from store.locks import ModelLock
from tests.waiting import wait_until
from topshelf.errors import LockHeld


@pytest.fixture
def lock(client: redis.Redis, keys: Keys) -> ModelLock:
    return ModelLock(client, keys)


def test_one_owner_at_a_time(lock: ModelLock) -> None:
    lock.acquire("als", "first", 60)
    with pytest.raises(LockHeld, match="first"):
        lock.acquire("als", "second", 60)
    assert lock.owner("als") == "first"


def test_each_model_has_a_lock_of_its_own(lock: ModelLock) -> None:
    lock.acquire("als", "first", 60)
    lock.acquire("popular", "second", 60)
    assert [lock.owner(model) for model in ("als", "popular", "bpr")] == ["first", "second", None]


def test_the_owner_may_take_it_again_and_for_longer(lock: ModelLock, client: redis.Redis, keys: Keys) -> None:
    lock.acquire("als", "first", 1)
    lock.acquire("als", "first", 60)
    assert 50_000 < client.pttl(keys.lock("als")) <= 60_000


def test_a_lock_runs_out_when_its_owner_is_gone(lock: ModelLock) -> None:
    lock.acquire("als", "first", 0.01)
    wait_until(lambda: lock.owner("als") is None)
    lock.acquire("als", "second", 60)


def test_only_the_owner_renews_and_releases(lock: ModelLock, client: redis.Redis, keys: Keys) -> None:
    lock.acquire("als", "first", 1)
    assert not lock.renew("als", "second", 60)
    assert not lock.release("als", "second")
    assert lock.renew("als", "first", 60)
    assert client.pttl(keys.lock("als")) > 50_000
    assert lock.release("als", "first")
    assert not lock.release("als", "first")
    assert not lock.renew("als", "first", 60)
    assert lock.owner("als") is None
