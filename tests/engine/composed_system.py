"""The compose file's services in containers, from a copy of what the images are made of."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.deploy.composed import ROOT, image_sources
from topshelf.settings import process_environment

PROJECT = "topshelf-test"
PROFILES = ("scaled", "monitoring", "tracking", "errors")
COMMAND_SECONDS = 1_200


class ComposedSystem:
    """One compose project in a folder of its own; its ports are those of the file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        shutil.copytree(ROOT / "deploy", folder / "deploy")
        for source in ("docker-compose.yml", ".dockerignore", *image_sources()):
            place = ROOT / source
            if place.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(place, folder / source, ignore=ignored, dirs_exist_ok=True)
            else:
                shutil.copy2(place, folder / source)
        self._environ = process_environment() | {"COMPOSE_PROJECT_NAME": PROJECT, "COMPOSE_PROFILES": ""}

    @property
    def read_token(self) -> str:
        """What a client of the readers shows."""
        return (self.folder / "secrets" / "tokens_read").read_text()

    def shell(self, script: str) -> str:
        """What a script prints; it runs in the project's folder and fails with its first command."""
        return self._run(["bash", "-euo", "pipefail", "-c", script], self._environ)

    def compose(self, *arguments: str, profiles: Sequence[str] = PROFILES) -> str:
        """What ``docker compose`` prints."""
        environ = self._environ | {"COMPOSE_PROFILES": ",".join(profiles)}
        return self._run(["docker", "compose", *arguments], environ)

    def containers(self, *services: str) -> list[str]:
        """Ids of the containers, of some services where named."""
        return self.compose("ps", "--all", "--quiet", *services).split()

    def inspect(self, container: str) -> dict[str, Any]:
        """What the engine knows of a container."""
        [found] = json.loads(self._run(["docker", "inspect", container], self._environ))
        return dict(found)

    def kill_main_process(self, container: str) -> None:
        """``kill -9`` of what the container's init started."""
        child = self._run(["docker", "exec", container, "cat", "/proc/1/task/1/children"], self._environ)
        kill = ["docker", "exec", container, "sh", "-c", f"kill -9 {child.split()[0]}"]
        subprocess.run(
            kill, env=self._environ, capture_output=True, check=False
        )  # the container may be faster

    def restarts(self, container: str) -> int:
        """How often the engine has started a container again."""
        return int(self.inspect(container)["RestartCount"])

    def is_healthy(self, container: str) -> bool:
        """Whether a container's own check says so."""
        return bool(self.inspect(container)["State"]["Health"]["Status"] == "healthy")

    def remove(self) -> None:
        """Take away its containers, networks and volumes; the images stay."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "10")

    def _run(self, command: Sequence[str], environ: Mapping[str, str]) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout
