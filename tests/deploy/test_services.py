"""Every service of ours starts with the compose file's command, turns healthy and stops when asked to."""

import signal
from pathlib import Path

import pytest

from tests.deploy.composed import is_ours, services
from tests.deploy.conftest import Launch
from tests.deploy.containerless import Containerless

UNSEEN = "\0\0"
OURS = sorted(name for name, service in services().items() if is_ours(service))


@pytest.fixture
def addresses(composed_redis: dict[str, Containerless]) -> dict[str, str]:
    """Where the compose file's Redis are on this machine."""
    return {
        f"redis-{role}:6379": f"127.0.0.1:{server.ports[6379]}" for role, server in composed_redis.items()
    }


def test_the_services_of_ours_are_known() -> None:
    assert {"api", "reader", "worker", "worker-gpu", "beat", "flower", "exporter"} <= set(OURS)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", OURS)
def test_a_service_turns_healthy_and_stops_within_its_grace(
    launch: Launch, addresses: dict[str, str], name: str, secrets_folder: Path
) -> None:
    service = launch(name, addresses)
    service.wait_until_healthy()
    shown = {
        path.name
        for path in secrets_folder.iterdir()
        if (path.read_text() or UNSEEN) in service.environment()
    }
    assert shown == ({"flower_password"} if name == "flower" else set())
    assert service.stop() in {0, -signal.SIGTERM}, service.said()
    assert "Read-only file system" not in service.said()
