"""A Docker engine, and the compose file's services in it."""

import json
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.engine.composed_system import ComposedSystem

PULL_SECONDS = 600


def asked(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=PULL_SECONDS, check=False)


@pytest.fixture(scope="session")
def engine() -> None:
    """An engine and compose; what wants them is skipped elsewhere."""
    if shutil.which("docker") is None or asked("docker", "info").returncode:
        pytest.skip("there is no Docker engine here")
    if asked("docker", "compose", "version").returncode:
        pytest.skip("there is no `docker compose` here")


@pytest.fixture(scope="module")
def system(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposedSystem]:
    """A project with nothing in it yet, of an earlier run either; it is taken away in the end."""
    system = ComposedSystem(tmp_path_factory.mktemp("engine") / "project")
    try:
        system.remove()
        yield system
    finally:
        system.remove()


@pytest.fixture
def images(system: ComposedSystem, profile: str) -> dict[str, str]:
    """The images of others that the services of a profile take, by service."""
    services = json.loads(system.compose("config", "--format", "json", profiles=[profile]))["services"]
    return {name: service["image"] for name, service in services.items() if "build" not in service}


def can_be_had(image: str) -> bool:
    """Whether an image is here or can be pulled."""
    return any(asked("docker", *words, image).returncode == 0 for words in (("image", "inspect"), ("pull",)))
