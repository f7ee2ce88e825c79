"""A real Bugsink: the site that ``make`` made, copied, served, and read back from its own database."""

import json
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from store.embedded import free_port

HOME = Path(__file__).parents[2] / ".venv" / "bugsink"
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Arrived:
    """One event as Bugsink has it.

    Attributes:
        title: what Bugsink calls its issue.
        issue: which issue it was put into.
        event: as it was sent.
    """

    title: str
    issue: str
    event: dict[str, Any]


class Bugsink:
    """A server with one project; ``dsn`` is where to report to."""

    def __init__(self, site: Path, port: int) -> None:
        self._database = site / "db.sqlite3"
        [(number, key)] = self._rows("select id, sentry_key from projects_project")
        self.dsn = f"http://{key}@127.0.0.1:{port}/{number}"

    def arrived(self, environment: str) -> list[Arrived]:
        """Every event of an environment so far, oldest first."""
        rows = self._rows(
            "select calculated_type, calculated_value, issue_id, data from events_event "
            "where environment = ? order by digested_at",
            environment,
        )
        return [Arrived(_title(kind, text), issue, json.loads(data)) for kind, text, issue, data in rows]

    def wait_for(self, number: int, environment: str) -> list[Arrived]:
        """The events of an environment, once there are so many."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(events := self.arrived(environment)) < number:
            if time.monotonic() > deadline:
                pytest.fail(f"only these arrived in {PATIENCE_SECONDS} s: {[one.title for one in events]}")
            time.sleep(0.1)
        return events

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._database, timeout=30)) as database:
            return database.execute(query, values).fetchall()


@contextmanager
def serving_bugsink(folder: Path) -> Iterator[Bugsink]:
    """A server on a free port until the block ends; skips where Bugsink is not installed."""
    if not (HOME / "site" / "db.sqlite3").exists():
        pytest.skip("Bugsink is not installed; make test does that")
    site, port = folder / "site", free_port()
    shutil.copytree(HOME / "site", site)
    address = f"127.0.0.1:{port}"
    with (folder / "bugsink.log").open("ab") as log:
        server = subprocess.Popen(
            [HOME / "bin" / "python", HOME / "bin" / "bugsink-manage", "runserver", "--noreload", address],
            cwd=site,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_until_answering(server, address, folder / "bugsink.log")
        yield Bugsink(site, port)
    finally:
        server.kill()
        server.wait()


def _wait_until_answering(server: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _answers(f"http://{address}/"):
        if server.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"Bugsink does not answer:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=10)
    except httpx.HTTPError:
        return False
    return True


def _title(kind: str, text: str) -> str:
    """As Bugsink shows it: of a message the text alone."""
    return text if kind == "Log Message" else f"{kind}: {text}"
