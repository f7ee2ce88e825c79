"""Sending a job's stages and chunks to their queues, and asking how much waits there."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kombu.exceptions import OperationalError

from models.registry import model_entry
from store.connection import store_errors
from store.dispatch import CHUNK_TASK, QUEUE_OF_STAGE, START_QUEUE, START_TASK, TASK_OF_STAGE
from store.jobs import Job
from topshelf.errors import StoreUnavailable

SYNC_TASK = "topshelf.sync_runs"
SYNC_EXPIRES_SECONDS = 300
NIGHT_TASK = "topshelf.nightly_run"
HOOKS_TASK = "topshelf.tell_hooks"
HOOKS_EXPIRE_SECONDS = 60


@contextlib.contextmanager
def broker_errors() -> Iterator[None]:
    """Turn every error of a broker that does not answer into ours; also a decorator.

    Raises:
        StoreUnavailable: what was to be sent may be lost; the reconciler sends it again.
    """
    try:
        # kombu lets some of redis-py's errors through as they are.
        with store_errors():
            yield
    except (OperationalError, OSError) as error:
        raise StoreUnavailable(f"the broker does not answer: {error}") from error


@dataclass(frozen=True)
class Dispatcher:
    """Sends messages that hold ids only.

    Every method raises ``StoreUnavailable`` where the broker does not answer.

    Attributes:
        app: the Celery app.
    """

    app: Any

    @broker_errors()
    def start(self, job_id: str) -> None:
        """Send the first task of a job, which checks that it may start."""
        self.app.send_task(START_TASK, args=[job_id], queue=START_QUEUE, argsrepr=job_id, kwargsrepr="")

    @broker_errors()
    def stage(self, job: Job, stage: str) -> None:
        """Send one stage of a job."""
        self.app.send_task(
            TASK_OF_STAGE[stage],
            args=[job.id],
            queue=self.queue_of(job.model, stage),
            argsrepr=job.id,
            kwargsrepr=_described(job, job.generation),
        )

    @broker_errors()
    def chunks(self, job: Job, generation: str, chunks: Iterable[int]) -> None:
        """Send chunks of a generation, ranges of buckets, for any worker; over one connection."""
        queue = self.queue_of(job.model, "precompute")
        with self.app.producer_pool.acquire(block=True) as producer:
            for chunk in chunks:
                self.app.send_task(
                    CHUNK_TASK,
                    args=[job.id, generation, chunk],
                    queue=queue,
                    producer=producer,
                    argsrepr=f"{job.id}, {generation}, {chunk}",
                    kwargsrepr=f"{_described(job, generation)} · chunk {chunk}",
                )

    @broker_errors()
    def night(self, run_id: str) -> None:
        """Send the present stage of a nightly run."""
        self.app.send_task(NIGHT_TASK, args=[run_id], queue="io", argsrepr=run_id, kwargsrepr="")

    @broker_errors()
    def tell_hooks(self) -> None:
        """Have the hooks told of nightly runs; the reconciler asks again while there is something to tell."""
        self.app.send_task(HOOKS_TASK, queue="io", expires=HOOKS_EXPIRE_SECONDS)

    def queue_of(self, model: str, stage: str) -> str:
        """The queue of a stage: what computes goes where the model wants it, the rest to ``io``.

        A generation is opened, its search timed and chosen, where its chunks are made: in the queue set for
        those of all models, else in the one the model is trained in.
        """
        if stage == "precompute" and self.app.settings.chunk_queue:
            return str(self.app.settings.chunk_queue)
        return QUEUE_OF_STAGE.get(stage) or model_entry(model).queue

    def sync_runs(self) -> None:
        """Have the trackers told of the runs soon; beat does so anyway, so a lost message does no harm."""
        if not self.app.settings.trackers:
            return
        with contextlib.suppress(StoreUnavailable), broker_errors():
            self.app.send_task(SYNC_TASK, queue="io", expires=SYNC_EXPIRES_SECONDS)

    @broker_errors()
    def waiting(self, queue: str) -> int:
        """How many messages nobody has taken from a queue yet."""
        with self.app.connection_for_write() as connection, connection.channel() as channel:
            return int(channel.queue_declare(queue=queue, passive=False).message_count)


def _described(job: Job, generation: str) -> str:
    """What a message is about, as Flower shows it in place of keyword arguments, of which there are none."""
    parts = [job.model, job.kind, *([f"dataset {job.dataset}"] if job.dataset else [])]
    return " · ".join([*parts, *([f"generation {generation}"] if generation else [])])
