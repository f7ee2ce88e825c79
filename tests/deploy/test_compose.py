"""The compose file names only what exists; there is no engine here to run it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from store.connection import connect
from store.embedded import EmbeddedRedis
from topshelf.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
OURS = ("api", "worker", "beat", "flower")
EXAMPLE = [
    line.partition("=")[0]
    for line in (ROOT / "deploy/example.env").read_text().splitlines()
    if not line.startswith("#")
]
SECRETS = {name: f"sesame{place}" for place, name in enumerate(EXAMPLE)}


def interpolated(text: str) -> str:
    """``text`` as compose reads it where the secrets are set and nothing else is."""
    return re.sub(
        r"\$\{(\w+)(?::?([-?])([^}]*))?\}",
        lambda found: SECRETS[found[1]] if found[2] != "-" else found[3],
        text,
    )


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    loaded: dict[str, Any] = yaml.safe_load(interpolated((ROOT / "docker-compose.yml").read_text()))
    found: dict[str, dict[str, Any]] = loaded["services"]
    return found


def config(environ: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = shutil.which("docker-compose")
    if command is None:
        pytest.skip("docker-compose is not installed")
    return subprocess.run(
        [command, "--file", str(ROOT / "docker-compose.yml"), "config"],
        cwd=folder,  # a developer's own .env stays out of it
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_compose_accepts_the_file(tmp_path: Path, services: dict[str, dict[str, Any]]) -> None:
    done = config(SECRETS, tmp_path)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["services"].keys() == services.keys() == {"redis", *OURS}


@pytest.mark.parametrize("missing", EXAMPLE)
def test_without_a_secret_compose_says_what_is_missing(tmp_path: Path, missing: str) -> None:
    unset = {name: value for name, value in SECRETS.items() if name != missing}
    for environ in (unset, SECRETS | {missing: ""}):
        done = config(environ, tmp_path)
        assert done.returncode != 0
        assert missing in done.stderr


def test_the_reader_runs_without_the_commands_libraries(services: dict[str, dict[str, Any]]) -> None:
    assert services["api"]["command"] == ["python", "-m", "api"]


@pytest.mark.parametrize("name", [name for name in OURS if name != "api"])
def test_every_service_runs_a_command_that_exists(services: dict[str, dict[str, Any]], name: str) -> None:
    program, command, *options = services[name]["command"]
    assert (program, command) == ("topshelf", name)
    done = subprocess.run(
        [sys.executable, "-m", "topshelf", command, "--help"], capture_output=True, text=True, check=True
    )
    assert set(options[::2]) <= set(re.findall(r"--[a-z-]+", done.stdout))


@pytest.mark.parametrize("name", OURS)
def test_every_setting_of_a_service_exists_and_can_be_read(
    services: dict[str, dict[str, Any]], name: str
) -> None:
    environ = services[name]["environment"]
    assert all(variable.startswith(PREFIX) for variable in environ)
    settings = Settings.from_environment(environ)
    password = SECRETS["REDIS_PASSWORD"]
    assert settings.serving_url.get_secret_value() == f"redis://:{password}@redis:6379/0"
    assert not settings.embedded_redis


def test_the_worker_takes_every_queue(services: dict[str, dict[str, Any]]) -> None:
    assert services["worker"]["command"][2:] == ["--queues", ",".join(Settings().queues)]


def test_each_secret_goes_only_to_the_service_that_needs_it(services: dict[str, dict[str, Any]]) -> None:
    holders = {
        secret: {name for name, service in services.items() if value in yaml.safe_dump(service)}
        for secret, value in SECRETS.items()
    }
    tokens = ("TOPSHELF_TOKENS_READ", "TOPSHELF_TOKENS_EVENTS", "TOPSHELF_TOKENS_ADMIN")
    assert holders == {
        "REDIS_PASSWORD": {"redis", *OURS},
        "TOPSHELF_FLOWER_PASSWORD": {"flower"},
        **{token: {"api"} for token in tokens},
    }


def test_only_loopback_ports_are_published(services: dict[str, dict[str, Any]]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"api": ["127.0.0.1:8000:8000"], "flower": ["127.0.0.1:5555:5555"]}


@pytest.mark.parametrize("name", OURS)
def test_every_service_is_probed_restarted_and_waits_for_redis(
    services: dict[str, dict[str, Any]], name: str
) -> None:
    service = services[name]
    assert service["healthcheck"]["test"] == ["CMD", "python", "/probe.py", name]
    assert service["restart"] == "unless-stopped"
    assert service["depends_on"]["redis"]["condition"] == "service_healthy"
    assert service["cap_drop"] == ["ALL"]


def test_every_volume_is_kept_by_name(services: dict[str, dict[str, Any]]) -> None:
    loaded = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    mounted = {volume.partition(":")[0] for service in services.values() for volume in service["volumes"]}
    assert mounted == loaded["volumes"].keys()


def test_redis_starts_with_the_options_given_and_keeps_what_it_holds(
    services: dict[str, dict[str, Any]], redis_server: EmbeddedRedis
) -> None:
    program, *words = services["redis"]["command"]
    assert program == "redis-server"
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert options.pop("--requirepass") == services["redis"]["environment"]["REDISCLI_AUTH"]
    with connect(redis_server.url) as client:
        for option, value in options.items():
            assert client.config_get(option.removeprefix("--")) == {option.removeprefix("--"): value}
