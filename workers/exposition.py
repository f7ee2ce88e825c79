"""A worker's ``/metrics``: its main process answers, for all processes of its pool."""

import logging
import os
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import signals
from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from topshelf.errors import ServiceError, SettingsError
from topshelf.settings import Settings, process_environment

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus-client looks at it once, when it is imported."""

log = logging.getLogger(__name__)


class PoolFigures(Collector):
    """The figures in a folder of prometheus-client's; what a process that died was at no longer counts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """What all processes counted."""
        for pid in self._processes():
            if not _is_alive(pid):
                mark_process_dead(pid, str(self._folder))  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        figures: Iterable[Metric] = MultiProcessCollector(registry, str(self._folder)).collect()  # type: ignore[no-untyped-call]
        return figures

    def _processes(self) -> Iterator[int]:
        """The processes that have a gauge which ends with them."""
        return (int(path.stem.rpartition("_")[2]) for path in self._folder.glob("gauge_live*_*.db"))


def prepare(settings: Settings) -> dict[str, str]:
    """Make ready for a worker that is to answer ``/metrics``: an empty folder for its processes' figures.

    Returns:
        The environment by which prometheus-client finds the folder; empty where there are to be no figures.

    Raises:
        ServiceError: the port is taken.
    """
    if not settings.metrics_port:
        return {}
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.metrics_host, settings.metrics_port))
        except OSError as error:
            raise ServiceError(
                f"{settings.metrics_host}:{settings.metrics_port} cannot be had for the worker's metrics "
                f"({error.strerror}); TOPSHELF_METRICS_PORT names another port, 0 for none"
            ) from error
    folder = _folder(settings)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return {FOLDER_VARIABLE: str(folder)}


def answer(settings: Settings) -> None:
    """Answer ``/metrics`` from a thread of the worker's main process, and in no process forked from it.

    Raises:
        SettingsError: the worker was not started by ``topshelf worker``, which prepares for it.
    """
    folder = _folder(settings)
    if process_environment().get(FOLDER_VARIABLE) != str(folder):
        raise SettingsError(
            "TOPSHELF_METRICS_PORT: only `topshelf worker` can answer /metrics; start the worker by it"
        )
    registry = CollectorRegistry()
    registry.register(PoolFigures(folder))
    server, _ = start_http_server(settings.metrics_port, settings.metrics_host, registry)
    log.info("metrics are at http://%s:%d/metrics", settings.metrics_host, settings.metrics_port)

    def let_go(**_: Any) -> None:
        # A forked process holds the socket, too, and would keep the port when the main process is gone.
        server.socket.close()

    signals.worker_process_init.connect(let_go, weak=False)


def answer_if_possible(settings: Settings) -> None:
    """Answer ``/metrics``, or say that the worker works without: Celery would pass over the error."""
    try:
        answer(settings)
    except (OSError, SettingsError):
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        log.exception("the worker works, and answers no /metrics at %s", where)


def _folder(settings: Settings) -> Path:
    """One for each worker of each host: hosts may share the cache folder."""
    return settings.cache_dir / "metrics" / f"{socket.gethostname()}-{settings.metrics_port}"


def _is_alive(pid: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True
