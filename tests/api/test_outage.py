"""Redis is killed and comes back while clients go on asking, each over a connection of its own."""

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from store.buckets import bucket_count, bucket_of
from store.connection import connect
from store.embedded import EmbeddedRedis, free_port
from store.keys import Keys
from tests.api.conftest import READ
from tests.api.shop import MOST_POPULAR, USERS, Shop, item, list_of
from tests.api.test_server import serving
from tests.waiting import wait_until
from topshelf.settings import Settings

HOT, STRANGER = 7, 999
N_BUCKETS = bucket_count(len(USERS), 8)
COLD = next(
    user
    for user in USERS
    if all(bucket_of(b"%d" % user, N_BUCKETS) != bucket_of(b"%d" % one, N_BUCKETS) for one in (HOT, STRANGER))
)
"""Somebody of whose bucket nobody was asked for."""
POPULAR = [item(index) for index in MOST_POPULAR[:10]]


@dataclass
class Seen:
    """One answer, and when it came."""

    at: float
    user: int
    status: int
    source: str
    stale: bool
    items: list[int]


@dataclass
class Client:
    """Asks for the same users over and over until told to stop."""

    address: tuple[str, int]
    stop: threading.Event
    users: tuple[int, ...] = (HOT, STRANGER)
    seen: list[Seen] = field(default_factory=list)

    def run(self) -> None:
        connection = http.client.HTTPConnection(*self.address, timeout=20)
        while not self.stop.is_set():
            for user in self.users:
                connection.request("GET", f"/reco/als/{user}", headers=READ)
                answer = connection.getresponse()
                body = json.loads(answer.read())
                source, stale = answer.headers.get("X-Reco-Source", ""), "X-Reco-Stale" in answer.headers
                self.seen.append(
                    Seen(time.monotonic(), user, answer.status, source, stale, body.get("items", []))
                )
        connection.close()


@pytest.fixture
def redis_to_kill(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path / "redis", port=free_port()) as server:
        with connect(server.url) as client:
            client.config_set("appendfsync", "always")
        yield server


@pytest.fixture
def shop_to_lose(redis_to_kill: EmbeddedRedis, keys: Keys) -> Iterator[Shop]:
    with connect(redis_to_kill.url) as client:
        shop = Shop(client, keys)
        shop.publish_all()
        yield shop


def test_nobody_is_refused_while_redis_is_gone_and_everybody_is_served_once_it_is_back(
    redis_to_kill: EmbeddedRedis, shop_to_lose: Shop, settings: Settings
) -> None:
    url = SecretStr(redis_to_kill.url)
    with serving(settings.model_copy(update={"serving_url": url, "durable_url": url})) as reader:
        address = urlsplit(reader)
        assert address.hostname
        assert address.port
        warm_up(address.hostname, address.port)
        stop = threading.Event()
        clients = [Client((address.hostname, address.port), stop) for _ in range(8)]
        threads = [threading.Thread(target=client.run) for client in clients]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: all(len(client.seen) > 30 for client in clients))
            os.kill(redis_to_kill.pid, signal.SIGKILL)
            killed = time.monotonic()
            wait_until(lambda: all(client.seen[-1].stale for client in clients))
            for client in clients:
                client.users = (HOT, STRANGER, COLD)
            told = [len(client.seen) for client in clients]
            wait_until(lambda: all(len(c.seen) > n + 60 for c, n in zip(clients, told, strict=True)))
            redis_to_kill.stop()
            redis_to_kill.start()
            back = time.monotonic()
            wait_until(lambda: not any(client.seen[-1].stale for client in clients))
            wait_until(lambda: all(client.seen[-1].at > back for client in clients))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    answers = sorted((seen for client in clients for seen in client.seen), key=lambda seen: seen.at)
    assert {answer.status for answer in answers} == {200}
    lists = {user: ("cache", list_of(user)[:10]) for user in (HOT, COLD)} | {STRANGER: ("popular", POPULAR)}
    for answer in answers:
        without_its_row = answer.user == COLD and answer.stale
        expected = ("popular", POPULAR) if without_its_row else lists[answer.user]
        assert (answer.source, answer.items) == expected
    assert {answer.user for answer in answers if answer.stale} == {HOT, STRANGER, COLD}
    assert not any(answer.stale for answer in answers if answer.at < killed)
    with connect(redis_to_kill.url) as client:
        # One connection for everybody, a few for whoever follows items and looks for Redis.
        assert client.info("stats")["total_connections_received"] < 15


def warm_up(host: str, port: int) -> None:
    """Ask for the hot user until its bucket is in memory."""
    connection = http.client.HTTPConnection(host, port, timeout=20)
    for _ in range(3):
        connection.request("GET", f"/reco/als/{HOT}", headers=READ)
        assert connection.getresponse().read()
    connection.close()
