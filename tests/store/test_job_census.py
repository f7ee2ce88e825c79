import redis

from store.job_census import NEWEST, JobCensus
from store.jobs import Jobs
from store.keys import Keys


def test_jobs_are_counted_in_the_state_they_are_in(client: redis.Redis, keys: Keys) -> None:
    jobs, census = Jobs(client, keys, 30), JobCensus(client, keys)
    for job_id in ("a", "b"):
        jobs.create("pipeline", "als", job_id=job_id)
    jobs.update("a", metrics={"NDCG@10": 0.2, "Coverage@10": 0.5})
    jobs.finish("a", "succeeded")
    a, b = sorted(census.take(), key=lambda job: job.id)
    assert (a.kind, a.model, a.state, a.over, a.item_coverage) == ("pipeline", "als", "succeeded", True, 0.5)
    assert a.finished >= a.created > 0
    assert (b.state, b.over, b.finished, b.item_coverage) == ("queued", False, 0, None)
    jobs.finish("b", "failed")
    assert {job.id: job.state for job in census.take()} == {"a": "succeeded", "b": "failed"}


def test_what_is_over_is_read_once(client: redis.Redis, keys: Keys) -> None:
    jobs, census = Jobs(client, keys, 30), JobCensus(client, keys)
    jobs.create("train", "als", job_id="a")
    jobs.finish("a", "failed")
    census.take()
    client.unlink(keys.job("a"))
    assert [job.state for job in census.take()] == ["failed"]


def test_an_id_without_a_record_is_no_job(client: redis.Redis, keys: Keys) -> None:
    client.zadd(keys.jobs, {"gone": 1.0})
    assert not JobCensus(client, keys).take()


def test_only_the_newest_are_looked_at(client: redis.Redis, keys: Keys) -> None:
    client.zadd(keys.jobs, {f"old-{number}": number for number in range(NEWEST)})
    jobs = Jobs(client, keys, 1e6)
    jobs.create("train", "als", job_id="new")
    census = JobCensus(client, keys)
    assert [job.id for job in census.take()] == ["new"]
