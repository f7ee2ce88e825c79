"""The images are built and the compose file is run by a real engine, as docs/deploying.md says.

The tests go on from each other, in this order; `make test-engine` runs them.
"""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.deploy.composed import ROOT, services
from tests.deploy.test_images import READER_MB
from tests.engine.composed_system import PROFILES, ComposedSystem
from tests.engine.conftest import can_be_had
from tests.waiting import wait_until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1_800)]

API, BASE = "http://127.0.0.1:8000", "python:3.12-slim-bookworm"
RESTART_SECONDS = 180
SECRET_LENGTH = 16
"""Shorter ones are no secrets: files that are empty, as nothing is reported."""
STOPPED = {0, 143}
"""Exit codes of a service that was asked to stop: 143 is SIGTERM, passed on once all is put in order."""
KILLED = [name for name, service in services().items() if service.get("profiles") != ["gpu"]]


def blocks(page: str, kind: str) -> list[str]:
    """The fenced blocks of a page."""
    return re.findall(rf"^```{kind}\n((?:.*\n)*?)```$", (ROOT / "docs" / page).read_text(), re.MULTILINE)


def in_compose(page: str, containing: str) -> str:
    """A block that is not run elsewhere, but for what it tells Kubernetes."""
    [block] = [block for block in blocks(page, "sh no-run") if containing in block]
    return "\n".join(line for line in block.splitlines() if not line.startswith("kubectl"))


def answer(url: str, token: str = "") -> Any:
    """What stands in the JSON of an answer."""
    return asked(url, token).json()


def asked(url: str, token: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(url, headers=headers).raise_for_status()


def write_ratings(path: Path) -> None:
    """Two hundred users who each like one of four kinds of items."""
    draws = np.random.default_rng(0)
    lines = ["user_id,item_id,rating,timestamp"]
    for user in range(1, 201):
        for item in draws.choice(40, 15, replace=False):
            lines.append(f"{user},{1 + 40 * (user % 4) + item},5,{1_700_000_000 + 1_000 * len(lines)}")
    path.write_text("\n".join(lines) + "\n")


def is_stocked(system: ComposedSystem) -> bool:
    """Whether the control API answers with a whole list of the user's own."""
    try:
        given = asked(f"{API}/reco/als/1", system.read_token)
    except httpx.HTTPError:
        return False
    return given.headers["X-Reco-Source"] == "cache" and len(given.json()["items"]) == 10


def jobs_scraped() -> set[str]:
    """The jobs that Prometheus has figures of."""
    targets = answer("http://127.0.0.1:9090/api/v1/targets")["data"]["activeTargets"]
    return {target["labels"]["job"] for target in targets if target["health"] == "up"}


def test_the_page_builds_starts_stocks_and_reads(system: ComposedSystem) -> None:
    [first] = [block for block in blocks("deploying.md", "sh") if "docker compose up --build" in block]
    write_ratings(system.folder / "ratings.csv")
    script = first.replace("up --build --detach", "up --build --detach --wait")
    assert script != first
    printed = system.shell(script)
    assert len(json.loads(printed.splitlines()[-1])["items"]) == 10


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_becomes_healthy(system: ComposedSystem, profile: str, images: dict[str, str]) -> None:
    left_out = {name: image for name, image in images.items() if not can_be_had(image)}
    names = system.compose("config", "--services", profiles=[profile]).split()
    started = [name for name in names if name not in left_out]
    system.compose("up", "--build", "--detach", "--wait", *started, profiles=[profile])
    if "front" in started:
        assert len(answer("http://127.0.0.1:8080/reco/als/2", system.read_token)["items"]) == 10
        assert len(system.containers("reader")) == 3
    if "prometheus" in started:
        wait_until(lambda: jobs_scraped() == {"api", "worker", "exporter"}, "everybody scraped")
    if "grafana" in started:
        assert answer("http://127.0.0.1:3000/api/health")["database"] == "ok"
    if left_out:
        pytest.skip(f"the others are healthy; {', '.join(left_out.values())} cannot be had here")


def test_the_readers_image_is_light_and_trains_nothing(system: ComposedSystem) -> None:
    tried = system.shell("docker run --rm topshelf-reader python -c 'import torch' 2>&1 || true")
    assert "No module named 'torch'" in tried
    if not can_be_had(BASE):
        pytest.skip(f"{BASE} cannot be had here, to take its size from the reader's")
    whole, base = system.shell(
        f"docker image inspect --format '{{{{.Size}}}}' topshelf-reader {BASE}"
    ).split()
    assert 30 < (int(whole) - int(base)) / 1024**2 < READER_MB


@pytest.mark.parametrize("service", KILLED)
def test_what_is_killed_comes_back(system: ComposedSystem, service: str) -> None:
    found = system.containers(service)
    if not found:
        pytest.skip(f"{service} was not started: its image cannot be had here")
    before = system.restarts(found[0])
    system.kill_main_process(found[0])
    wait_until(
        lambda: system.restarts(found[0]) > before and system.is_healthy(found[0]),
        f"{service} healthy again",
        RESTART_SECONDS,
    )


def test_lists_are_there_after_everything_was_killed(system: ComposedSystem) -> None:
    assert is_stocked(system)


def test_a_backup_is_made_and_taken_out(system: ComposedSystem) -> None:
    system.shell(in_compose("operations.md", "topshelf backup"))
    [backup] = system.folder.glob("*.tar")
    assert backup.stat().st_size > 0


def test_a_backup_is_restored_over_what_is_there(system: ComposedSystem) -> None:
    system.compose("stop", *(name for name in KILLED if not name.startswith("redis-")))
    assert "these jobs stock the models again" in system.shell(
        in_compose("operations.md", "topshelf restore")
    )
    wait_until(lambda: is_stocked(system), "the lists back", RESTART_SECONDS)


def test_no_secret_shows(system: ComposedSystem) -> None:
    secrets = [path.read_text() for path in (system.folder / "secrets").iterdir()]
    secrets = [secret for secret in secrets if len(secret) >= SECRET_LENGTH]
    assert len(secrets) > 10
    shown = [json.dumps(system.inspect(container)) for container in system.containers()]
    shown += [system.compose("config"), system.compose("logs")]
    for secret in secrets:
        assert not [text for text in shown if secret in text]


def test_everything_stops_in_its_grace(system: ComposedSystem) -> None:
    system.compose("stop")
    states = {container: system.inspect(container)["State"] for container in system.containers()}
    assert {state["ExitCode"] for state in states.values()} <= STOPPED
    assert not [state for state in states.values() if state["OOMKilled"]]
