"""``docker-compose.yml`` as compose reads it."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"

Service = dict[str, Any]


def compose_file(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The whole file, interpolated with ``environ``: by default nothing is set."""
    loaded: dict[str, Any] = yaml.safe_load(_interpolated(FILE.read_text(), environ or {}))
    return loaded


@cache
def services() -> dict[str, Service]:
    """Every service by its name."""
    found: dict[str, Service] = compose_file()["services"]
    return found


def is_ours(service: Service) -> bool:
    """Whether it runs a command of this project."""
    command: list[str] = service.get("command", [""])
    return command[0] == "topshelf" or command == ["python", "-m", "api"]


def image_environment(service: Service) -> dict[str, str]:
    """What a service's Dockerfile sets; nothing for an image of somebody else."""
    block = re.search(r"^ENV ((?:.*\\\n)*.*)$", _last_stage(service), re.MULTILINE)
    words = block[1].replace("\\\n", " ").split() if block else []
    return dict(word.split("=", 1) for word in words)


def image_files(service: Service) -> dict[str, Path]:
    """The files that a service's Dockerfile copies, by where they lie in the image."""
    copied = re.findall(r"^COPY (deploy/\S+) (/\S+)$", _last_stage(service), re.MULTILINE)
    return {target: ROOT / source for source, target in copied}


def image_sources() -> list[str]:
    """What is sent to the engine: the files and folders that images are made of."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line[1:] for line in lines if line.startswith("!")]


def _last_stage(service: Service) -> str:
    if "build" not in service:
        return ""
    text: str = (ROOT / service["build"]["dockerfile"]).read_text()
    return text.rpartition("\nFROM ")[2]


def _interpolated(text: str, environ: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        name, operator, default = found.groups()
        given = environ.get(name)
        if operator == ":-":
            return given or str(default)
        return str(default) if given is None else given

    return re.sub(r"(?<!\$)\$\{(\w+)(:?-)([^}]*)\}", value, text).replace("$$", "$")
