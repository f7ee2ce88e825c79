"""Figures of the durable Redis: queues, jobs, the nightly run, the scheduler, events."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import redis
from prometheus_client import Metric

from store.events import EventLog
from store.job_census import CountedJob, JobCensus
from store.keys import Keys
from store.last_nights import LastNight, last_nights
from store.queues import is_beat_alive, unacknowledged_messages, waiting_messages
from topshelf.exporter.families import gauge
from topshelf.settings import Settings
from topshelf.settings.kinds import QUEUES

OTHER = "other"
NIGHT_STATES = ("queued", "running", "succeeded", "failed", "skipped")


class DurableFigures:
    """Reads what waits and what was done."""

    def __init__(self, client: redis.Redis, keys: Keys, settings: Settings) -> None:
        self._client = client
        self._keys = keys
        self._settings = settings
        self._census = JobCensus(client, keys)
        self._events = EventLog(client, keys, settings.events_limit)

    def collect(self, models: Iterable[str]) -> Iterator[Metric]:
        """All families; jobs of a model that is not one of ``models`` have the label ``other``.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        waiting = waiting_messages(self._client, QUEUES)
        yield gauge(
            "topshelf_queue_messages",
            "Messages nobody has taken yet",
            ("queue",),
            [((queue,), count) for queue, count in waiting.items()],
        )
        yield gauge(
            "topshelf_messages_unacknowledged",
            "Messages workers have at hand",
            (),
            [((), unacknowledged_messages(self._client))],
        )
        yield gauge(
            "topshelf_beat_up",
            "Whether a scheduler runs",
            (),
            [((), is_beat_alive(self._client, self._keys))],
        )
        yield gauge("topshelf_events_waiting", "Events not drained yet", (), [((), self._events.length())])
        yield gauge(
            "topshelf_events_limit",
            "Events above which no more are taken",
            (),
            [((), self._settings.events_limit)],
        )
        jobs = self._census.take()
        yield from _job_figures(jobs, frozenset(models) | frozenset(self._settings.models))
        yield from _nightly_figures(last_nights(self._client, self._keys))


def _job_figures(jobs: Sequence[CountedJob], models: frozenset[str]) -> Iterator[Metric]:
    def label(job: CountedJob) -> str:
        return job.model if job.model in models else OTHER

    counts = Counter((job.kind, label(job), job.state) for job in jobs)
    yield gauge("topshelf_jobs", "The newest thousand jobs", ("kind", "model", "state"), [*counts.items()])
    now = time.time()
    oldest = dict.fromkeys(("queued", "running"), 0.0)
    for job in jobs:
        if job.state in oldest:
            oldest[job.state] = max(oldest[job.state], now - job.created)
    yield gauge(
        "topshelf_oldest_job_seconds",
        "Time since the oldest job in a state was asked for; 0 where there is none",
        ("state",),
        [((state,), seconds) for state, seconds in oldest.items()],
    )
    last: dict[tuple[str, ...], CountedJob] = {}
    coverage: dict[tuple[str, ...], float] = {}
    for job in sorted(jobs, key=lambda job: job.finished):
        if job.state in ("succeeded", "failed"):
            last[job.kind, label(job)] = job
            if job.item_coverage is not None and job.state == "succeeded" and job.kind == "pipeline":
                coverage[(label(job),)] = job.item_coverage
    yield gauge(
        "topshelf_last_job_failed",
        "Whether the last job of a kind and model that ended failed",
        ("kind", "model"),
        [(names, job.state == "failed") for names, job in last.items()],
    )
    yield gauge(
        "topshelf_item_coverage",
        "Share of the items that the last published candidate listed at its evaluation",
        ("model",),
        [*coverage.items()],
    )


def _nightly_figures(nights: Sequence[LastNight]) -> Iterator[Metric]:
    yield gauge(
        "topshelf_nightly_state",
        "State of a schedule's last nightly run: 1 for the one it is in",
        ("schedule", "state"),
        [((night.schedule, state), state == night.state) for night in nights for state in NIGHT_STATES],
    )
    now = time.time()
    yield gauge(
        "topshelf_nightly_age_seconds",
        "Time since a schedule's last nightly run that was not skipped, or since it is known",
        ("schedule",),
        [((night.schedule,), now - night.since) for night in nights],
    )
    yield gauge(
        "topshelf_nightly_overdue_seconds",
        "Time since a schedule was first due without a run; 0 while none is missing",
        ("schedule",),
        [((night.schedule,), max(0.0, now - night.note.expected)) for night in nights if night.note.expected],
    )
    gaps: dict[tuple[str, ...], float] = {}
    for note in (night.note for night in nights if night.note.gap_seconds):
        for model in note.models:
            gaps[(model,)] = min(gaps.get((model,), note.gap_seconds), note.gap_seconds)
    yield gauge(
        "topshelf_renewal_seconds",
        "Longest time between two moments at which a schedule of a model is due",
        ("model",),
        [*gaps.items()],
    )
