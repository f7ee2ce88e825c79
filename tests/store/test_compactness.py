import pytest
import redis

from store.compactness import CompactLimits, check_encoding, read_limits
from store.connection import connect
from store.embedded import EmbeddedRedis
from store.keys import Keys


def put(client: redis.Redis, keys: Keys, bucket: int, users: int, row: bytes = b"ab") -> None:
    client.hset(keys.bucket("als", "7", bucket), mapping={str(user): row for user in range(users)})


def test_limits_are_the_servers_own(own_client: redis.Redis) -> None:
    assert read_limits(own_client) in (CompactLimits(), CompactLimits(name="ziplist"))
    for setting in (read_limits(own_client).entries_setting, read_limits(own_client).value_setting):
        own_client.config_set(setting, 48)
    found = read_limits(own_client)
    assert (found.entries, found.value_bytes) == (48, 48)


def test_a_server_that_does_not_tell_has_the_usual_limits(
    own_redis: EmbeddedRedis, own_client: redis.Redis
) -> None:
    own_client.acl_setuser(
        "worker", enabled=True, nopass=True, categories=["+@all"], commands=["-config"], keys=["*"]
    )
    with connect(own_redis.url.replace("//", "//worker:any@")) as client:
        assert read_limits(client) == CompactLimits()


def test_buckets_of_the_right_size_are_compact(client: redis.Redis, keys: Keys) -> None:
    put(client, keys, 0, 200, bytes(64))
    assert check_encoding(client, keys, "als", "7", [0, 1]) == ""


@pytest.mark.parametrize(("users", "row"), [(2_000, b"ab"), (10, bytes(65))])
def test_a_bucket_that_is_a_hash_table_is_warned_of(
    client: redis.Redis, keys: Keys, users: int, row: bytes
) -> None:
    put(client, keys, 0, users, row)
    put(client, keys, 1, 10)
    assert check_encoding(client, keys, "als", "7", [0, 1, 2]).startswith("1 of 2 sampled buckets")
