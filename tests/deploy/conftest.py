"""Both Redis of the compose file, and its other services beside them."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from store.embedded import find_server
from tests.deploy.composed import ROOT, services
from tests.deploy.containerless import Containerless, confined

ROLES = ("serving", "durable")

Launch = Callable[..., Containerless]


@pytest.fixture(scope="session")
def secrets_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Secrets as the script makes them up."""
    folder = tmp_path_factory.mktemp("made") / "secrets"
    subprocess.run(["sh", ROOT / "deploy/secrets.sh", folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def redis_path() -> dict[str, str]:
    """A PATH on which the newest redis-server of this machine comes first."""
    return {"PATH": f"{find_server().parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="session")
def composed_redis(
    tmp_path_factory: pytest.TempPathFactory, secrets_folder: Path, redis_path: dict[str, str]
) -> Iterator[dict[str, Containerless]]:
    """Both Redis, by role, started by the compose file's own command."""
    with ExitStack() as stack:
        started = {}
        for role in ROLES:
            name = f"redis-{role}"
            scratch = tmp_path_factory.mktemp(name)
            replaced = {"bind * -::*": "bind 127.0.0.1"}
            server = Containerless(name, services()[name], scratch, secrets_folder, replaced, redis_path)
            stack.callback(server.end)
            server.start(behind=confined(scratch))
            server.wait_until_healthy()
            started[role] = server
        yield started


@pytest.fixture
def prepare(tmp_path: Path, secrets_folder: Path) -> Iterator[Launch]:
    """Makes a service of the compose file ready to start; it is ended with the test."""
    with ExitStack() as stack:

        def ready(
            name: str, replaced: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
        ) -> Containerless:
            scratch = tmp_path / name
            service = Containerless(name, services()[name], scratch, secrets_folder, replaced or {}, environ)
            stack.callback(service.end)
            return service

        yield ready


@pytest.fixture
def launch(prepare: Launch, tmp_path: Path) -> Launch:
    """Starts a service of the compose file, confined where the kernel lets us."""

    def start(
        name: str, replaced: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
    ) -> Containerless:
        service = prepare(name, replaced, environ)
        service.start(behind=confined(tmp_path / name))
        return service

    return start
