"""A real reader with every kind of model on its shelves, for commands that ask one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from store.connection import connect
from store.embedded import EmbeddedRedis
from store.keys import Keys
from tests.api.shop import Shop
from tests.api.test_server import serving
from topshelf.settings import Settings


@contextmanager
def stocked_reader(server: EmbeddedRedis, folder: Path, prefix: str, processes: int = 1) -> Iterator[str]:
    """The address of a reader of so many processes; its tokens are ``read-token`` and ``admin-token``."""
    keys = Keys(prefix=prefix)
    with connect(server.url) as client:
        Shop(client, keys).publish_all()
    settings = Settings(
        serving_url=SecretStr(server.url),
        durable_url=SecretStr(server.url),
        key_prefix=keys.prefix,
        cache_dir=folder / "cache",
        data_dir=folder,
        tokens_read=(SecretStr("read-token"),),
        tokens_admin=(SecretStr("admin-token"),),
        log_level="WARNING",
    )
    with serving(settings, processes=processes) as url:
        yield url
