"""Scripts touch one slot: proven by their keys, and by running them all on a server in cluster mode."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from store import scripts
from store.connection import connect
from store.embedded import find_server, free_port
from store.events import Event, EventLog
from store.jobs import Jobs
from store.keys import Keys
from store.locks import ModelLock
from store.recents import Recents
from tests.store.stocking import USERS, Stocking
from tests.waiting import wait_until

KEYS = Keys()
CHUNK = (KEYS.generation("als", "7"), KEYS.chunks("als", "7"), KEYS.leases("als", "7"))
# Publishing and rolling back reach other generations of the model by its stem.
POINTER = (KEYS.live("als"), KEYS.fence("als"), KEYS.hold("als"), KEYS.generation_stem("als") + "6")
JOB = (KEYS.job("train-als-1"),)
LOCK = (KEYS.lock("als"),)
TOUCHED = {
    "acquire_lock": LOCK,
    "advance_stage": JOB,
    "append_events": (KEYS.events,),
    "begin_stage": JOB,
    "cancel_job": JOB,
    "claim_chunk": CHUNK,
    "create_generation": (KEYS.generation("als", "7"), KEYS.generations("als")),
    "create_record": JOB,
    "decline_stage": JOB,
    "fail_generation": (KEYS.generation("als", "7"),),
    "finish_chunk": CHUNK,
    "mark_ready": (KEYS.generation("als", "7"),),
    "mark_swept": (KEYS.generation("als", "7"),),
    "publish": POINTER,
    "release_lock": LOCK,
    "release_chunk": CHUNK[2:],
    "renew_chunk": CHUNK,
    "renew_stage": JOB,
    "renew_lock": LOCK,
    "reopen_chunks": CHUNK,
    "rollback": POINTER,
    "touch_items": (KEYS.recent("42"),),
    "update_record": JOB,
}


def test_every_script_is_accounted_for() -> None:
    assert scripts.names() == sorted(TOUCHED)


@pytest.mark.parametrize("name", sorted(TOUCHED))
def test_a_script_touches_one_slot(name: str) -> None:
    assert len({key_slot(key.encode()) for key in TOUCHED[name]}) == 1


@pytest.mark.parametrize("name", sorted(TOUCHED))
def test_a_script_says_what_it_is_given(name: str) -> None:
    first, *_ = scripts.source(name).splitlines()
    assert first.startswith("-- KEYS: ")


def test_a_script_the_server_forgot_is_sent_again(client: redis.Redis, keys: Keys) -> None:
    client.script_flush()
    assert scripts.run_text(client, "acquire_lock", [keys.lock("als")], ["me", 1_000]) == "me"


@pytest.fixture
def cluster(tmp_path: Path, redis_binary: Path | None) -> Iterator[redis.Redis]:
    """A cluster of one server that holds every slot; it still refuses what crosses slots."""
    port = port_with_bus()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--save", ""]
    process = subprocess.Popen(
        [str(redis_binary or find_server()), *options], cwd=tmp_path, stdout=subprocess.DEVNULL
    )
    try:
        with connect(f"redis://127.0.0.1:{port}/0") as client:
            wait_until(lambda: answers(client))
            client.execute_command("CLUSTER ADDSLOTS", *range(REDIS_CLUSTER_HASH_SLOTS))
            wait_until(lambda: serves(client))
            yield client
    finally:
        process.terminate()
        process.wait(10)


def port_with_bus() -> int:
    """A free port whose cluster bus, 10,000 ports above, is free, too."""
    while True:
        port = free_port()
        with socket.socket() as bus, contextlib.suppress(OSError, OverflowError):
            bus.bind(("127.0.0.1", port + 10_000))
            return port


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def serves(client: redis.Redis) -> bool:
    try:
        return client.get("key") is None
    except redis.ResponseError:  # "the cluster is down", until it has counted its slots
        return False


def test_the_life_of_a_generation_crosses_no_slots(cluster: redis.Redis) -> None:
    stocking = Stocking(cluster, Keys())
    generations = stocking.generations
    failed = stocking.open(n_items=2**20, k_store=30)
    stocking.fill_chunk(failed, dict.fromkeys(USERS, tuple(range(30))), 0)
    generations.chunks.renew("als", failed.id, 1, lease_seconds=1)
    generations.fail("als", failed.id, "given up")
    for _ in range(3):
        stocking.live()
    generations.rollback("als")
    generations.release("als")
    assert generations.sweep("als", retire_after_seconds=0, zombie_after_seconds=10) > 0
    assert generations.sweep("als", retire_after_seconds=0, zombie_after_seconds=0) > 0


def test_jobs_locks_events_and_recents_cross_no_slots(cluster: redis.Redis) -> None:
    jobs = Jobs(cluster, Keys(), retention_days=30)
    job, _ = jobs.create("train", "als")
    assert jobs.begin_stage(job.id, "train", 60)
    assert jobs.renew_stage(job.id, 60)
    assert jobs.advance(job.id, "train", "evaluate")
    assert jobs.update(job.id, message="nearly")
    jobs.request_cancel(job.id)
    assert jobs.finish(job.id, "cancelled")
    lock = ModelLock(cluster, Keys())
    lock.acquire("als", "me", 60)
    assert lock.renew("als", "me", 60)
    assert lock.release("als", "me")
    log = EventLog(cluster, Keys(), 10)
    log.append([Event("e1", 1, 2, "2026-01-01T00:00:00+00:00")])
    log.acknowledge([stream_id for stream_id, _ in log.read_batch(10)])
    Recents(cluster, Keys(), 60).touch("1", ["2"])
