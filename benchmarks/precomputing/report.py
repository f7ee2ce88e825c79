"""What was measured as tables, as figures beside what is wanted of them, as one object, and drawn."""

import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.plotting import draw_bars, load_pyplot, save
from benchmarks.precomputing.nightly import Run
from benchmarks.precomputing.rankers import Turns
from benchmarks.precomputing.wide import EXACT, GRAPH, PLAIN, Wide
from benchmarks.precomputing.work import Work
from benchmarks.precomputing.writing import Writing
from benchmarks.reading.report import Wanted

if TYPE_CHECKING:
    from benchmarks.precomputing.device import DeviceTime

IMPLICIT, OURS = "implicit", "topshelf"
COLOURS = {OURS: "#2f6f6b", EXACT: "#2f6f6b", GRAPH: "#6fa8a3"}
OTHERS = "#b8b2a7"
THEIRS = (IMPLICIT, "plain torch", PLAIN)
MILLION = 1_000_000


@dataclass(frozen=True)
class Results:
    """One run of the benchmark."""

    work: Work
    ranking: Turns
    wide: Sequence[Wide]
    writing: Sequence[Writing]
    runs: Sequence[Run]
    device: "DeviceTime | None"


WANTED = {
    "exact_over_implicit": Wanted("exact lists, implicit's time / ours", at_least=4),
    "equal_lists": Wanted("share of the users whose lists are implicit's, ties aside", at_least=0.999),
    "ann_over_exact": Wanted("wide catalogue, plain product's time / the graph's", at_least=5),
    "ann_recall": Wanted("recall@10 of the graph", at_least=0.95),
    "kion_seconds": Wanted("KION's size, from the job to the live pointer, s", at_most=240),
    "kion_peak_gb": Wanted("most memory of the worker's processes together, GB", at_most=3),
    "write_users_per_second": Wanted("packing and writing, users/s", at_least=500_000),
    "bytes_per_user": Wanted("bytes a user in Redis, 10 items", at_most=32),
    "bytes_per_user_k20": Wanted("bytes a user in Redis, 20 items", at_most=55),
    "cost_growth": Wanted("time a user, the largest of the sizes over the smallest", at_most=1.1),
    "cpu_growth": Wanted("the same in processor time", at_most=1.1),
}


def headline(results: Results) -> dict[str, float | None]:
    """The figures of :data:`WANTED`; None for what was left out."""
    kion = next((run for run in results.runs if run.users == _kion_users(results)), None)
    costs = [run.microseconds_a_user for run in results.runs]
    cpu_costs = [run.cpu_microseconds_a_user for run in results.runs]
    ten, twenty = results.writing
    return {
        "exact_over_implicit": results.ranking.ratio(IMPLICIT, OURS),
        "equal_lists": results.ranking.equal_share(IMPLICIT, OURS),
        "ann_over_exact": results.wide[0].ann_over_exact,
        "ann_recall": results.wide[0].search.recall,
        "kion_seconds": kion.seconds if kion else None,
        "kion_peak_gb": kion.peak_gb if kion else None,
        "write_users_per_second": min(ten.users_per_second, twenty.users_per_second),
        "bytes_per_user": ten.bytes_per_user,
        "bytes_per_user_k20": twenty.bytes_per_user,
        "cost_growth": max(costs) / min(costs) if costs else None,
        "cpu_growth": max(cpu_costs) / min(cpu_costs) if cpu_costs else None,
    }


def as_json(results: Results) -> Mapping[str, object]:
    """The headline with the times behind it."""
    return {
        **headline(results),
        "ranking_seconds": {name: results.ranking.median(name) for name in results.ranking.seconds},
        "wide": [
            {
                "what": wide.work.name,
                "size": wide.work.size,
                "recall": wide.search.recall,
                "ef": wide.search.ef,
                "build_seconds": wide.build_seconds,
                "seconds": {name: wide.turns.median(name) for name in wide.turns.seconds},
                "choice": wide.choice,
            }
            for wide in results.wide
        ],
        "runs": [{**vars(run), "microseconds_a_user": run.microseconds_a_user} for run in results.runs],
        "device": vars(results.device) if results.device else None,
        "hardware": _hardware(results),
    }


def report(results: Results) -> str:
    """Tables of Markdown."""
    lines = [
        f"(1) {results.work.name}, {results.work.size}, top 10",
        "",
        "| | s | times as fast as implicit |",
        "|---|--:|--:|",
        *(
            f"| {name} | {results.ranking.median(name):.2f} | {results.ranking.ratio(IMPLICIT, name):.2f} |"
            for name in results.ranking.seconds
        ),
        "",
        "(2) wide catalogues, a sample of users",
        "",
        "| | vectors | ms a user | times as fast as the plain product |",
        "|---|---|--:|--:|",
        *(row for wide in results.wide for row in _wide_rows(wide)),
        "",
        *(_said_of(wide) for wide in results.wide),
        "",
        "(3) writing",
        "",
        "| items a row | users | users/s | bytes a user | server |",
        "|--:|--:|--:|--:|---|",
        *(
            f"| {written.k} | {written.users:,} | {written.users_per_second:,.0f} | "
            f"{written.bytes_per_user:.1f} | {written.server} |"
            for written in results.writing
        ),
        "",
    ]
    if results.runs:
        lines += [
            "(4) whole precomputes, two worker processes",
            "",
            "| users | items | factors | s | filling | µs a user | CPU µs a user | worker GB | Redis GB |",
            "|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
            *map(_run_row, results.runs),
            "",
        ]
    if results.device:
        lines += [_said_of_device(results.device), ""]
    lines += [
        "| figure | what | measured | wanted | |",
        "|---|---|--:|--:|---|",
        *(_verdict(name, value, results) for name, value in headline(results).items()),
        "",
        _hardware(results),
    ]
    return "\n".join(lines)


def draw(results: Results, file: Path) -> None:
    """Write a chart, in the format the file's name ends with.

    Raises:
        ServiceError: matplotlib is not installed.
    """
    pyplot = load_pyplot()
    figure, (small, wide, growth) = pyplot.subplots(1, 3, figsize=(11, 2.8))
    turns, first = results.ranking, results.wide[0]
    seconds = {name: turns.median(name) for name in turns.seconds}
    milliseconds = {
        name: first.turns.median(name) / len(first.turns.lists[name]) * 1e3 for name in first.turns.seconds
    }
    microseconds = {f"{run.users:,} users": run.microseconds_a_user for run in results.runs}
    n_items = first.work.seen.shape[1]
    for axis, values, title, form in (
        (small, seconds, "Gowalla's size, s", "{:.2f}"),
        (wide, milliseconds, f"{n_items:,} items, ms a user", "{:.2f}"),
        (growth, microseconds, "filling a generation, µs a user", "{:.1f}"),
    ):
        colours = [OTHERS if name in THEIRS else COLOURS.get(name, COLOURS[OURS]) for name in values]
        draw_bars(axis, values, colours, title, form, margin=0.22)
        axis.invert_yaxis()
    save(figure, file)


def _kion_users(results: Results) -> int:
    return sorted(run.users for run in results.runs)[len(results.runs) // 2]


def _wide_rows(wide: Wide) -> list[str]:
    users = len(next(iter(wide.turns.lists.values())))
    return [
        f"| {name} | {wide.work.name} | {wide.turns.median(name) / users * 1e3:.3f} | "
        f"{wide.turns.ratio(PLAIN, name):.1f} |"
        for name in wide.turns.seconds
    ]


def _said_of(wide: Wide) -> str:
    found = f"the graph finds {wide.search.recall:.3f} at ef {wide.search.ef}"
    built = f"built and tried in {wide.build_seconds:.0f} s"
    return f"{wide.work.name}, {wide.work.size}: {found}, {built}; left to the code: {wide.choice}."


def _said_of_device(device: "DeviceTime") -> str:
    times = f"{device.seconds:.3f} s, {device.seconds / device.floor_seconds:.1f} times the floor"
    checked = f"{device.equal_share:.4f} of those checked are the CPU's"
    return f"{device.name}: {times}; {device.left_open:,} lists ranked again, {checked}"


def _run_row(run: Run) -> str:
    return (
        f"| {run.users:,} | {run.items:,} | {run.factors} | {run.seconds:.1f} | {run.filling_seconds:.1f} | "
        f"{run.microseconds_a_user:.1f} | {run.cpu_microseconds_a_user:.1f} | "
        f"{run.peak_gb:.2f} | {run.redis_gb:.2f} |"
    )


def _verdict(name: str, value: float | None, results: Results) -> str:
    wanted = WANTED[name]
    if name == "ann_over_exact" and results.wide[0].work.seen.shape[1] < MILLION:
        return f"| `{name}` | {wanted.text} | {value:,.3g} | of a million items | |"
    bound = ""
    if wanted.at_least > -math.inf:
        bound = f"≥ {wanted.at_least:,g}"
    elif wanted.at_most < math.inf:
        bound = f"≤ {wanted.at_most:,g}"
    if value is None:
        return f"| `{name}` | {wanted.text} | not measured | {bound} | |"
    return (
        f"| `{name}` | {wanted.text} | {value:,.3g} | {bound} | {'met' if wanted.met(value) else 'missed'} |"
    )


def _hardware(results: Results) -> str:
    return (
        f"{os.cpu_count()} cores of {platform.machine()}, Python {platform.python_version()}, "
        f"NumPy {version('numpy')}, implicit {version('implicit')}, {results.writing[0].server}"
    )
