"""What Prometheus may ask of a reader.

The figures are those of one process. With several reader processes behind one port, give
``PROMETHEUS_MULTIPROC_DIR`` an empty folder: prometheus-client then adds the processes up.
"""

import time
from collections.abc import Mapping

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """Counters, the latency histogram and the age of what is served."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "topshelf_requests_total",
            "Requests by route and status",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "topshelf_request_seconds",
            "Time to answer",
            ["method", "route"],
            buckets=SECONDS_BUCKETS,
            registry=self._registry,
        )
        self._lists = Counter(
            "topshelf_lists_total",
            "Lists handed out by model and source",
            ["model", "source"],
            registry=self._registry,
        )
        self._stale = Counter(
            "topshelf_stale_lists_total",
            "Lists handed out while Redis was away",
            ["model"],
            registry=self._registry,
        )
        self._store_failures = Counter(
            "topshelf_store_failures_total", "Times Redis did not answer", registry=self._registry
        )
        self._age = Gauge(
            "topshelf_generation_age_seconds",
            "Seconds since the live generation was published",
            ["model"],
            registry=self._registry,
            multiprocess_mode="mostrecent",
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)

    def handed_out(self, model: str, source: str, lists: int = 1, *, stale: bool = False) -> None:
        """Count lists by where their first items came from; any source but ``cache`` is a fallback."""
        self._lists.labels(model, source).inc(lists)
        if stale:
            self._stale.labels(model).inc(lists)

    def store_failed(self) -> None:
        """Count one failure to reach Redis."""
        self._store_failures.inc()

    def render(self, age_of_model: Mapping[str, float]) -> bytes:
        """The text Prometheus scrapes; the ages (seconds) are taken as of now."""
        self._age.clear()
        for model, seconds in age_of_model.items():
            self._age.labels(model).set(seconds)
        registry = CollectorRegistry()
        try:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        except ValueError:
            registry = self._registry
        return generate_latest(registry)


class MeasuredRequests:
    """ASGI middleware that counts and times requests by route."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        started = time.perf_counter()

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.request(_method(scope), route, status, time.perf_counter() - started)


def _method(scope: Scope) -> str:
    known = {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"}
    return scope["method"] if scope["method"] in known else "other"
