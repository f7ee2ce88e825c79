"""What happens to messages while the broker is away."""

from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr

from interactions.dataset import Dataset
from store.embedded import free_port
from store.jobs import Job
from tests.workers.filling import trained
from topshelf.errors import StoreUnavailable
from topshelf.settings import Settings
from workers.admission import admit
from workers.celery_app import create_app
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.tasks.precompute import precompute


@pytest.fixture
def unheard(settings: Settings) -> Iterator[Dispatcher]:
    """A dispatcher whose broker is away, while both stores answer."""
    away = SecretStr(f"redis://127.0.0.1:{free_port()}/0")
    app = create_app(settings.model_copy(update={"durable_url": away, "trackers": ("mlflow",)}))
    yield Dispatcher(app)
    app.close()


SENDS: dict[str, Callable[[Dispatcher, Job], object]] = {
    "start": lambda dispatch, job: dispatch.start(job.id),
    "stage": lambda dispatch, job: dispatch.stage(job, "precompute"),
    "chunks": lambda dispatch, job: dispatch.chunks(job, "1", [0, 1]),
    "waiting": lambda dispatch, job: dispatch.waiting("io"),
}


@pytest.mark.parametrize("send", SENDS.values(), ids=SENDS)
def test_a_broker_that_is_away_is_a_store_that_is_away(
    runtime: Runtime, unheard: Dispatcher, send: Callable[[Dispatcher, Job], object]
) -> None:
    job, _ = runtime.jobs.create("precompute", "als")
    with pytest.raises(StoreUnavailable, match="does not answer"):
        send(unheard, job)


def test_the_trackers_message_may_be_lost(unheard: Dispatcher) -> None:
    unheard.sync_runs()


def test_a_broker_that_goes_away_while_chunks_are_sent_leaves_the_job_to_be_sent_again(
    runtime: Runtime, unheard: Dispatcher, dataset: Dataset
) -> None:
    trained(runtime, dataset)
    job, _ = runtime.jobs.create("precompute", "als")
    admit(runtime, job)
    with pytest.raises(StoreUnavailable):
        precompute(runtime, unheard, job.id)
    left = runtime.jobs.get(job.id)
    assert (left.state, left.stage) == ("running", "precompute")
    assert runtime.generations.get("als", left.generation).state == "building"
