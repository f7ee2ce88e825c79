"""No secret is in anything that a running system writes or answers."""

import re
import urllib.request
from pathlib import Path
from typing import Any

from store.connection import connect
from tests.system.canaries import SENTRY_KEY, CanarySystem, answer_of, leaks
from tests.waiting import wait_until

ROUTES = (
    *("/docs", "/openapi.json", "/health", "/health/live", "/health/ready", "/metrics", "/nowhere"),
    *("/reco/item_knn/1", "/reco/item_knn/1?k=-1", "/reco/nothing/1", "/jobs", "/jobs/nothing", "/models"),
)
PAGES = (
    *("/", "/workers?json=1", "/tasks", "/broker", "/api/tasks", "/api/queues/length", "/metrics"),
    *("/task/nothing", "/worker/nothing"),
)


def reader(system: CanarySystem, path: str, token: str) -> str:
    address = f"http://127.0.0.1:{system.settings.api_port}{path}"
    return answer_of(urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"}))[1]


def test_no_answer_of_the_reader_holds_a_secret(canaries: CanarySystem) -> None:
    answers = [reader(canaries, path, canaries.admin_token) for path in ROUTES]
    answers += [reader(canaries, path, "canary-wrong-token") for path in ROUTES]
    [*profiles] = canaries.call("GET", "/profiles")[0]["profiles"]
    answers += [reader(canaries, f"/profiles/{profiles[0]['id']}", canaries.admin_token)]
    assert all(answers)
    assert not [leak for answer in answers for leak in leaks(answer)]


def test_no_page_and_no_answer_of_flower_holds_a_secret(canaries: CanarySystem) -> None:
    wait_until(lambda: "beat_schedule" in canaries.flower("/api/workers?refresh=1")[1], "a worker inspected")
    [worker] = re.findall(r"celery@[\w.-]+", canaries.flower("/workers?json=1")[1])[:1]
    paths = (*PAGES, "/api/workers", f"/api/workers?workername={worker}", f"/worker/{worker}")
    answers = [canaries.flower(path)[1] for path in paths]
    assert "broker_url" in answers[-2]
    assert not [leak for answer in answers for leak in leaks(answer)]


def test_no_argument_of_a_process_is_a_secret(canaries: CanarySystem) -> None:
    family, argvs = {canaries.process.pid}, []
    for pid in sorted(int(folder.name) for folder in Path("/proc").glob("[0-9]*")):
        try:
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            argv = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent in family or pid in family:
            family.add(pid)
            argvs.append(argv)
    assert len(argvs) >= 5
    assert not [leak for argv in argvs for leak in leaks(argv)]


def test_no_representation_of_the_settings_shows_one(canaries: CanarySystem) -> None:
    settings = canaries.settings
    assert not leaks(f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}")


def test_sentry_is_told_none(canaries: CanarySystem) -> None:
    wait_until(lambda: bool(canaries.sentry.bodies), "an event")
    for body in canaries.sentry.bodies:
        assert not leaks(body.replace(SENTRY_KEY.encode(), b"")), body  # it is whose key that is


def test_nothing_that_was_written_holds_a_secret(canaries: CanarySystem) -> None:
    """Among it are a job that went well, one that failed and one that was cancelled, all at DEBUG."""
    files = [
        path
        for path in canaries.folder.rglob("*")
        if path.is_file() and canaries.folder / "redis" not in path.parents
        if path.name != "credentials.json"
    ]
    assert {path.name for path in files} >= {"worker.log", "beat.log", "flower.log", "api.log", "up.log"}
    found = {path: leaks(path.read_bytes()) for path in files}
    assert not {path: names for path, names in found.items() if names}
    values = list(held_in_redis(canaries))
    assert len(values) > 10
    assert not leaks(str(values))


def held_in_redis(system: CanarySystem) -> Any:
    """Every value there: records of jobs, rows, messages, the schedule."""
    readers = {
        b"hash": lambda client, key: client.hgetall(key),
        b"zset": lambda client, key: client.zrange(key, 0, -1),
        b"set": lambda client, key: client.smembers(key),
        b"list": lambda client, key: client.lrange(key, 0, -1),
        b"string": lambda client, key: client.get(key),
        b"stream": lambda client, key: client.xrange(key),
    }
    with connect(system.settings.durable_url.get_secret_value()) as client:
        for key in client.scan_iter("*", count=1_000):
            kind = client.type(key)
            if kind in readers:  # others are gone by now
                yield readers[kind](client, key)
