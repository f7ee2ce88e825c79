"""A start of a service in a fresh process, profiled: its phases and where its time went."""

import http.client
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from store.connection import connect, store_errors
from store.embedded import free_port
from topshelf.errors import ServiceError
from topshelf.local.credentials import with_credentials
from topshelf.local.process import Process
from topshelf.profiling.files import check_installed, write_profile
from topshelf.profiling.phases import INTERPRETER, READER, WORKER, Phase, phases_of
from topshelf.profiling.targets import QUEUE, READY_PATH
from topshelf.settings import Settings, process_environment

Target = Literal["api", "worker"]

START_SECONDS = 120.0
POLL_SECONDS = 0.005
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Startup:
    """A start that was profiled.

    Attributes:
        profiler_seconds: what it took to load the profiler itself; in no phase.
        facts: what was started: ``models`` that were live, or ``processes`` of a worker.
        files: the page and the speedscope file.
    """

    target: Target
    phases: list[Phase]
    profiler_seconds: float
    facts: Mapping[str, Any]
    files: list[Path]

    @property
    def seconds(self) -> float:
        """From the request for a process to its being ready, the loading of the profiler aside."""
        return sum(phase.seconds for phase in self.phases)


def profile_startup(target: Target, settings: Settings, folder: Path, *, cold: bool = False) -> Startup:
    """Start a service beside those that run, on a free port, and end it once it is ready.

    Args:
        folder: where the profile is written.
        cold: whether the reader starts as on a new host, with nothing of the catalogue there.

    Raises:
        ProfilingNotInstalled: there is no profiler.
        StoreUnavailable: Redis does not answer.
        ServiceError: the service did not become ready; with the end of its log.
    """
    check_installed()
    url = settings.serving_url if target == "api" else settings.durable_url
    with store_errors(), connect(url.get_secret_value(), timeout_seconds=2, retries=0) as client:
        client.ping()
    made = Path(tempfile.mkdtemp(prefix="topshelf-startup-"))
    try:
        settings = _for_one_start(settings, made / "cache" if cold else settings.cache_dir)
        _start(target, settings, made)
        return _read(target, made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _for_one_start(settings: Settings, cache_dir: Path) -> Settings:
    own = {"api_host": HOST, "api_port": free_port(), "api_processes": 1, "cache_dir": cache_dir}
    return with_credentials(settings)[0].model_copy(update=own)


def _start(target: Target, settings: Settings, made: Path) -> None:
    service = Process(
        f"{target} (profiled)",
        [sys.executable, "-m", "topshelf.profiling.starting", target, str(time.monotonic()), str(made)],
        environ=process_environment() | settings.to_environment(),
        log=made / "service.log",
        is_ready=lambda: False,
    )
    deadline = time.monotonic() + START_SECONDS
    service.launch()
    try:
        while service.running and time.monotonic() < deadline:
            if target == "api":
                _ask(settings.api_port)
            time.sleep(POLL_SECONDS)
    finally:
        service.stop()
        if target == "worker":
            _remove_queue(settings)
    if not (made / "start.json").exists():
        raise ServiceError(
            f"{service.name} {service.ended_with} before it was ready:\n{service.last_lines()}"
        )


def _ask(port: int) -> None:
    """Ask whether the reader is ready; it sees for itself what it answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", READY_PATH)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()


def _remove_queue(settings: Settings) -> None:
    """Take back the queue that the worker declared; kombu deletes only what the same process has declared."""
    from workers.celery_app import create_app  # noqa: PLC0415 -- needs Celery

    app = create_app(settings)
    with app.connection_for_write() as connection, connection.channel() as channel:
        channel.exchange_declare(QUEUE)
        channel.queue_declare(QUEUE)
        channel.queue_bind(QUEUE, QUEUE, QUEUE)
        channel.queue_delete(QUEUE)
    app.close()


def _read(target: Target, made: Path, folder: Path) -> Startup:
    from pyinstrument.session import Session  # noqa: PLC0415 -- an extra

    session = Session.load(made / "session.json")
    start = json.loads((made / "start.json").read_text())
    plan = READER if target == "api" else WORKER
    phases = phases_of(session.frame_records, plan, start["listening_after_seconds"])
    name = f"{target}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    files = write_profile(session, folder, name)
    return Startup(
        target,
        [Phase(INTERPRETER, start["interpreter_seconds"]), *phases],
        start["profiler_seconds"],
        start["facts"],
        files,
    )
