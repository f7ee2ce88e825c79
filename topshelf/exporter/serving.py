"""Figures of the serving Redis: what is live of each model, and what its generations take."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import redis
from prometheus_client import Metric

from store.generation import Generation
from store.generation_memory import GenerationMemory
from store.generations import Generations
from store.keys import Keys
from topshelf.errors import GenerationNotFound
from topshelf.exporter.families import Sample, gauge


class ServingFigures:
    """Reads the records of every generation."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._generations = Generations(client, keys)
        self._memory = GenerationMemory(client, keys)

    def models(self) -> list[str]:
        """Models that ever had a generation.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        return self._generations.models()

    def collect(self, models: Sequence[str]) -> Iterator[Metric]:
        """All families.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        layers = {model: self._layers(model) for model in models}
        live = {model: found[0] for model, found in layers.items() if found}
        deltas = [found[1] for found in layers.values() if len(found) > 1]
        yield from _live_figures([*live.values()])
        yield gauge(
            "topshelf_delta_users",
            "Users with a newer list over the live generation",
            ("model",),
            [((delta.model,), delta.users_written) for delta in deltas],
        )
        yield gauge(
            "topshelf_model_held",
            "Whether a rollback keeps anything new from being published",
            ("model",),
            [((model,), self._generations.held_since(model) is not None) for model in models],
        )
        known = [found for model in models for found in self._generations.list(model) if not found.swept]
        yield gauge(
            "topshelf_generation_bytes",
            "Bytes of a generation in Redis, without catalogue and neighbour artifact",
            ("model", "generation", "state"),
            [
                ((found.model, found.id, found.state), size)
                for found, size in zip(known, self._memory.measure(known), strict=True)
            ],
        )

    def _layers(self, model: str) -> Sequence[Generation]:
        try:
            return self._generations.layers(model)
        except GenerationNotFound:  # the pointer moved, and what it named was swept
            return ()


def _live_figures(live: Sequence[Generation]) -> Iterator[Metric]:
    now = time.time()
    figures: tuple[tuple[str, str, Callable[[Generation], float | None]], ...] = (
        ("live_age_seconds", "Time since the live generation was published", lambda one: now - _epoch(one)),
        ("live_users", "Users with a row in the live generation", lambda one: one.users_written),
        ("live_items", "Items of the live generation's catalogue", lambda one: one.n_items),
        ("live_user_coverage", "Share of its dataset's users that have a row", _user_coverage),
        (
            "live_overlap",
            "Share of a list kept from the generation before, on average",
            lambda one: one.overlap,
        ),
        ("live_changed", "Share of the users whose list is another one than before", lambda one: one.changed),
    )
    for name, what, value in figures:
        samples: list[Sample] = [((one.model,), value(one)) for one in live]
        yield gauge(f"topshelf_{name}", what, ("model",), samples)


def _user_coverage(generation: Generation) -> float | None:
    """None where one list serves everybody."""
    return generation.users_written / generation.n_users if generation.n_users else None


def _epoch(generation: Generation) -> float:
    return datetime.fromisoformat(generation.published or generation.created).timestamp()
