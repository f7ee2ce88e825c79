"""The services of one machine: Redis, a worker, beat, Flower, the exporter and the reader."""

import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from store.connection import connect, store_errors
from store.embedded import EmbeddedRedis
from topshelf.errors import ServiceError, StoreError, StoreUnavailable
from topshelf.local import logs
from topshelf.local.addresses import api_url, flower_url, metrics_url
from topshelf.local.process import Process, in_words
from topshelf.local.supervisor import Service
from topshelf.settings import Settings, process_environment
from workers.celery_app import TopshelfCelery, create_app
from workers.dispatch import broker_errors

PING_SECONDS = 0.5


class RedisService:
    """The embedded Redis as a supervised service."""

    name = "redis"
    watched = True

    def __init__(self, server: EmbeddedRedis) -> None:
        self._server = server

    @property
    def running(self) -> bool:
        return self._server.running

    @property
    def ended_with(self) -> str:
        code = self._server.exit_code
        return "is gone" if code is None else in_words(code)

    def launch(self) -> None:
        self._server.start()

    def is_ready(self) -> bool:
        return self._server.answers()

    def wait_until_ready(self) -> None:
        self._server.start()

    def ask_to_stop(self) -> None:
        """Redis is stopped last, once nobody writes any more."""

    def stop(self) -> None:
        self._server.stop()

    def bound_log(self) -> None:
        logs.bound(self._server.log)


class ExternalRedis(RedisService):
    """A Redis that somebody else runs; it is only looked for."""

    watched = False

    def __init__(self, *urls: str) -> None:
        self._urls = urls

    @property
    def running(self) -> bool:
        return True

    def launch(self) -> None:
        for url in self._urls:
            try:
                with store_errors(), connect(url) as client:
                    client.ping()
            except StoreError as error:
                raise ServiceError(f"Redis does not answer at {without_password(url)}: {error}") from error

    def is_ready(self) -> bool:
        return True

    def wait_until_ready(self) -> None:
        """It was there at the launch."""

    def stop(self) -> None:
        """Not ours to stop."""

    def bound_log(self) -> None:
        """Not ours to cut."""


def local_services(settings: Settings, redis: RedisService) -> list[Service]:
    """Everything ``topshelf up`` runs, in the order it is started."""
    environ = process_environment() | settings.to_environment() | {"PYTHONUNBUFFERED": "1"}
    folder = settings.data_dir / "logs"
    celery = create_app(settings)
    return [
        redis,
        _process("worker", folder, environ, lambda: is_pinged(celery)),
        _process("beat", folder, environ, lambda: True),
        _process(
            "flower", folder, environ, lambda: answers(f"{flower_url(settings)}/healthcheck"), watched=True
        ),
        _process("exporter", folder, environ, lambda: answers(metrics_url(settings, settings.exporter_port))),
        _process(
            "api", folder, environ, lambda: answers(f"{api_url(settings)}/health/live"), "api", watched=True
        ),
    ]


def answers(url: str) -> bool:
    """Whether a GET of ``url`` is answered with a success within a second."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 -- our own address
            return bool(answer.status < 400)
    except (urllib.error.URLError, OSError):
        return False


def is_pinged(celery: TopshelfCelery) -> bool:
    """Whether any worker answers a ping, over a connection of its own: the broker may be another by now."""
    try:
        with broker_errors(), celery.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1)  # a ping would try for six seconds
            return bool(celery.control.ping(timeout=PING_SECONDS, connection=connection))
    except StoreUnavailable:
        return False


def without_password(url: str) -> str:
    """A Redis URL as logs may show it."""
    return re.sub(r"//.*@", "//", url)


def _process(
    name: str,
    folder: Path,
    environ: dict[str, str],
    is_ready: Callable[[], bool],
    module: str = "",
    *,
    watched: bool = False,
) -> Process:
    return Process(
        name,
        [sys.executable, "-m", *([module] if module else ["topshelf", name])],
        environ=environ,
        log=folder / f"{name}.log",
        is_ready=is_ready,
        watched=watched,
    )
