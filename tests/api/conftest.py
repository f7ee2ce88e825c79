from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from fastapi import FastAPI
from pydantic import SecretStr

from api.app import create_app
from store.keys import Keys
from tests.api.caller import Caller, calling
from tests.api.shop import Shop
from topshelf.settings import Settings

READ = {"Authorization": "Bearer read-token"}
EVENTS = {"Authorization": "Bearer events-token"}
ADMIN = {"Authorization": "Bearer admin-token"}


@pytest.fixture
def settings(redis_url: str, keys: Keys, tmp_path: Path) -> Settings:
    return Settings(
        serving_url=SecretStr(redis_url),
        durable_url=SecretStr(redis_url),
        key_prefix=keys.prefix,
        cache_dir=tmp_path / "cache",
        data_dir=tmp_path / "data",
        tokens_read=(SecretStr("read-token"),),
        tokens_events=(SecretStr("events-token"),),
        tokens_admin=(SecretStr("admin-token"),),
    )


@pytest.fixture
def shop(client: redis.Redis, keys: Keys) -> Shop:
    return Shop(client, keys)


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    """Everything is live before the reader starts."""
    shop.publish_all()
    return shop


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


@pytest.fixture
def api(app: FastAPI) -> Iterator[Caller]:
    """The reader, started, called with a token that may read."""
    with calling(app, READ) as caller:
        yield caller


@pytest.fixture
def sender(api: Caller) -> Caller:
    """The same reader, called with a token that may send events."""
    return api.as_(EVENTS)


@pytest.fixture
def admin(api: Caller) -> Caller:
    """The same reader, called with a token that may do everything."""
    return api.as_(ADMIN)
