"""Lua scripts, one file each; a script touches keys of one slot only."""

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import redis

Argument = str | bytes | int | float


@cache
def source(name: str) -> str:
    """Text of ``scripts/<name>.lua``."""
    return files("store").joinpath("scripts", f"{name}.lua").read_text(encoding="utf-8")


def names() -> list[str]:
    """Every script there is."""
    found = (entry.name for entry in files("store").joinpath("scripts").iterdir())
    return sorted(name.removesuffix(".lua") for name in found if name.endswith(".lua"))


def run(client: redis.Redis, name: str, keys: Sequence[str], args: Iterable[Argument] = ()) -> Any:
    """Run a script by its hash, loading it when the server does not have it yet."""
    return client.register_script(source(name))(keys=list(keys), args=list(args))


def run_text(client: redis.Redis, name: str, keys: Sequence[str], args: Iterable[Argument] = ()) -> str:
    """Run a script that answers with a word."""
    answer: bytes = run(client, name, keys, args)
    return answer.decode()
