"""A real Redis for the whole suite; every test gets a database and a key prefix of its own."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from store.connection import connect
from store.embedded import EmbeddedRedis
from store.keys import Keys

pytest_plugins = ["tests.data_fixtures"]

_turns = itertools.count()


@pytest.fixture(scope="session")
def redis_binary() -> Path | None:
    """The redis-server named by TOPSHELF_TEST_REDIS_SERVER; None leaves the choice to the launcher."""
    named = os.environ.get("TOPSHELF_TEST_REDIS_SERVER")
    return Path(named) if named else None


@pytest.fixture(scope="session")
def redis_server(
    tmp_path_factory: pytest.TempPathFactory, redis_binary: Path | None
) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), server=redis_binary) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """URL of a database nobody used for the last sixty tests, emptied."""
    url = f"{redis_server.url.removesuffix('/0')}/{1 + next(_turns) % 60}"
    with connect(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def keys() -> Keys:
    return Keys(prefix=f"ts{next(_turns)}:")
