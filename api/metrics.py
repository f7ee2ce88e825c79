"""What Prometheus may ask of a reader.

The figures are those of one process. With several reader processes behind one port, give
``PROMETHEUS_MULTIPROC_DIR`` an empty folder: prometheus-client then adds the processes up.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

SECONDS_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

FLUSH_SECONDS = 0.25
"""How long a request may be counted here and not yet in what another process reads."""

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """Counters, the latency histogram and the age of what is served."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "topshelf_requests_total",
            "Requests by route, model, source of the list and status",
            ["method", "route", "model", "source", "status"],
            registry=self._registry,
        )
        self._batches: list[Batch] = []
        self._seconds = BulkHistogram(
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
        self._lists_of = cache(self._lists.labels)
        self._stale = Counter(
            "topshelf_stale_lists_total",
            "Lists handed out while Redis was away or had lost the model",
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

    def request(
        self, method: str, route: str, status: int, seconds: float, *, model: str = "", source: str = ""
    ) -> None:
        """Count one request; ``model`` and ``source`` are empty where it is about none."""
        self._requests.labels(method, route, model, source, status).inc()
        self._seconds.labels(method, route).observe(seconds)

    def answered(
        self, method: str, route: str, model: str, source: str, *, stale: bool
    ) -> Callable[[float], None]:
        """Counts requests of one route answered with 200 and one list, given the seconds each took."""
        lists = [self._lists.labels(model, source), *([self._stale.labels(model)] if stale else [])]
        requests = self._requests.labels(method, route, model, source, 200)
        batch = Batch([requests, *lists], self._seconds.labels(method, route))
        self._batches.append(batch)
        return batch.note

    def handed_out(self, model: str, source: str, lists: int = 1, *, stale: bool = False) -> None:
        """Count lists by where their first items came from; any source but ``cache`` is a fallback."""
        self._lists_of(model, source).inc(lists)
        if stale:
            self._stale.labels(model).inc(lists)

    def store_failed(self) -> None:
        """Count one failure to reach Redis."""
        self._store_failures.inc()

    def render(self, age_of_model: Mapping[str, float]) -> bytes:
        """The text Prometheus scrapes; the ages (seconds) are taken as of now."""
        for batch in self._batches:
            batch.flush()
        self._age.clear()
        for model, seconds in age_of_model.items():
            self._age.labels(model).set(seconds)
        registry = CollectorRegistry()
        try:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        except ValueError:
            registry = self._registry
        return generate_latest(registry)


class BulkHistogram(Histogram):
    """A histogram that takes many observations at once, for which prometheus-client has no call."""

    def add(self, counts: Sequence[int], total: float) -> None:
        """Add ``counts`` observations to each bucket, and their sum."""
        self._sum.inc(total)
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)


class Batch:
    """Requests counted in plain integers, and handed to Prometheus's locked counters now and then."""

    def __init__(self, counters: Sequence[Counter], seconds: BulkHistogram) -> None:
        self._counters = counters
        self._seconds = seconds
        self._total_seconds = 0.0
        self._counts = [0] * (len(SECONDS_BUCKETS) + 1)
        self._armed = False

    def note(self, seconds: float) -> None:
        """Count one request, on the event loop."""
        self._counts[bisect_left(SECONDS_BUCKETS, seconds)] += 1
        self._total_seconds += seconds
        if not self._armed:
            self._armed = True
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Hand over what was counted."""
        counts, self._counts = self._counts, [0] * len(self._counts)
        total, self._total_seconds = self._total_seconds, 0.0
        self._armed = False
        for counter in self._counters:
            counter.inc(sum(counts))
        self._seconds.add(counts, total)
