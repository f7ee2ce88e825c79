"""Stage publish: verify a whole generation, compare a sample with the model, flip the pointer."""

import logging
from dataclasses import asdict

import numpy as np

from store.generations import Generation
from store.repair import reopen_lost_chunks
from store.rows import unpack_row
from store.stocked import read_rows
from store.verification import missing_beside_rows
from topshelf.errors import GenerationIncomplete
from workers.churn import Churn, measure_churn
from workers.content import load_content
from workers.dispatch import Dispatcher
from workers.night_outcomes import VERIFYING
from workers.outcome import Outcome
from workers.runtime import Runtime
from workers.scoring import score_users
from workers.stage import MAX_ATTEMPTS, Stage, run_stage

log = logging.getLogger(__name__)

SAMPLE_USERS = 64


def publish(runtime: Runtime, dispatch: Dispatcher, job_id: str) -> Outcome:
    """Publish a job's generation; refused when a later run has overtaken it or a rollback holds the model."""
    return run_stage(runtime, dispatch, job_id, "publish", lambda stage: _publish(stage, dispatch))


def _publish(stage: Stage, dispatch: Dispatcher) -> bool:
    runtime, job = stage.runtime, stage.job
    if not job.generation:
        pointer = runtime.generations.pointer(job.model)
        message = stage.said = f"nobody has new events since generation {pointer}; nothing was published"
        runtime.jobs.update(job.id, progress=1.0, message=message, result={"generation": None, "users": 0})
        return True
    stage.report(0.0, VERIFYING)
    generation = runtime.generations.open(job.model, job.generation)
    if generation.state in {"building", "ready"}:
        if missing := missing_beside_rows(runtime.serving, runtime.keys, generation):
            log.warning("job %s: %s went away and is written again", job.id, ", ".join(missing))
            _back_to_precompute(stage, dispatch)
            return False
        try:
            runtime.generations.verify(job.model, generation.id)
        except GenerationIncomplete as incomplete:
            _write_lost_chunks(stage, dispatch, generation, incomplete)
            return False
        compare_sample(runtime, job.model, generation.id)
        stage.report(0.5, "comparing with what is live")
        churn = measure_churn(runtime, generation)
        shares = {} if churn is None else asdict(churn)
        runtime.generations.publish(job.model, generation.id, generation.fence, **shares)
    published = runtime.generations.get(job.model, generation.id)
    stage.said = f"generation {published.pointer} is live{_described(published)}"
    gate = (job.result or {}).get("gate")
    runtime.jobs.update(
        job.id,
        progress=1.0,
        message=stage.said,
        result={
            "generation": published.id,
            "users": published.n_users,
            "replaces": published.replaces,
            "overlap": published.overlap,
            "changed": published.changed,
        }
        | ({"gate": gate} if gate else {}),
    )
    return True


def _described(published: Generation) -> str:
    whose = f" with new lists for {published.n_users:,} users" if published.base else ""
    if published.overlap is None or published.changed is None:
        return whose
    return f"{whose}: {Churn(published.overlap, published.changed)}"


def _write_lost_chunks(
    stage: Stage, dispatch: Dispatcher, generation: Generation, incomplete: GenerationIncomplete
) -> None:
    """Go back to precompute for the chunks a killed server lost.

    Raises:
        GenerationIncomplete: there are none, or one of them was written as often as it may be.
    """
    runtime, job = stage.runtime, stage.job
    lost = reopen_lost_chunks(runtime.serving, runtime.keys, generation)
    if not lost or max(lost.values()) >= MAX_ATTEMPTS:
        raise incomplete
    log.warning("job %s: %s; %d chunks are written again", job.id, incomplete, len(lost))
    _back_to_precompute(stage, dispatch)


def _back_to_precompute(stage: Stage, dispatch: Dispatcher) -> None:
    if stage.runtime.jobs.advance(stage.job.id, "publish", "precompute"):
        dispatch.stage(stage.job, "precompute")


def compare_sample(runtime: Runtime, model: str, generation_id: str) -> None:
    """Score a sample of users anew and compare it with what stands in Redis.

    Raises:
        GenerationIncomplete: when a stored row is not the model's list.
    """
    generation = runtime.generations.get(model, generation_id)
    if generation.layout == "segments":
        return
    content = load_content(runtime, generation)
    users = content.sample(SAMPLE_USERS)
    expected = score_users(content.shelf, users, generation.k_store).items
    user_keys = content.shelf.dataset.users.keys_of(users)
    rows = read_rows(runtime.serving, runtime.keys, generation, user_keys)
    for user_key, row, items in zip(user_keys, rows, expected, strict=True):
        if row is None or not np.array_equal(unpack_row(row, generation.id_width), items[items >= 0]):
            raise GenerationIncomplete(
                f"{model} generation {generation_id}: the list of user {user_key.decode()} in Redis "
                "is not the model's; nothing was published"
            )
