import inspect

import pytest
import redis
import redis.exceptions

from store.connection import (
    check_room,
    check_serving_server,
    connect,
    server_version,
    store_errors,
)
from store.embedded import EmbeddedRedis, free_port
from topshelf.errors import NotEnoughRoom, StoreError, StoreUnavailable, UnsuitableServer

REDIS_ERRORS = [
    found
    for _, found in sorted(vars(redis.exceptions).items())
    if inspect.isclass(found) and issubclass(found, Exception)
]


@pytest.mark.parametrize("error", REDIS_ERRORS, ids=lambda error: error.__name__)
def test_every_error_of_redis_becomes_one_of_ours(error: type[Exception]) -> None:
    original = error.__new__(error)
    with pytest.raises(StoreError) as caught, store_errors():
        raise original
    assert caught.value.__cause__ is original


@pytest.mark.parametrize("error", [redis.exceptions.ConnectionError, redis.exceptions.TimeoutError])
def test_a_server_out_of_reach_is_unavailable(error: type[Exception]) -> None:
    with pytest.raises(StoreUnavailable), store_errors():
        raise error("gone")


def test_other_errors_pass_untouched() -> None:
    with pytest.raises(ZeroDivisionError), store_errors():
        _ = 1 / 0


def test_a_port_nobody_listens_on_is_unavailable() -> None:
    with connect(f"redis://127.0.0.1:{free_port()}/0") as client, pytest.raises(StoreUnavailable):
        check_serving_server(client)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:port/0", "http://127.0.0.1"])
def test_a_url_that_is_none_is_an_error(url: str) -> None:
    with pytest.raises(StoreError, match="not a Redis URL"):
        connect(url)


def test_a_server_that_keeps_what_it_is_given_is_suitable(
    own_redis: EmbeddedRedis, own_client: redis.Redis
) -> None:
    check_serving_server(own_client)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "allkeys-random"])
def test_a_server_that_evicts_is_refused(own_client: redis.Redis, policy: str) -> None:
    own_client.config_set("maxmemory-policy", policy)
    with pytest.raises(UnsuitableServer, match=policy):
        check_serving_server(own_client)


def test_a_server_without_a_limit_has_room(own_client: redis.Redis) -> None:
    check_room(own_client, 10**15)


def test_what_does_not_fit_below_maxmemory_is_refused(own_client: redis.Redis) -> None:
    own_client.config_set("maxmemory", 100_000_000)
    check_room(own_client, 50_000_000)
    with pytest.raises(NotEnoughRoom, match="200,000,000"):
        check_room(own_client, 200_000_000)


def test_a_full_server_is_an_error_of_ours(own_client: redis.Redis) -> None:
    own_client.config_set("maxmemory", 1)
    with pytest.raises(StoreError) as caught, store_errors():
        own_client.set("key", "value")
    assert not isinstance(caught.value, StoreUnavailable)


def test_versions_compare_as_numbers() -> None:
    assert server_version("7.0.15") == (7, 0)
    assert server_version("10.2.1") > server_version("6.2.14")
