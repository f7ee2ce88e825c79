"""Feedback out of the stream into Parquet segments, and segments into a new dataset version."""

import datetime as dt
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from interactions.columns import EVENT, ITEM, TIMESTAMP, USER, WEIGHT
from interactions.dataset import Dataset
from store.events import Event
from workers.dispatch import Dispatcher
from workers.outcome import Outcome
from workers.runtime import Runtime

log = logging.getLogger(__name__)

BATCH_EVENTS = 10_000


def drain_events(runtime: Runtime, dispatch: Dispatcher) -> Outcome:  # noqa: ARG001 -- every task takes both
    """Write what waits in the stream to segments on disk; a batch leaves the stream once it is on disk."""
    drained = 0
    while batch := runtime.events.read_batch(BATCH_EVENTS):
        ids = [stream_id for stream_id, _ in batch]
        path = _pending(runtime) / f"{ids[0]}_{ids[-1]}.parquet"
        _write_durably(_frame([event for _, event in batch]), path)
        runtime.events.acknowledge(ids)
        log.info("%d events drained to %s", len(ids), path.name)
        drained += len(ids)
    return Outcome(f"{drained:,} events drained")


def refresh_dataset(runtime: Runtime) -> Dataset:
    """The newest dataset version, with every drained event in it; one process at a time makes a new one.

    Raises:
        DatasetNotFound: when nothing was ingested yet.
    """
    with _alone(runtime):
        return _with_segments(runtime)


def has_drained_events(runtime: Runtime) -> bool:
    """Whether drained events wait for a dataset version."""
    return any(_pending(runtime).glob("*.parquet"))


def _with_segments(runtime: Runtime) -> Dataset:
    base = runtime.datasets.latest()
    segments = sorted(_pending(runtime).glob("*.parquet"))
    if not segments:
        return base
    dataset = runtime.datasets.extend(base, pl.concat([pl.read_parquet(path) for path in segments]))
    merged = runtime.settings.data_dir / "events" / "merged" / dataset.version
    merged.mkdir(parents=True, exist_ok=True)
    for path in segments:
        path.rename(merged / path.name)
    log.info("dataset %s holds the events of %d segments", dataset.version, len(segments))
    return dataset


@contextmanager
def _alone(runtime: Runtime) -> Iterator[None]:
    """Two at once would each leave out what the other has; a process that dies lets go."""
    with (_pending(runtime) / "refresh.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _pending(runtime: Runtime) -> Path:
    folder = runtime.settings.data_dir / "events" / "pending"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _frame(events: list[Event]) -> pl.DataFrame:
    """Ids as text, whatever their type: the dataset they join declares it."""
    return pl.DataFrame(
        {
            EVENT: [event.event_id for event in events],
            USER: [str(event.user_id) for event in events],
            ITEM: [str(event.item_id) for event in events],
            TIMESTAMP: [
                dt.datetime.fromisoformat(event.timestamp).astimezone(dt.UTC).replace(tzinfo=None)
                for event in events
            ],
            WEIGHT: [event.weight for event in events],
        },
        schema_overrides={TIMESTAMP: pl.Datetime("us"), WEIGHT: pl.Float32},
    )


def _write_durably(frame: pl.DataFrame, path: Path) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        frame.write_parquet(file)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
