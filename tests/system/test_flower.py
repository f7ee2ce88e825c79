"""Flower as a person meets it: over HTTP, beside a worker whose only process is busy."""

import json
import os
import re
import signal
from typing import Any
from urllib.parse import urlencode

import pytest
from flower.urls import handlers

from tests.system.canaries import CanarySystem
from tests.waiting import wait_until

OPEN = {r"/metrics", r"/healthcheck", r"/static/(.*)", r"/logout$"}
"""What Flower answers without a password: figures by task and worker, and files that come with it."""
NOWHERE = {r".*", r"/login/?"}
ITERATION = re.compile(r"\d+ % · als: iteration \d+ of 1000")
LONGEST_CELL = 300


def tasks_named(system: CanarySystem, name: str) -> list[dict[str, Any]]:
    return [task for task in system.tasks() if task["name"] == f"topshelf.{name}"]


def wait_for(system: CanarySystem, name: str, state: str) -> dict[str, Any]:
    def found() -> list[dict[str, Any]]:
        return [task for task in tasks_named(system, name) if task["state"] == state]

    wait_until(lambda: bool(found()), f"a task {name} in state {state}")
    return found()[-1]


def test_each_task_of_a_job_says_what_it_is_about_and_how_it_ended(canaries: CanarySystem) -> None:
    job = canaries.run("pipeline", "item_knn")
    about = f"item_knn · pipeline · dataset {job['dataset']}"
    publish = wait_for(canaries, "publish", "SUCCESS")
    assert publish["args"] == job["id"]
    assert publish["kwargs"] == f"{about} · generation 1"
    assert publish["result"].startswith("item_knn: generation 1 is live, ")
    start = wait_for(canaries, "pipeline", "SUCCESS")
    assert start["result"] == f"item_knn: train on dataset {job['dataset']} is sent"
    chunks = tasks_named(canaries, "precompute_chunk")
    assert [chunk["kwargs"] for chunk in chunks] == [
        f"{about} · generation 1 · chunk {number}" for number in range(len(chunks))
    ]
    sentence = r"\d+ users in \d+\.\d s; [\d,]+ of 943 users, [\d,]+ a second(, .* left)?"
    assert all(re.fullmatch(sentence, chunk["result"]) for chunk in chunks)
    [train] = tasks_named(canaries, "train")
    assert re.fullmatch(rf"item_knn: NDCG@10 0\.\d+ on {job['dataset']}, [\d.]+ s", train["result"])


def test_a_job_that_fails_is_a_task_that_failed_with_a_sentence(canaries: CanarySystem) -> None:
    asked = {"kind": "train", "model": "als", "params": {"dataset": "nowhere"}}
    job_id = canaries.call("POST", "/jobs", asked)[0]["id"]
    failed = wait_for(canaries, "pipeline", "FAILURE")
    record = canaries.run("jobs", job_id)
    assert record["state"] == "failed"
    assert failed["exception"] == f"als: {record['error']['error_message']}"


def test_a_busy_worker_is_online_and_its_task_says_how_far_it_is(canaries: CanarySystem) -> None:
    job = canaries.call(
        "POST", "/jobs", {"kind": "train", "model": "als", "params": {"config": {"iterations": 1000}}}
    )
    job_id = job[0]["id"]
    try:
        seen: dict[str, str] = {}

        def moved() -> bool:
            for task in tasks_named(canaries, "train"):
                if task["state"] == "PROGRESS" and ITERATION.fullmatch(task["result"]):
                    seen[task["result"]] = task["uuid"]
            return len(seen) > 1

        wait_until(moved, "two figures of a task under way")

        def shown_at_work() -> bool:
            [worker] = json.loads(canaries.flower("/workers?json=1")[1])["data"]
            return (worker["status"], worker["active"]) == (True, 1)

        wait_until(shown_at_work, "the worker online with one task")
        status, body = canaries.flower("/api/workers?refresh=1")
        [told] = json.loads(body).values()
        assert (status, told["stats"]["pool"]["max-concurrency"]) == (200, 1)
        _, page = canaries.flower(f"/task/{next(iter(seen.values()))}")
        for shown in (job_id, "als · train · dataset", "als: iteration", "PROGRESS"):
            assert shown in page
    finally:
        canaries.call("DELETE", f"/jobs/{job_id}")
    wait_until(lambda: canaries.run("jobs", job_id)["state"] == "cancelled", "the job cancelled")
    wait_until(
        lambda: "was cancelled during train" in (tasks_named(canaries, "train")[-1]["result"] or ""),
        "the cancellation shown",
    )


def test_the_table_shows_sentences_and_no_blobs(canaries: CanarySystem) -> None:
    _, page = canaries.flower("/tasks")
    columns = re.findall(r'<th data-column="(\w+)">', page)
    assert columns == ["name", "state", "args", "kwargs", "result", "started", "runtime", "worker", "uuid"]
    query = {"draw": 1, "start": 0, "length": 1000, "order[0][column]": 0, "columns[0][data]": "started"}
    rows = json.loads(canaries.flower(f"/tasks/datatable?{urlencode(query)}")[1])["data"]
    assert len(rows) > 5
    for row in rows:
        for column in ("args", "kwargs", "result", "exception"):
            assert len(row[column] or "") < LONGEST_CELL, row


def test_its_history_outlives_it(canaries: CanarySystem) -> None:
    before = {task["uuid"] for task in canaries.tasks()}
    first = canaries.pid_of("workers.app flower")
    os.kill(first, signal.SIGTERM)
    wait_until(lambda: canaries.said("flower is back after"), "Flower back")
    after = {task["uuid"]: task for task in canaries.tasks()}
    assert before <= after.keys()
    assert any("NDCG@10" in (task["result"] or "") for task in after.values())


@pytest.mark.parametrize(("password", "refusals"), [("", {401}), ("wrong", {401}), ("sésame", {401, 500})])
def test_nothing_but_what_is_open_is_answered_without_the_password(
    canaries: CanarySystem, password: str, refusals: set[int]
) -> None:
    patterns = [handler[0] if isinstance(handler, tuple) else handler.regex.pattern for handler in handlers]
    answered = {}
    for pattern in patterns:
        path = re.sub(r"\(.*\)", "x", pattern).rstrip("$").replace("/?", "").replace(".*", "/nowhere")
        for method in ("GET", "POST"):
            status, _ = canaries.flower(path, method, password=password)
            expected = {200, 403, 404, 405} if pattern in OPEN else refusals | {405}
            if status not in expected | ({404} if pattern in NOWHERE else set()):
                answered[method, pattern] = status
    assert not answered
