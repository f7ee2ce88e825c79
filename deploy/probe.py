"""Health of a container: ``python probe.py api|worker|beat|flower|exporter`` exits 0 where that works."""

import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable

from topshelf.settings import Settings

ANSWER_SECONDS = 5


def api(settings: Settings) -> bool:
    """The reader lives; whether Redis does is its own affair, as it answers from what it holds."""
    return _answers(f"http://127.0.0.1:{settings.api_port}/health/live")


def flower(settings: Settings) -> bool:
    """Flower answers."""
    return _answers(f"http://127.0.0.1:{settings.flower_port}/healthcheck")


def exporter(settings: Settings) -> bool:
    """The exporter answers, be it that a Redis does not."""
    return _answers(f"http://127.0.0.1:{settings.exporter_port}/metrics")


def worker(settings: Settings) -> bool:
    """The worker of this host answers a ping over the broker, asked without loading what its tasks need."""
    from celery import Celery  # noqa: PLC0415 -- a reader's image has no Celery

    from store.dispatch import broker_options  # noqa: PLC0415

    name = f"celery@{socket.gethostname()}"
    with Celery(broker=settings.durable_url.get_secret_value()) as app:
        app.conf.broker_transport_options = broker_options(settings.task_limit_seconds)
        return bool(app.control.ping(destination=[name], timeout=ANSWER_SECONDS))


def beat(settings: Settings) -> bool:
    """The scheduler's lock is held; beat renews it with every turn and it expires half a minute after."""
    from store.connection import connect  # noqa: PLC0415 -- the other probes need no Redis
    from store.keys import Keys  # noqa: PLC0415

    with connect(settings.durable_url.get_secret_value(), timeout_seconds=ANSWER_SECONDS) as client:
        return bool(client.exists(Keys(settings.key_prefix).beat_lock))


PROBES: dict[str, Callable[[Settings], bool]] = {
    "api": api,
    "worker": worker,
    "beat": beat,
    "flower": flower,
    "exporter": exporter,
}


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 -- our own address
            return bool(answer.status < 400)
    except urllib.error.URLError:
        return False


if __name__ == "__main__":
    sys.exit(0 if PROBES[sys.argv[1]](Settings.from_environment()) else f"{sys.argv[1]} does not answer")
