import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from store.embedded import EmbeddedRedis, free_port
from topshelf.errors import ServiceError
from topshelf.local.process import Process
from topshelf.local.services import (
    ExternalRedis,
    RedisService,
    answers,
    is_pinged,
    local_services,
    without_password,
)
from topshelf.settings import Settings
from workers.celery_app import create_app


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


NAMES = ("worker", "beat", "flower", "exporter", "api")


def test_redis_starts_first_and_the_reader_last(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    services = local_services(settings, ExternalRedis())
    assert [service.name for service in services] == ["redis", *NAMES]
    logs = [service.log for service in services if isinstance(service, Process)]
    assert logs == [tmp_path / "logs" / f"{name}.log" for name in NAMES]


def test_an_address_answers_when_it_says_so(address: str) -> None:
    assert answers(f"{address}/health")
    assert not answers(f"{address}/broken")
    assert not answers(f"http://127.0.0.1:{free_port()}/health")


def test_nobody_answers_a_ping_where_no_worker_or_no_broker_is(redis_url: str) -> None:
    for url in (redis_url, f"redis://127.0.0.1:{free_port()}/0"):
        assert not is_pinged(create_app(Settings(durable_url=SecretStr(url))))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:sesame@shelves:6379/0", "redis://shelves:6379/0"),
        ("rediss://user:p%40ss@shelves/1", "rediss://shelves/1"),
        ("redis://shelves:6379", "redis://shelves:6379"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_urls_are_shown_without_their_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_the_embedded_redis_runs_until_it_is_stopped_and_can_be_started_again(
    tmp_path: Path, redis_binary: Path | None
) -> None:
    service = RedisService(EmbeddedRedis(tmp_path, free_port(), server=redis_binary))
    states = []
    for _ in range(2):
        service.launch()
        service.wait_until_ready()
        states.append(service.running)
        service.ask_to_stop()
        states.append(service.running)
        service.stop()
        states.append(service.running)
    assert states == [True, True, False] * 2


def test_a_redis_of_somebody_else_is_left_running(redis_url: str) -> None:
    service = ExternalRedis(redis_url)
    service.launch()
    service.wait_until_ready()
    service.stop()
    assert service.running
    service.launch()


def test_every_url_has_to_answer(redis_url: str) -> None:
    nowhere = f"redis://:sesame@127.0.0.1:{free_port()}/0"
    with pytest.raises(ServiceError, match="Redis does not answer at") as caught:
        ExternalRedis(redis_url, nowhere).launch()
    assert "sesame" not in str(caught.value)
