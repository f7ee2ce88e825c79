"""A service that starts under a profiler and ends once it is ready.

    python -m topshelf.profiling.starting {api|worker} BEGAN FOLDER

BEGAN is the monotonic clock when the process was asked for. What was seen is written into FOLDER:
``session.json`` (pyinstrument's) and ``start.json``. Run by :mod:`topshelf.profiling.startup`.
"""

import time

RUNNING_AT = time.monotonic()

import gc  # noqa: E402
import sys  # noqa: E402

if sys.argv[1:2] == ["api"]:
    gc.disable()  # as python -m api does

import json  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
from concurrent.futures import Future, ThreadPoolExecutor  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

from pyinstrument import Profiler  # noqa: E402

from topshelf.profiling.targets import QUEUE, READY_PATH  # noqa: E402

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from topshelf.settings import Settings

INTERVAL_SECONDS = 0.001


class Start:
    """One start, watched from the first line to the moment it is ready."""

    def __init__(self, began: float, folder: Path) -> None:
        self._interpreter_seconds = RUNNING_AT - began
        self._folder = folder
        self._profiler = Profiler(INTERVAL_SECONDS, async_mode="disabled")
        self._listening_after_seconds = 0.0
        self._profiler_seconds = time.monotonic() - RUNNING_AT
        self._watching_since = time.monotonic()
        self._profiler.start(target_description=f"start of {sys.argv[1]}")

    def listening(self) -> None:
        """What came before the service listens has come."""
        self._listening_after_seconds = time.monotonic() - self._watching_since

    def ready(self, facts: dict[str, Any]) -> None:
        """Stop watching, write down what was seen and ask this process to end; once only."""
        if not self._profiler.is_running:
            return
        session = self._profiler.stop()
        session.save(self._folder / "session.json")
        start = {
            "interpreter_seconds": self._interpreter_seconds,
            "profiler_seconds": self._profiler_seconds,
            "listening_after_seconds": self._listening_after_seconds,
            "facts": facts,
        }
        (self._folder / "start.json").write_text(json.dumps(start))
        os.kill(os.getpid(), signal.SIGTERM)


class InLine(ThreadPoolExecutor):
    """Runs at once, in the event loop's thread, what else runs beside it: a profile is of one thread."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``fn`` now."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 -- whoever waits for it gets it
            future.set_exception(error)
        return future


class WatchedReader:
    """ASGI around the reader: sees when it listens, and when it first says that it is ready."""

    def __init__(self, app: "ASGIApp", start: Start) -> None:
        self._app = app
        self._start = start

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Handle one request, or the life of the app."""
        import asyncio  # noqa: PLC0415 -- the reader imports it, and its time is the reader's

        if scope["type"] == "lifespan":
            asyncio.get_running_loop().set_default_executor(InLine())

        async def watched(message: "Message") -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                self._start.listening()
            elif message.get("status") == 200 and scope.get("path") == READY_PATH:
                models = self._app.state.reader.live.snapshot.models  # type: ignore[attr-defined]
                self._start.ready({"models": sorted(models)})

        await self._app(scope, receive, watched)


def start_reader(start: Start) -> None:
    """What ``python -m api`` does."""
    from api.app import create_app  # noqa: PLC0415 -- watched
    from api.server import run  # noqa: PLC0415
    from topshelf.settings import Settings  # noqa: PLC0415

    def make_app(settings: "Settings") -> WatchedReader:
        return WatchedReader(create_app(settings), start)

    run(Settings.from_environment(), make_app)


def start_worker(start: Start) -> None:
    """What ``topshelf worker`` does, on a queue where nothing waits."""
    from celery.__main__ import main  # noqa: PLC0415 -- watched
    from celery.signals import worker_ready  # noqa: PLC0415

    def ready(sender: Any, **_: Any) -> None:
        processes = sender.controller.concurrency
        start.ready({"processes": processes})

    worker_ready.connect(ready, weak=False)
    sys.argv = ["celery", "--app", "workers.app", "worker", "--queues", QUEUE]
    sys.argv += ["--hostname", f"{QUEUE}@%h", "--loglevel", "WARNING"]
    main()


def main() -> None:
    """Start what is asked for."""
    target, began, folder = sys.argv[1:]
    # uvicorn raises again what ended it, once it has ended well.
    signal.signal(signal.SIGTERM, lambda *_: None)
    start = Start(float(began), Path(folder))
    {"api": start_reader, "worker": start_worker}[target](start)


if __name__ == "__main__":
    main()
