"""What was measured as a table, as ratios beside what is wanted of them, and as one object."""

import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.reading.measures import Figures, Turn, figures, p99_ratio, speed_ratio
from benchmarks.reading.sides import Side
from benchmarks.reading.startup import Startup

Ratio = float | None

AT_ITS_LIMIT = 0.95
"""Share of the time above which a generator counts as busy all the time."""


@dataclass(frozen=True)
class Wanted:
    """A bound on one figure."""

    text: str
    at_least: float = -math.inf
    at_most: float = math.inf

    def met(self, value: float) -> bool:
        """Whether a figure is within the bound."""
        return self.at_least <= value <= self.at_most


@dataclass(frozen=True)
class Limit:
    """What the load generator did against a server that only sends bytes back.

    ``busy`` is the share of the time its one thread was running: near 1, it is the generator's own limit;
    below, the server's.
    """

    client: str
    per_second: float
    busy: float


@dataclass(frozen=True)
class Results:
    """One run of the benchmark."""

    sides: Sequence[Side]
    turns: Mapping[str, Sequence[Turn]]
    more: Mapping[str, Turn]
    """Further load of a side, beyond the rounds: it counts for failures only."""
    one_connection: Sequence[Turn]
    """Side (f) under a single connection, so that its p99 is a latency and no queue."""
    startup: Startup
    rss_mb: float
    limit: Limit
    facts: Mapping[str, Any]


WANTED = {
    "cold_over_hello": Wanted("(d) / (a), requests/s", at_least=0.6),
    "cold_over_plain": Wanted("(d) / (b), requests/s", at_least=4),
    "cold_over_in_process": Wanted("(d) / (c), requests/s"),
    "warm_over_hello": Wanted("(e) / (a), requests/s", at_least=0.8),
    "p99_cold_over_hello": Wanted("(d) / (a), p99", at_most=2),
    "knn_over_hello": Wanted("(f) / (a), requests/s", at_least=0.25),
    "sentry_over_cold": Wanted("(g) / (d), requests/s", at_least=0.95),
    "profiled_over_cold": Wanted("(h) / (d), requests/s", at_least=0.95),
    "startup_over_plain": Wanted("start-up, ours / FastAPI + redis hello", at_most=1.5),
    "rss_mb": Wanted("RssAnon of one reader, cache at its default, MB", at_most=110),
    "knn_p99_ms": Wanted("p99 of (f) on one connection, ms"),
    "failed": Wanted("failed requests of ours", at_most=0),
}


def headline(results: Results) -> dict[str, Ratio]:
    """The figures of :data:`WANTED`; None for what could not be measured."""
    turns = results.turns

    def speed(side: str, over: str) -> Ratio:
        return _number(speed_ratio(turns[side], turns[over])) if side in turns else None

    return {
        "cold_over_hello": speed("d", "a"),
        "cold_over_plain": speed("d", "b"),
        "cold_over_in_process": speed("d", "c"),
        "warm_over_hello": speed("e", "a"),
        "p99_cold_over_hello": _number(p99_ratio(turns["d"], turns["a"])),
        "knn_over_hello": speed("f", "a"),
        "sentry_over_cold": speed("g", "d"),
        "profiled_over_cold": speed("h", "d"),
        "startup_over_plain": _number(results.startup.over_plain),
        "rss_mb": _number(results.rss_mb),
        "knn_p99_ms": _number(figures(results.one_connection).p99_ms),
        "failed": failed(results),
    }


def failed(results: Results) -> int:
    """Requests to ours that failed, of all that were sent."""
    return sum(figures(_all_turns(results, side)).failed for side in _measured(results) if side.ours)


def report(results: Results) -> str:
    """Two tables of Markdown and a few lines."""
    lines = [
        "| | side | requests/s | p50 ms | p99 ms | p99.9 ms | CPU µs/request | requests | failed |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
        *(_row(results, side) for side in results.sides),
        "",
        _said_of(results.limit),
        _said_of_starts(results.startup),
        "",
        "| figure | what | measured | wanted | |",
        "|---|---|--:|--:|---|",
        *(_verdict(name, value) for name, value in headline(results).items()),
        "",
        ", ".join(f"{name} {value}" for name, value in results.facts.items()),
    ]
    return "\n".join(lines)


def as_json(results: Results) -> dict[str, Any]:
    """Everything, the headline figures first."""
    return {
        **headline(results),
        "sides": {side.key: _as_json(results, side) for side in results.sides},
        "generator": asdict(results.limit),
        "startup": asdict(results.startup),
        **results.facts,
    }


def machine() -> str:
    """Cores and Python."""
    return f"{os.cpu_count()} cores of {platform.machine()}, Python {platform.python_version()}"


def _said_of(limit: Limit) -> str:
    own = "that is its own limit" if limit.busy > AT_ITS_LIMIT else "its own limit lies higher"
    return (
        f"The load generator ({limit.client}) did {limit.per_second:,.0f} requests/s against a server that "
        f"only sends bytes back, running {limit.busy:.0%} of the time: {own}."
    )


def _said_of_starts(startup: Startup) -> str:
    return (
        f"From exec to the first answer: FastAPI + redis hello {startup.hello_seconds:.2f} s, "
        f"ours {startup.warm_seconds:.2f} s, ours on a new host {startup.cold_seconds:.2f} s."
    )


def _row(results: Results, side: Side) -> str:
    if side.lacks:
        return f"| {side.key} | {side.title} | not available: no setting `{side.lacks}` | | | | | | |"
    found, total = figures(results.turns[side.key]), figures(_all_turns(results, side))
    return (
        f"| {side.key} | {side.title} | {found.per_second:,.0f} | {found.p50_ms:.2f} | {found.p99_ms:.2f} "
        f"| {found.p999_ms:.2f} | {found.cpu_us:.0f} | {total.requests:,} | {total.failed} |"
    )


def _verdict(name: str, value: Ratio) -> str:
    wanted = WANTED[name]
    if value is None:
        return f"| `{name}` | {wanted.text} | not available | {_bound(wanted)} | |"
    said = ("met" if wanted.met(value) else "missed") if _bound(wanted) else ""
    return f"| `{name}` | {wanted.text} | {value:,.3g} | {_bound(wanted)} | {said} |"


def _bound(wanted: Wanted) -> str:
    if wanted.at_least > -math.inf:
        return f"≥ {wanted.at_least:g}"
    return f"≤ {wanted.at_most:g}" if wanted.at_most < math.inf else ""


def _as_json(results: Results, side: Side) -> dict[str, Any] | None:
    if side.lacks:
        return None
    found: Figures = figures(results.turns[side.key])
    total = figures(_all_turns(results, side))
    numbers = {name: _number(value) for name, value in asdict(found).items()}
    return {"title": side.title, **numbers, "requests": total.requests, "failed": total.failed}


def _measured(results: Results) -> list[Side]:
    return [side for side in results.sides if side.key in results.turns]


def _all_turns(results: Results, side: Side) -> list[Turn]:
    turns = list(results.turns[side.key])
    if side.key in results.more:
        turns.append(results.more[side.key])
    if side.key == "f":
        turns.extend(results.one_connection)
    return turns


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 3)
