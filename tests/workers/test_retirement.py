"""What goes off the disk, and what must not."""

import os

import pytest

from interactions.dataset import Dataset
from store.events import Event
from store.job import Job
from store.records import SECONDS_A_DAY
from tests.workers.conftest import TASTE_ITEMS, TASTES
from tests.workers.filling import fill, trained
from topshelf.settings import Settings
from workers.dispatch import Dispatcher
from workers.nights import begin, due_by_hand
from workers.retirement import Retired, retire_files
from workers.runtime import Runtime
from workers.schedules import schedules_of
from workers.studies import studies_folder
from workers.tasks.drain import drain_events, refresh_dataset
from workers.tasks.pipeline import pipeline
from workers.tasks.precompute import precompute
from workers.tasks.publish import compare_sample, publish
from workers.tuning import Tuning


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"keep_datasets": 1, "keep_artifacts": 1})


class Shop:
    """A model whose lists are published and whose data grows, in this process."""

    def __init__(self, runtime: Runtime, dispatcher: Dispatcher) -> None:
        self.runtime, self.dispatcher = runtime, dispatcher
        self._sent = 0

    def grow(self) -> Dataset:
        """A newer dataset version: one more user has touched an item of another taste."""
        self._sent += 1
        item = 100 + TASTE_ITEMS * ((self._sent + 1) % TASTES)
        moment = f"2026-11-01T00:00:{self._sent:02}+00:00"
        self.runtime.events.append([Event(f"e{self._sent}", self._sent, item, moment, 1.0)])
        drain_events(self.runtime, self.dispatcher)
        return refresh_dataset(self.runtime)

    def publish(self, dataset: Dataset) -> Job:
        """A base of a fresh artifact on a dataset version."""
        artifact = trained(self.runtime, dataset)
        job, _ = self.runtime.jobs.create("precompute", "als", params={"artifact": artifact})
        return self._published(job)

    def publish_delta(self) -> Job:
        """Lists for those with new events."""
        job, _ = self.runtime.jobs.create("delta", "als")
        return self._published(job)

    def sweep(self) -> None:
        """Everything due of old generations goes, records and all."""
        for _ in range(2):
            self.runtime.generations.sweep("als", retire_after_seconds=0, zombie_after_seconds=0)

    def retire(self) -> Retired:
        return retire_files(self.runtime, unused_after_seconds=0)

    def datasets(self) -> set[str]:
        return {manifest.version for manifest in self.runtime.datasets.versions()}

    def artifacts(self) -> set[str]:
        return {manifest.id for manifest in self.runtime.artifacts.list()}

    def _published(self, job: Job) -> Job:
        pipeline(self.runtime, self.dispatcher, job.id)
        precompute(self.runtime, self.dispatcher, job.id)
        fill(self.runtime, self.dispatcher, self.runtime.jobs.get(job.id))
        publish(self.runtime, self.dispatcher, job.id)
        job = self.runtime.jobs.get(job.id)
        assert job.state == "succeeded", job.error
        return job


@pytest.fixture
def shop(runtime: Runtime, dispatcher: Dispatcher) -> Shop:
    return Shop(runtime, dispatcher)


def test_what_live_and_rollback_are_made_of_stays_the_rest_goes(
    runtime: Runtime, shop: Shop, dataset: Dataset
) -> None:
    jobs = [shop.publish(dataset), *(shop.publish(shop.grow()) for _ in range(3))]
    newest = shop.grow()
    shop.sweep()
    retired = shop.retire()
    assert set(retired.datasets) == {job.dataset for job in jobs[:2]}
    assert shop.datasets() == {jobs[2].dataset, jobs[3].dataset, newest.version}
    assert {jobs[2].artifact, jobs[3].artifact} <= shop.artifacts()
    assert jobs[0].artifact not in shop.artifacts()
    assert shop.retire() == Retired()

    assert str(runtime.generations.rollback("als")) == jobs[2].generation
    shop.sweep()
    shop.retire()
    compare_sample(runtime, "als", jobs[2].generation)
    assert runtime.datasets.open(jobs[2].dataset, verify=True)


def test_a_generation_that_redis_still_knows_keeps_its_files(shop: Shop, dataset: Dataset) -> None:
    jobs = [shop.publish(dataset), *(shop.publish(shop.grow()) for _ in range(2))]
    assert shop.retire() == Retired()
    assert {job.dataset for job in jobs} == shop.datasets()


def test_a_delta_keeps_its_base_and_its_histories(runtime: Runtime, shop: Shop, dataset: Dataset) -> None:
    base = shop.publish(dataset)
    between = shop.grow()
    delta_of = shop.grow()
    delta = shop.publish_delta()
    newest = shop.grow()
    shop.sweep()
    assert shop.retire().datasets == [between.version]
    assert shop.datasets() == {base.dataset, delta_of.version, newest.version}
    assert delta.dataset == delta_of.version
    compare_sample(runtime, "als", delta.generation)
    shop.publish_delta()
    assert [layer.newer for layer in runtime.generations.layers("als")] == ["", newest.version]


def test_what_jobs_and_nightly_runs_work_on_stays(
    runtime: Runtime, settings: Settings, shop: Shop, dataset: Dataset
) -> None:
    of_run = shop.grow()
    of_queued = shop.grow()
    between = shop.grow()
    shop.grow()
    job, _ = runtime.jobs.create("pipeline", "als")
    runtime.jobs.update(job.id, dataset=dataset.version)
    runtime.jobs.create("train", "popular", params={"dataset": of_queued.version})
    schedule = schedules_of(settings).get("nightly")
    run, _ = begin(runtime, schedule, due_by_hand(schedule, None), "hand")
    runtime.nights.update(run.id, dataset=of_run.version)
    assert shop.retire().datasets == [between.version]


def test_what_a_study_works_on_stays_between_its_jobs_until_nobody_has_gone_on_with_it_for_long(
    runtime: Runtime, settings: Settings, dispatcher: Dispatcher, shop: Shop, dataset: Dataset
) -> None:
    study = Tuning(
        runtime, dispatcher, "als", name="als/v1", dataset=dataset.version, metric="NDCG@10", fixed={}
    )

    def leave(jobs: list[Job], over: int) -> None:
        for job in jobs:
            runtime.jobs.request_cancel(job.id)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.run(2, 1, lambda _: None, leave)
    shop.grow()
    assert not runtime.jobs.active()
    assert shop.retire() == Retired()

    [note] = studies_folder(settings.data_dir).glob("*.dataset")
    long_ago = note.stat().st_mtime - (settings.job_retention_days + 1) * SECONDS_A_DAY
    os.utime(note, (long_ago, long_ago))
    assert shop.retire().datasets == [dataset.version]


def test_an_artifact_that_a_job_names_stays_with_its_dataset(
    runtime: Runtime, shop: Shop, dataset: Dataset
) -> None:
    first, second = shop.publish(dataset), shop.publish(shop.grow())
    artifacts = [
        job.artifact for job in (first, second, shop.publish(shop.grow()), shop.publish(shop.grow()))
    ]
    shop.sweep()
    runtime.jobs.create("precompute", "als", params={"artifact": artifacts[0]})
    config = {"components": [{"artifact": artifacts[1]}]}
    runtime.jobs.create("pipeline", "blend", params={"config": config})
    assert shop.retire() == Retired()
    assert set(artifacts) <= shop.artifacts()
    assert first.dataset in shop.datasets()


def test_zero_keeps_everything(settings: Settings, shop: Shop, dataset: Dataset) -> None:
    keeping = Runtime(settings.model_copy(update={"keep_datasets": 0, "keep_artifacts": 0}))
    shop.grow()
    shop.grow()
    assert retire_files(keeping, unused_after_seconds=0) == Retired()


def test_what_is_young_stays_for_it_may_be_about_to_be_named(
    runtime: Runtime, shop: Shop, dataset: Dataset
) -> None:
    shop.grow()
    shop.grow()
    assert retire_files(runtime) == Retired()


def test_segments_go_with_a_version_whose_events_a_later_one_has(
    runtime: Runtime, shop: Shop, dataset: Dataset
) -> None:
    middle, newest = shop.grow(), shop.grow()
    merged = runtime.settings.data_dir / "events" / "merged"
    assert {folder.name for folder in merged.iterdir()} == {middle.version, newest.version}
    shop.retire()
    assert [folder.name for folder in merged.iterdir()] == [newest.version]
    assert set(newest.event_ids().drop_nulls().to_list()) == {"e1", "e2"}


def test_segments_of_a_version_that_nothing_came_of_stay(
    runtime: Runtime, shop: Shop, dataset: Dataset
) -> None:
    """A file ingested since may lack what only these events say."""
    lonely = shop.grow()
    rows = dataset.rows().head(100).drop("event_id")
    anew = runtime.datasets.create(rows, user_id_type="int64", item_id_type="int64")
    shop.retire()
    assert shop.datasets() == {anew.version}
    assert (runtime.settings.data_dir / "events" / "merged" / lonely.version).is_dir()


def test_segments_stay_where_all_that_has_their_events_goes_at_once(
    runtime: Runtime, shop: Shop, dataset: Dataset
) -> None:
    """The version extended from them goes, too: a file ingested since has their events no more."""
    extended = [shop.grow(), shop.grow()]
    rows = dataset.rows().head(100).drop("event_id")
    anew = runtime.datasets.create(rows, user_id_type="int64", item_id_type="int64")
    shop.retire()
    assert shop.datasets() == {anew.version}
    merged = runtime.settings.data_dir / "events" / "merged"
    assert {folder.name for folder in merged.iterdir()} == {version.version for version in extended}


def test_a_dataset_that_cannot_be_read_keeps_everything(
    runtime: Runtime, shop: Shop, dataset: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    shop.grow()
    (runtime.datasets.root / dataset.version / "manifest.json").write_text("{")
    assert shop.retire() == Retired()
    assert "nothing is retired" in caplog.text


def test_indexes_of_no_generation_go(runtime: Runtime, shop: Shop, dataset: Dataset) -> None:
    job = shop.publish(dataset)
    runtime.indexes.root.mkdir(parents=True)
    index = runtime.indexes.root / f"{job.artifact}-0123456789ab.npy"
    index.touch()
    other = runtime.indexes.root / "bpr-20260101T000000Z-00000000-0123456789ab.npy"
    other.touch()
    shop.retire()
    assert not index.exists()
    assert other.exists()
