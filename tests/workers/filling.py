"""Datasets of a size to be killed in the middle of, and precompute jobs worked off in this process."""

from typing import Any

import numpy as np
import polars as pl

from interactions.columns import ITEM, TIMESTAMP, USER, WEIGHT
from interactions.dataset import Dataset
from models.registry import create_model
from store.jobs import Job
from store.stocked import read_rows
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.tasks.pipeline import pipeline
from workers.tasks.precompute import precompute, precompute_chunk

TASTES, TASTE_ITEMS, PER_USER = 8, 40, 16


def taste_dataset(runtime: Runtime, n_users: int) -> Dataset:
    """Users of eight tastes, each with sixteen of the taste's forty items."""
    chance = np.random.default_rng(11)
    of_taste = chance.random((n_users, TASTE_ITEMS)).argsort(axis=1)[:, :PER_USER]
    items = TASTE_ITEMS * (np.arange(n_users) % TASTES)[:, None] + of_taste
    frame = pl.DataFrame(
        {
            USER: np.repeat(np.arange(n_users), PER_USER),
            ITEM: items.ravel(),
            TIMESTAMP: np.tile(np.arange(PER_USER), n_users),
        }
    ).with_columns(
        pl.from_epoch(TIMESTAMP).cast(pl.Datetime("us")),
        pl.lit(1.0, pl.Float32).alias(WEIGHT),
    )
    return runtime.datasets.create(frame, user_id_type="int64", item_id_type="int64")


def trained(runtime: Runtime, dataset: Dataset, model: str = "als") -> str:
    """The artifact of a small model."""
    config = {"factors": 8, "iterations": 2} if model == "als" else {}
    fitted = create_model(model, config).fit(dataset.training_set())
    manifest = runtime.artifacts.save(
        fitted, dataset_version=dataset.version, metrics={}, split="none", code_version="test"
    )
    return manifest.id


def opened(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, model: str = "als", **params: Any
) -> Job:
    """A precompute job of a small model; its generation is open, its chunks are sent."""
    trained(runtime, dataset, model)
    job, _ = runtime.jobs.create("precompute", model, params=params)
    pipeline(runtime, dispatcher, job.id)
    precompute(runtime, dispatcher, job.id)
    return runtime.jobs.get(job.id)


def fill(runtime: Runtime, dispatcher: Dispatcher, job: Job, *chunks: int) -> None:
    """Work off some chunks of a job's generation, all where none is named."""
    generation = runtime.generations.get(job.model, job.generation)
    for chunk in chunks or range(generation.n_chunks):
        precompute_chunk(runtime, dispatcher, job.id, generation.id, chunk)


def live_rows(runtime: Runtime, model: str, dataset: Dataset) -> list[bytes | None]:
    """The row readers get, of every user."""
    live = runtime.generations.live(model)
    assert live is not None
    return read_rows(runtime.serving, runtime.keys, live, dataset.users.keys_of(range(len(dataset.users))))


def keys_of(runtime: Runtime, model: str, generation: str) -> set[str]:
    """Every key that names a generation."""
    found = (key.decode() for key in runtime.serving.scan_iter(f"{runtime.keys.prefix}*", count=10_000))
    return {key for key in found if f"{model}:{generation}:" in key or f"}}:gen:{generation}" in key}
