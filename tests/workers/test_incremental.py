"""Incremental runs, through real worker processes."""

import datetime as dt

import pytest

from interactions.dataset import Dataset
from models.registry import create_model
from store.events import Event
from store.generation import Generation
from store.job import JobKind
from store.stocked import read_lists, read_rows
from tests.waiting import wait_until
from tests.workers.conftest import StartWorker, finished, long_known, succeeded
from workers.content import load_content
from workers.dispatch import Dispatcher
from workers.pipelines import start_pipelines
from workers.runtime import Runtime
from workers.scoring import score_users
from workers.tasks.nightly import nightly
from workers.tasks.reconcile import reconcile

TASTE_ITEMS = 30
NEWCOMER, NEW_ITEM = 5_000, 50
"""The new item comes first in the new dataset version, so that every other one has another index there."""


def taste(number: int) -> list[int]:
    """The items of a taste; user u has fifteen of those of taste u % 4."""
    return list(range(100 + TASTE_ITEMS * number, 100 + TASTE_ITEMS * (number + 1)))


class Shop:
    """One model's lists, by external ids."""

    def __init__(self, runtime: Runtime, dispatcher: Dispatcher, model: str, dataset: Dataset) -> None:
        self.runtime, self.dispatcher, self.model, self.dataset = runtime, dispatcher, model, dataset
        self._sent = 0

    def publish(self) -> Generation:
        """A base, by a whole pipeline on the dataset as it was."""
        jobs = start_pipelines(
            self.runtime, self.dispatcher, run="base", models=(self.model,), dataset=self.dataset.version
        )
        succeeded(self.runtime, *jobs)
        return self.layers()[0]

    def publish_ungated(self) -> Generation:
        """A base of whatever the model's defaults give."""
        model = create_model(self.model).fit(self.dataset.training_set())
        manifest = self.runtime.artifacts.save(
            model, dataset_version=self.dataset.version, metrics={}, split="s", code_version="1"
        )
        succeeded(self.runtime, self.send("precompute", {"artifact": manifest.id}))
        return self.layers()[0]

    def take(self, user: int, *items: int) -> None:
        """A user touches items, in the stream."""
        events = []
        for item in items:
            self._sent += 1
            moment = dt.datetime(2026, 11, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=self._sent)
            events.append(Event(f"{self.model}-{self._sent}", user, item, moment.isoformat(), 1.0))
        self.runtime.events.append(events)

    def send(self, kind: JobKind = "delta", params: dict[str, str] | None = None) -> str:
        job, _ = self.runtime.jobs.create(kind, self.model, params=params)
        self.dispatcher.start(job.id)
        return job.id

    def layers(self) -> list[Generation]:
        return list(self.runtime.generations.layers(self.model))

    def lists(self, users: list[int], layers: list[Generation] | None = None) -> list[list[int]]:
        """What users are served."""
        keys = [str(user).encode() for user in users]
        found = read_lists(self.runtime.serving, self.runtime.keys, layers or self.layers(), keys)
        return [self.dataset.items.ids_of(items) for items in found]

    def stocked_in(self, generation: Generation, users: list[int]) -> list[bool]:
        keys = [str(user).encode() for user in users]
        rows = read_rows(self.runtime.serving, self.runtime.keys, generation, keys)
        return [row is not None for row in rows]


@pytest.mark.parametrize("model", ["als", "item_knn"])
def test_who_has_new_events_gets_a_list_over_the_base(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker, model: str
) -> None:
    start_worker()
    shop = Shop(runtime, dispatcher, model, dataset)
    base = shop.publish()
    everybody = dataset.users.external.tolist()
    before = shop.lists(everybody)

    first = before[8][:3]
    shop.take(8, *first)
    shop.take(9, *taste(2)[:12], NEW_ITEM)
    shop.take(10, NEW_ITEM)
    shop.take(NEWCOMER, *taste(3)[:5])
    shop.take(NEWCOMER + 1, NEW_ITEM)
    [job] = succeeded(runtime, shop.send())

    [live, delta] = shop.layers()
    assert (live, str(runtime.generations.pointer(model))) == (base, f"{base.id}:{delta.id}")
    assert (delta.n_users, delta.base, delta.dataset) == (3, base.id, dataset.version)
    assert delta.newer == job.dataset == runtime.datasets.latest().version != dataset.version
    assert (delta.artifact, delta.knn, delta.k_store) == (base.artifact, base.knn, base.k_store)
    assert delta.warning == ""
    assert shop.stocked_in(delta, [8, 9, 10, NEWCOMER, NEWCOMER + 1]) == [True, True, False, True, False]

    after = shop.lists(everybody)
    assert [user for user in everybody if after[user] != before[user]] == [8, 9]
    assert not set(after[8]) & set(first)
    assert len(after[8]) >= 10
    assert len(set(after[9]) & set(taste(2))) > len(set(before[9]) & set(taste(2)))
    [newcomer, only_new] = shop.lists([NEWCOMER, NEWCOMER + 1])
    assert not set(newcomer) & set(taste(3)[:5])
    assert set(newcomer[:10]) <= set(taste(3))
    assert only_new == []

    assert job.result is not None
    assert (job.result["generation"], job.result["users"]) == (delta.id, 3)
    assert job.result["changed"] == delta.changed == 1.0
    assert 0 < job.result["overlap"] < 1
    assert f"generation {base.id}:{delta.id} is live with new lists for 3 users: " in job.message
    assert "100.0% of the users have another one" in job.message
    assert runtime.lock.owner(model) is None


def test_a_second_delta_has_what_the_first_one_had_and_takes_its_place(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker
) -> None:
    start_worker()
    shop = Shop(runtime, dispatcher, "als", dataset)
    base = shop.publish()
    before = shop.lists([8, 9])
    shop.take(8, *before[0][:3])
    succeeded(runtime, shop.send())
    [_, first] = shop.layers()
    once = shop.lists([8])
    shop.take(9, *before[1][:3])
    succeeded(runtime, shop.send())
    [_, second] = shop.layers()
    assert (second.n_users, second.replaces, second.base) == (2, first.id, base.id)
    assert runtime.generations.get("als", first.id).state == "retired"
    assert shop.stocked_in(second, [8, 9]) == [True, True]
    assert shop.lists([8]) == once
    # Of the two it has, user 8 had this list from the first delta already.
    assert second.changed == 0.5

    assert str(runtime.generations.rollback("als")) == base.id
    assert shop.lists([8, 9]) == before
    [held] = finished(runtime, shop.send())
    assert held.error is not None
    assert held.error["error_key"] == "model_on_hold"
    assert runtime.generations.release("als")
    succeeded(runtime, shop.send())
    assert shop.layers()[1].n_users == 2


def test_a_worker_killed_in_mid_run_is_replaced_and_the_lists_are_the_models(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker
) -> None:
    first = start_worker()
    shop = Shop(runtime, dispatcher, "als", dataset)
    shop.publish()
    for user in range(0, 300, 2):
        shop.take(user, *taste(user % 4)[:20])
    job_id = shop.send()
    wait_until(lambda: runtime.jobs.get(job_id).state == "running", "the job under way")
    first.kill()
    start_worker()

    def over() -> bool:
        reconcile(runtime, dispatcher)
        return runtime.jobs.get(job_id).over

    wait_until(over, "the job over")
    succeeded(runtime, job_id)
    [_, delta] = shop.layers()
    content = load_content(runtime, delta)
    users = content.shelf.dataset.users.ids_of(content.users)
    ranking = score_users(content.shelf, content.users, delta.k_store)
    expected = [dataset.items.ids_of(items[items >= 0]) for items in ranking.items]
    assert (delta.n_users, users) == (150, list(range(0, 300, 2)))
    assert shop.lists(users, [delta]) == expected


def test_with_nothing_new_the_run_says_so_and_publishes_nothing(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker
) -> None:
    start_worker()
    shop = Shop(runtime, dispatcher, "item_knn", dataset)
    base = shop.publish()
    [first] = succeeded(runtime, shop.send())
    shop.take(8, NEW_ITEM)
    [second] = succeeded(runtime, shop.send())
    for job in (first, second):
        assert job.message == f"nobody has new events since generation {base.id}; nothing was published"
        assert job.result == {"generation": None, "users": 0}
        assert job.progress == 1.0
    shop.take(8, *shop.lists([8])[0][:1])
    succeeded(runtime, shop.send())
    [third] = succeeded(runtime, shop.send())
    assert f"since generation {base.id}:" in third.message
    assert [layer.id for layer in shop.layers()] == ["1", "2"]
    assert runtime.lock.owner("item_knn") is None


@pytest.mark.parametrize(
    ("model", "publish", "params", "key", "advice"),
    [
        ("als", False, {}, "generation_not_found", "topshelf pipeline als"),
        ("bpr", True, {}, "model_cannot_fold_in", "topshelf pipeline bpr"),
        ("popular", True, {}, "model_cannot_fold_in", "topshelf pipeline popular"),
        ("popular", True, {"artifact": "x"}, "config_invalid", "newest dataset, not artifact"),
    ],
)
def test_a_delta_that_cannot_be_made_says_why(
    runtime: Runtime,
    dispatcher: Dispatcher,
    dataset: Dataset,
    start_worker: StartWorker,
    model: str,
    publish: bool,
    params: dict[str, str],
    key: str,
    advice: str,
) -> None:
    start_worker()
    shop = Shop(runtime, dispatcher, model, dataset)
    if publish:
        shop.publish_ungated()
    shop.take(8, 101)
    [job] = finished(runtime, shop.send(params=params))
    assert job.error is not None
    assert job.error["error_key"] == key
    assert advice in job.error["error_message"]
    assert len(shop.layers()) == publish
    assert runtime.lock.owner(model) is None


def test_the_nightly_run_leaves_no_delta_and_the_sweep_takes_its_rows(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker
) -> None:
    start_worker()
    shop = Shop(runtime, dispatcher, "item_knn", dataset)
    base = shop.publish()
    shop.take(8, *shop.lists([8])[0][:3])
    succeeded(runtime, shop.send())
    [_, delta] = shop.layers()

    long_known(runtime)
    nightly(runtime, dispatcher)
    run = [job.id for job in runtime.jobs.list() if job.kind == "pipeline" and job.model == "item_knn"]
    succeeded(runtime, *run)
    [live] = shop.layers()
    assert (live.dataset, live.replaces, live.n_users) == (delta.newer, base.id, dataset.manifest.n_users)
    assert runtime.generations.get("item_knn", delta.id).state == "retired"
    assert shop.stocked_in(delta, [8]) == [True]
    runtime.generations.sweep("item_knn", retire_after_seconds=0, zombie_after_seconds=10_000)
    assert shop.stocked_in(delta, [8]) == [False]
    assert str(runtime.generations.rollback("item_knn")) == base.id
