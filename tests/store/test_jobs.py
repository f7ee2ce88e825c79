import re
import time

import pytest
import redis

from store.jobs import FINAL_STATES, STAGES, Job, Jobs, first_task
from store.keys import Keys
from tests.waiting import wait_until
from topshelf.errors import JobNotFound, StoreError


@pytest.fixture
def jobs(client: redis.Redis, keys: Keys) -> Jobs:
    return Jobs(client, keys, retention_days=30)


@pytest.fixture
def job(jobs: Jobs) -> Job:
    created, _ = jobs.create("pipeline", "als", params={"config": {"factors": 64}})
    return created


def test_a_new_job_is_queued_before_its_first_stage(jobs: Jobs, job: Job) -> None:
    assert (job.kind, job.model, job.state, job.stage) == ("pipeline", "als", "queued", "train")
    assert (job.progress, job.attempts, job.params) == (0.0, 0, {"config": {"factors": 64}})
    assert jobs.get(job.id) == job


def test_an_id_is_made_up_of_kind_model_and_chance(job: Job) -> None:
    assert re.fullmatch(r"pipeline-als-[0-9a-f]{8}", job.id)


def test_an_id_that_is_there_already_gives_the_job_behind_it(jobs: Jobs) -> None:
    first, created = jobs.create("train", "als", job_id="nightly-1", params={"config": {"factors": 1}})
    again, created_again = jobs.create("pipeline", "popular", job_id="nightly-1")
    assert (created, created_again) == (True, False)
    assert again == first
    assert len(jobs.list()) == 1


def test_a_job_asked_for_again_keeps_its_place(jobs: Jobs) -> None:
    for job_id in ("first", "second", "first"):
        jobs.create("train", "als", job_id=job_id)
    assert [found.id for found in jobs.list()] == ["second", "first"]


def test_a_job_that_is_not_there_is_an_error(jobs: Jobs) -> None:
    assert not jobs.exists("nobody")
    for ask in (jobs.get, jobs.update, jobs.request_cancel):
        with pytest.raises(JobNotFound, match="nobody"):
            ask("nobody")
    with pytest.raises(JobNotFound):
        jobs.finish("nobody", "failed")
    assert not jobs.begin_stage("nobody", "train", 60)
    assert not jobs.renew_stage("nobody", 60)
    assert not jobs.advance("nobody", "train", "evaluate")
    assert jobs.is_cancelling("nobody")


def test_a_job_is_named_by_kind_model_and_trace(jobs: Jobs) -> None:
    jobs.create("train", "als", job_id="j1", trace="t1")
    assert jobs.tags("j1") == ("train", "als", "t1")
    with pytest.raises(JobNotFound, match="no job 'j2'"):
        jobs.tags("j2")


def test_an_index_entry_without_a_record_is_passed_over(
    jobs: Jobs, job: Job, client: redis.Redis, keys: Keys
) -> None:
    """What a crash in the middle of create leaves behind."""
    client.zadd(keys.jobs, {"half-made": time.time()})
    assert [found.id for found in jobs.list()] == [job.id]
    _, created = jobs.create("train", "als", job_id="half-made")
    assert created


def test_jobs_are_listed_newest_first_by_state_and_model(jobs: Jobs) -> None:
    ids = [jobs.create("train", model)[0].id for model in ("als", "popular") * 60]
    jobs.finish(ids[0], "succeeded")
    assert [found.id for found in jobs.list(limit=3)] == ids[:-4:-1]
    assert len(jobs.list(limit=500)) == 120
    assert [found.id for found in jobs.list(state="succeeded")] == [ids[0]]
    assert [found.id for found in jobs.list(limit=2, model="als")] == [ids[-2], ids[-4]]
    assert len(jobs.active()) == 119


def test_what_is_known_about_a_job_can_be_updated(jobs: Jobs, job: Job) -> None:
    assert jobs.update(
        job.id, progress=0.5, message="épocha 3", metrics={"NDCG@10": 0.3}, generation="7", fence=7
    )
    found = jobs.get(job.id)
    assert (found.progress, found.message, found.metrics) == (0.5, "épocha 3", {"NDCG@10": 0.3})
    assert (found.generation, found.fence) == ("7", 7)
    assert found.updated_epoch >= job.updated_epoch


@pytest.mark.parametrize("field", ["state", "stage", "attempts", "lease_until", "id", "no_such_field"])
def test_what_belongs_to_the_transitions_cannot_be_updated(jobs: Jobs, job: Job, field: str) -> None:
    with pytest.raises(StoreError, match=field):
        jobs.update(job.id, **{field: "1"})


def test_a_stage_is_begun_by_one_worker_at_a_time(jobs: Jobs, job: Job) -> None:
    assert jobs.begin_stage(job.id, "train", 60)
    assert not jobs.begin_stage(job.id, "train", 60)
    found = jobs.get(job.id)
    assert (found.state, found.attempts) == ("running", 1)
    assert found.started
    assert found.lease_until > time.time() + 50


def test_a_stage_that_is_not_the_present_one_is_not_begun(jobs: Jobs, job: Job) -> None:
    assert not jobs.begin_stage(job.id, "publish", 60)
    assert jobs.get(job.id).state == "queued"


def test_a_stage_whose_lease_ran_out_is_begun_again(jobs: Jobs, job: Job) -> None:
    assert jobs.begin_stage(job.id, "train", 0.02)
    wait_until(lambda: jobs.begin_stage(job.id, "train", 60))
    assert jobs.get(job.id).attempts == 2


def test_a_stage_that_is_declined_counts_no_attempt_and_keeps_its_lease(jobs: Jobs, job: Job) -> None:
    jobs.begin_stage(job.id, "train", 60)
    assert jobs.decline_stage(job.id, "train")
    assert not jobs.decline_stage(job.id, "train")
    found = jobs.get(job.id)
    assert (found.state, found.attempts) == ("running", 0)
    assert found.lease_until > time.time() + 50


def test_a_stage_that_is_past_cannot_be_declined(jobs: Jobs, job: Job) -> None:
    jobs.begin_stage(job.id, "train", 60)
    jobs.advance(job.id, "train", "evaluate")
    jobs.begin_stage(job.id, "evaluate", 60)
    assert not jobs.decline_stage(job.id, "train")
    assert jobs.get(job.id).attempts == 1


def test_a_stage_renewed_keeps_others_out(jobs: Jobs, job: Job) -> None:
    jobs.begin_stage(job.id, "train", 0.02)
    assert jobs.renew_stage(job.id, 60)
    assert jobs.get(job.id).lease_until > time.time() + 50


def test_advancing_frees_the_lease_and_counts_attempts_anew(jobs: Jobs, job: Job) -> None:
    jobs.begin_stage(job.id, "train", 60)
    assert jobs.advance(job.id, "train", "evaluate")
    assert not jobs.advance(job.id, "train", "evaluate")
    found = jobs.get(job.id)
    assert (found.stage, found.attempts, found.lease_until) == ("evaluate", 0, 0)
    assert jobs.begin_stage(job.id, "evaluate", 60)


def test_renewed_too_late_a_stage_does_not_lease_the_next(jobs: Jobs, job: Job) -> None:
    jobs.begin_stage(job.id, "train", 60)
    jobs.advance(job.id, "train", "evaluate")
    assert not jobs.renew_stage(job.id, 60)
    assert jobs.begin_stage(job.id, "evaluate", 60)


def test_a_job_ends_once(jobs: Jobs, job: Job) -> None:
    jobs.begin_stage(job.id, "train", 60)
    error = {"error_key": "training_failed", "error_message": "NaN"}
    assert jobs.finish(job.id, "failed", error=error)
    assert not jobs.finish(job.id, "succeeded", result={"generation": "7"})
    found = jobs.get(job.id)
    assert (found.state, found.error, found.result, found.lease_until) == ("failed", error, None, 0)
    assert found.finished


def test_a_job_that_ends_well_is_done_whole_and_keeps_its_result(jobs: Jobs, job: Job) -> None:
    jobs.update(job.id, result={"gate": "accepted"})
    assert jobs.finish(job.id, "succeeded")
    found = jobs.get(job.id)
    assert (found.progress, found.result, found.error) == (1.0, {"gate": "accepted"}, None)


def test_a_state_that_is_not_final_ends_nothing(jobs: Jobs, job: Job) -> None:
    with pytest.raises(StoreError, match="running"):
        jobs.finish(job.id, "running")  # type: ignore[arg-type]


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_nothing_brings_a_job_back_that_is_over(jobs: Jobs, job: Job, state: str) -> None:
    jobs.begin_stage(job.id, "train", 0.01)
    jobs.finish(job.id, state)  # type: ignore[arg-type]
    over = jobs.get(job.id)
    assert not jobs.begin_stage(job.id, "train", 60)
    assert not jobs.renew_stage(job.id, 60)
    assert not jobs.advance(job.id, "train", "evaluate")
    assert not jobs.update(job.id, progress=0.1, message="still at it")
    assert jobs.request_cancel(job.id) == over
    assert jobs.get(job.id) == over
    assert jobs.active() == []
    assert jobs.is_cancelling(job.id)


def test_a_queued_job_is_cancelled_at_once(jobs: Jobs, job: Job) -> None:
    cancelled = jobs.request_cancel(job.id)
    assert cancelled.state == "cancelled"
    assert cancelled.finished
    assert not jobs.begin_stage(job.id, "train", 60)


def test_a_running_job_is_asked_to_stop(jobs: Jobs, job: Job) -> None:
    jobs.begin_stage(job.id, "train", 60)
    assert not jobs.is_cancelling(job.id)
    assert jobs.request_cancel(job.id).state == "cancelling"
    assert jobs.is_cancelling(job.id)
    assert jobs.renew_stage(job.id, 60)
    assert not jobs.advance(job.id, "train", "evaluate")
    assert jobs.request_cancel(job.id).state == "cancelling"
    assert jobs.finish(job.id, "cancelled")


def test_a_job_nobody_works_on_is_stalled(client: redis.Redis, keys: Keys) -> None:
    jobs = Jobs(client, keys, retention_days=30, lease_seconds=0.02)
    waiting, _ = jobs.create("train", "als")
    worked_on, _ = jobs.create("train", "als")
    abandoned, _ = jobs.create("train", "als")
    jobs.begin_stage(worked_on.id, "train", 60)
    jobs.begin_stage(abandoned.id, "train", 0.02)
    jobs.request_cancel(abandoned.id)
    wait_until(lambda: {found.id for found in jobs.stalled()} == {waiting.id, abandoned.id})


def test_a_job_that_has_just_come_is_not_stalled(jobs: Jobs, job: Job) -> None:
    assert jobs.stalled() == []


def test_records_past_the_retention_are_dropped_once_they_are_over(
    jobs: Jobs, client: redis.Redis, keys: Keys
) -> None:
    over, _ = jobs.create("train", "als")
    under_way, _ = jobs.create("train", "als")
    jobs.finish(over.id, "succeeded")
    long_ago = time.time() - 31 * 86_400
    client.zadd(keys.jobs, {over.id: long_ago, under_way.id: long_ago, "half-made": long_ago})
    new, _ = jobs.create("train", "als")
    assert {found.id for found in jobs.list()} == {new.id, under_way.id}
    assert not jobs.exists(over.id)
    assert client.zcard(keys.jobs) == 2


def test_records_within_the_retention_stay(jobs: Jobs, client: redis.Redis, keys: Keys) -> None:
    over, _ = jobs.create("train", "als")
    jobs.finish(over.id, "failed")
    client.zadd(keys.jobs, {over.id: time.time() - 29 * 86_400})
    jobs.create("train", "als")
    assert jobs.exists(over.id)


def test_every_kind_has_stages_and_starts_with_the_same_check() -> None:
    assert STAGES["pipeline"] == STAGES["train"] + STAGES["precompute"]
    assert {first_task("train"), first_task("precompute"), first_task("pipeline")} == {
        ("topshelf.pipeline", "io")
    }
