"""Events between the stream and the dataset: every one once, whatever stops in between."""

import datetime as dt
import fcntl
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from interactions.dataset import Dataset
from store.events import Event
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.tasks.drain import drain_events, refresh_dataset


def event(number: int, dataset: Dataset) -> Event:
    user = dataset.users.ids_of([number % len(dataset.users)])[0]
    moment = dt.datetime(2026, 11, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=number)
    return Event(f"e{number}", user, 10**6 + number, moment.isoformat(), 1.0)


def segments(runtime: Runtime) -> list[pl.DataFrame]:
    folder = runtime.settings.data_dir / "events" / "pending"
    return [pl.read_parquet(path) for path in sorted(folder.glob("*.parquet"))]


def test_drained_events_are_on_disk_and_off_the_stream(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    runtime.events.append([event(number, dataset) for number in range(5)])
    drain_events(runtime, dispatcher)
    assert runtime.events.length() == 0
    [segment] = segments(runtime)
    assert segment["event_id"].to_list() == [f"e{number}" for number in range(5)]


def test_a_drain_that_died_before_the_acknowledgement_loses_and_doubles_nothing(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime.events.append([event(number, dataset) for number in range(5)])

    def die(ids: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(runtime.events, "acknowledge", die)
        with pytest.raises(KeyboardInterrupt):
            drain_events(runtime, dispatcher)
    assert runtime.events.length() == 5
    drain_events(runtime, dispatcher)
    assert runtime.events.length() == 0
    fresh = refresh_dataset(runtime)
    assert fresh.manifest.n_interactions == dataset.manifest.n_interactions + 5


def test_segments_become_a_dataset_version_once(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    runtime.events.append([event(1, dataset)])
    drain_events(runtime, dispatcher)
    fresh = refresh_dataset(runtime)
    assert fresh.manifest.parent == dataset.version
    assert refresh_dataset(runtime).version == fresh.version


def test_one_process_at_a_time_makes_a_dataset_version(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    runtime.events.append([event(1, dataset)])
    drain_events(runtime, dispatcher)
    lock_file = runtime.settings.data_dir / "events" / "pending" / "refresh.lock"
    with ThreadPoolExecutor() as pool:
        with lock_file.open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            waiting = [pool.submit(refresh_dataset, runtime) for _ in range(2)]
            runtime.events.append([event(2, dataset)])
            drain_events(runtime, dispatcher)
        versions = {future.result().version for future in waiting}
    [version] = versions
    assert runtime.datasets.open(version).manifest.n_interactions == dataset.manifest.n_interactions + 2
