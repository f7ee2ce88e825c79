"""The eight sides of the benchmark: which process, with which settings, asked for whom."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.reading.apps.serving import TOKEN
from benchmarks.reading.stock import FIRST_ITEM, MODEL, N_ITEMS, Stock
from topshelf.settings import PREFIX, Settings

Audience = Literal["stocked", "newcomers"]

CACHE_MB = 128
PROFILE_EVERY = 100


@dataclass(frozen=True)
class Side:
    """One service to measure.

    Attributes:
        key: its letter.
        title: what it is, in a few words.
        command: starts it; ``{port}`` stands for the port.
        audience: who is asked for.
        source: ``X-Reco-Source`` its answers must have; empty for none.
        ours: whether it is Topshelf's reader.
        warm: whether every bucket is asked for beforehand.
        lacks: a setting that this version of the reader does not have; such a side is not measured.
    """

    key: str
    title: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    audience: Audience = "stocked"
    source: str = ""
    ours: bool = False
    warm: bool = False
    lacks: str = ""


@dataclass(frozen=True)
class Place:
    """Where everything runs: a Redis, what stands in it, a folder for files."""

    redis_url: str
    stock: Stock
    folder: Path

    @property
    def cache_dir(self) -> Path:
        """Where readers keep catalogue and index."""
        return self.folder / "cache"

    @property
    def first_path(self) -> str:
        """The list of a user that every side knows."""
        return path_of(1)

    def app(self, name: str, **options: object) -> list[str]:
        """Command of one of the benchmark's own apps."""
        given = [f"--{option.replace('_', '-')}={_literal(value)}" for option, value in options.items()]
        return [sys.executable, "-m", f"benchmarks.reading.apps.{name}", "--port={port}", *given]

    def reader(self, settings: Mapping[str, object] | None = None) -> dict[str, str]:
        """Environment of a reader with these settings, the others at their defaults."""
        values = {
            "serving_url": self.redis_url,
            "durable_url": self.redis_url,
            "api_port": "{port}",
            "tokens_read": TOKEN,
            "log_level": "WARNING",
            "cache_dir": self.cache_dir,
            "data_dir": self.folder / "data",
            **(settings or {}),
        }
        return {PREFIX + name.upper(): str(value) for name, value in values.items()}


READER = [sys.executable, "-m", "api"]


def path_of(user: int) -> str:
    """Path of a user's list."""
    return f"/reco/{MODEL}/{user}"


def missing_setting(*names: str) -> str:
    """The first of these settings that this version of the reader does not have; empty when it has all."""
    return next((name for name in names if name not in Settings.model_fields), "")


def all_sides(place: Place, body: bytes, sentry_dsn: str) -> list[Side]:
    """Every side; ``body`` is an answer of the reader, for the hello to be of its size."""
    cold = {} if missing_setting("cache_mb") else {"cache_mb": 0}
    plain = place.app("plain", redis=place.redis_url, model=MODEL, cache=place.folder / "plain")
    scoring = place.app(
        "in_process", users=place.stock.n_users, items=N_ITEMS, first_item=FIRST_ITEM, model=MODEL
    )
    one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return [
        Side("a", "bare ASGI hello", place.app("hello", body=body.decode())),
        Side("b", "plain FastAPI + redis.asyncio", plain),
        Side("c", "als scored in the process", scoring, one_thread),
        _ours("d", "Topshelf, cold cache", place, cold),
        _ours("e", "Topshelf, warm cache", place, {"cache_mb": CACHE_MB}, warm=True),
        _ours("f", "Topshelf, kNN users", place, {}, audience="newcomers", source="knn"),
        _ours("g", "Topshelf, cold, Sentry on", place, cold | {"sentry_dsn": sentry_dsn}),
        _ours("h", "Topshelf, cold, 1 in 100 profiled", place, cold | {"profile_every": PROFILE_EVERY}),
    ]


def _ours(
    key: str,
    title: str,
    place: Place,
    settings: Mapping[str, object],
    *,
    audience: Audience = "stocked",
    source: str = "cache",
    warm: bool = False,
) -> Side:
    lacks = missing_setting(*settings)
    environment = {} if lacks else place.reader(settings)
    return Side(key, title, READER, environment, audience, source, ours=True, warm=warm, lacks=lacks)


def _literal(value: object) -> str:
    """A value in which nothing stands for the port."""
    return str(value).replace("{", "{{").replace("}", "}}")
