from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from store.connection import connect
from store.embedded import EmbeddedRedis
from store.generations import Generations
from store.keys import Keys
from tests.store.stocking import Stocking


@pytest.fixture
def stocking(client: redis.Redis, keys: Keys) -> Stocking:
    return Stocking(client, keys)


@pytest.fixture
def generations(stocking: Stocking) -> Generations:
    return stocking.generations


@pytest.fixture
def own_redis(tmp_path: Path, redis_binary: Path | None) -> Iterator[EmbeddedRedis]:
    """A server of this test alone, whose settings it may change."""
    with EmbeddedRedis(tmp_path / "own", server=redis_binary) as server:
        yield server


@pytest.fixture
def own_client(own_redis: EmbeddedRedis) -> Iterator[redis.Redis]:
    with connect(own_redis.url) as client:
        yield client
