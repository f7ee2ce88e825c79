"""The whole system's figures, read from both Redis when Prometheus asks."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

import redis
from prometheus_client import Metric
from prometheus_client.registry import Collector

from store.connection import Memory, connect, memory_of
from store.keys import Keys
from topshelf.errors import StoreError, StoreUnavailable
from topshelf.exporter.durable import DurableFigures
from topshelf.exporter.families import gauge
from topshelf.exporter.serving import ServingFigures
from topshelf.settings import Settings

ANSWER_SECONDS = 1.0
"""How long one call may take: a server that went silent costs a scrape this much, once a role."""

log = logging.getLogger(__name__)


class SystemFigures(Collector):
    """Reads a few hundred values a scrape, whatever the number of users and jobs; one scrape at a time."""

    def __init__(self, settings: Settings) -> None:
        keys = Keys(settings.key_prefix)
        self._serving_client = _impatient(settings.serving_url.get_secret_value())
        self._durable_client = _impatient(settings.durable_url.get_secret_value())
        self._serving = ServingFigures(self._serving_client, keys)
        self._durable = DurableFigures(self._durable_client, keys, settings)
        self._turn = Lock()

    def collect(self) -> Iterable[Metric]:
        """Every family that could be read; ``topshelf_redis_up`` always."""
        with self._turn:
            return [*self._collected()]

    def close(self) -> None:
        """Let go of both connections."""
        self._serving_client.close()
        self._durable_client.close()

    def _collected(self) -> Iterator[Metric]:
        began = time.perf_counter()
        memory: dict[str, Memory] = {}
        models: list[str] = []
        with self._reading("serving", memory):
            memory["serving"] = memory_of(self._serving_client)
            models = self._serving.models()
            yield from self._serving.collect(models)
        with self._reading("durable", memory):
            memory["durable"] = memory_of(self._durable_client)
            yield from self._durable.collect(models)
        yield from _redis_figures(memory)
        yield gauge(
            "topshelf_collect_seconds",
            "Time it took to read all this",
            (),
            [((), time.perf_counter() - began)],
        )

    @contextmanager
    def _reading(self, role: str, memory: dict[str, Memory]) -> Iterator[None]:
        """Leave out what cannot be read, and a server that went away in the middle."""
        try:
            yield
        except StoreError as error:
            log.warning("the %s Redis cannot be read: %s", role, error)
            if isinstance(error, StoreUnavailable):
                memory.pop(role, None)


def _redis_figures(memory: Mapping[str, Memory]) -> Iterator[Metric]:
    roles = ("serving", "durable")
    yield gauge(
        "topshelf_redis_up", "Whether it answers", ("role",), [((role,), role in memory) for role in roles]
    )
    yield gauge(
        "topshelf_redis_used_bytes",
        "Memory it uses",
        ("role",),
        [((role,), found.used) for role, found in memory.items()],
    )
    yield gauge(
        "topshelf_redis_max_bytes",
        "Memory it may use; 0 where it has no limit",
        ("role",),
        [((role,), found.limit) for role, found in memory.items()],
    )


def _impatient(url: str) -> redis.Redis:
    return connect(url, timeout_seconds=ANSWER_SECONDS, retries=0)
