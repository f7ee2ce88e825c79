"""The compose file and the images name only what exists; there is no engine here to run them."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from topshelf.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DOCKERFILES = sorted((ROOT / "deploy").glob("*.Dockerfile"))
SECRETS = {
    f"{PREFIX}{name}": "secret"
    for name in ("TOKENS_READ", "TOKENS_EVENTS", "TOKENS_ADMIN", "FLOWER_PASSWORD")
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def config(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = shutil.which("docker-compose")
    if command is None:
        pytest.skip("docker-compose is not installed")
    return subprocess.run(
        [command, "--file", str(ROOT / "docker-compose.yml"), "config"],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_compose_accepts_the_file() -> None:
    done = config(SECRETS)
    assert done.returncode == 0, done.stderr
    assert {"redis", "api", "worker", "beat", "flower"} <= yaml.safe_load(done.stdout)["services"].keys()


def test_without_a_token_compose_says_which_one_is_missing() -> None:
    done = config({name: value for name, value in SECRETS.items() if not name.endswith("ADMIN")})
    assert done.returncode != 0
    assert "TOPSHELF_TOKENS_ADMIN" in done.stderr


def test_every_service_runs_a_command_that_exists(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if name == "redis":
            continue
        program, command = service["command"]
        assert program == "topshelf"
        done = subprocess.run(
            [sys.executable, "-m", "topshelf", command, "--help"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_every_setting_of_a_service_exists_and_can_be_read(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        given = {
            name: re.sub(r"\$\{[^}]*\}", "0 3 * * *" if "CRON" in name else "UTC", value)
            for name, value in service.get("environment", {}).items()
        }
        Settings.from_environment(given)


def test_only_loopback_ports_are_published(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_an_image_is_made_of_what_exists_and_runs_as_nobody_special(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists()
            assert f"!{source}" in ignored
    packages = {path.parent.name for path in ROOT.glob("*/py.typed")}
    assert packages <= set(re.findall(r"^COPY (\w+) \w+$", text, re.MULTILINE))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for wanted in re.findall(r"^ARG EXTRAS=(.+)$", text, re.MULTILINE):
        assert set(wanted.split(",")) <= extras.keys()
    assert "USER topshelf" in text
    for name in re.findall(r"(TOPSHELF_\w+)=", text):
        assert name.removeprefix(PREFIX).lower() in Settings.model_fields
