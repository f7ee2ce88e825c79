"""A system with a canary in every secret setting, behind a Redis that wants a password."""

import base64
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from store.connection import connect
from store.embedded import EmbeddedRedis
from tests.system.running import System

REDIS_PASSWORD = "canary-redis/p@ss:w#rd?"
TOKENS = {scope: f"canary-{scope}-token" for scope in ("read", "events", "admin")}
FLOWER_PASSWORD = "canary-flower:pass"
SENTRY_KEY = "canarysentrykey"
NEPTUNE_TOKEN = "canary-neptune-token"
MLFLOW_PASSWORD = "canary-mlflow%2Fpass"
WEBHOOK_PATH = "services/canary-webhook-path"
WEBHOOK_KEY = "canary-webhook-key"

SECRETS = (
    REDIS_PASSWORD,
    quote(REDIS_PASSWORD, safe=""),
    *TOKENS.values(),
    FLOWER_PASSWORD,
    base64.b64encode(f"topshelf:{FLOWER_PASSWORD}".encode()).decode(),
    SENTRY_KEY,
    NEPTUNE_TOKEN,
    MLFLOW_PASSWORD,
    unquote(MLFLOW_PASSWORD),
    WEBHOOK_PATH,
    WEBHOOK_KEY,
)


def leaks(text: str | bytes) -> list[str]:
    """The canaries in a text; a piece of one counts."""
    text = text.decode(errors="replace") if isinstance(text, bytes) else text
    return [secret for secret in SECRETS if secret in text] + ["canary"] * ("canary" in text)


class CanarySystem(System):
    """``topshelf up`` at DEBUG with one worker process; holds what its Sentry was sent."""

    def __init__(self, folder: Path, redis: EmbeddedRedis, sentry: "Sentry") -> None:
        self.sentry = sentry
        self.redis_address = f"127.0.0.1:{redis.port}"
        url = f"redis://:{quote(REDIS_PASSWORD, safe='')}@127.0.0.1:{redis.port}/0"
        super().__init__(
            folder,
            serving_url=url,
            durable_url=url,
            log_level="DEBUG",
            worker_processes=1,
            chunk_users=200,
            tokens_read=(TOKENS["read"],),
            tokens_events=(TOKENS["events"],),
            tokens_admin=(TOKENS["admin"],),
            flower_password=FLOWER_PASSWORD,
            sentry_dsn=f"http://{SENTRY_KEY}@127.0.0.1:{sentry.server_port}/1",
            slow_request_seconds=1e-9,
            profile_every=1,
            webhook_urls=(f"http://127.0.0.1:9/{WEBHOOK_PATH}",),
            webhook_secret=WEBHOOK_KEY,
            neptune_token=NEPTUNE_TOKEN,
            mlflow_uri=f"http://tracker:{MLFLOW_PASSWORD}@127.0.0.1:9/",
        )

    def flower(self, path: str, method: str = "GET", *, password: str = FLOWER_PASSWORD) -> tuple[int, str]:
        """Status and body of a call of Flower."""
        login = base64.b64encode(f"topshelf:{password}".encode()).decode() if password else ""
        headers = {"Authorization": f"Basic {login}"} if login else {}
        address = f"http://127.0.0.1:{self.settings.flower_port}{path}"
        return answer_of(urllib.request.Request(address, method=method, headers=headers))

    def tasks(self) -> list[dict[str, Any]]:
        """What Flower knows of tasks, in the order they came."""
        status, body = self.flower("/api/tasks")
        assert status == 200
        return sorted(json.loads(body).values(), key=lambda task: task["received"] or 0)


class Sentry(ThreadingHTTPServer):
    """Takes events and keeps them."""

    daemon_threads = True

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), Take)


class Take(BaseHTTPRequestHandler):
    server: Sentry

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


def answer_of(request: urllib.request.Request) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 -- our own address
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


@contextmanager
def canary_system(folder: Path) -> Iterator[CanarySystem]:
    """Run one."""
    with EmbeddedRedis(folder / "redis") as redis, Sentry() as sentry:
        threading.Thread(target=sentry.serve_forever, daemon=True).start()
        with connect(redis.url) as client:
            client.config_set("requirepass", REDIS_PASSWORD)
        system = CanarySystem(folder, redis, sentry)
        try:
            system.wait_until_up()
            yield system
        finally:
            system.stop()
            sentry.shutdown()
            with connect(system.settings.serving_url.get_secret_value()) as client:
                client.config_set("requirepass", "")
