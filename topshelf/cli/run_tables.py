"""The table of training runs: for a terminal of 80 columns, or with every field in a column."""

import datetime as dt
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from topshelf.cli.tables import listing
from workers.tracking import Run
from workers.tracking.fields import (
    HYPERPARAMS,
    HYPERPARAMS_FIRST,
    METRIC_FIELDS,
    STUDY,
    STUDY_BEST,
    TECHNICAL_FIELDS,
    leaf,
)

FAILED_STATES = frozenset({"failed", "cancelled"})


def narrow_table(runs: Sequence[Run], hyperparams: Sequence[str] | None = None) -> Table:
    """Two lines a run or more: its id and metrics, then when it ran, and why it failed where it did."""
    table = Table(box=None, padding=(0, 1), header_style="underline")
    table.add_column("Id\nCreation Time, Monitoring Time, model", overflow="fold", ratio=1)
    for field in METRIC_FIELDS:
        table.add_column(leaf(field).replace("@", "\n@"), justify="right", no_wrap=True)
    for run in runs:
        lines = [escape(run.id), f"[dim]{_times(run)}[/]"]
        shown = [f"{name}={_text(run.fields.get(HYPERPARAMS + name))}" for name in hyperparams or ()]
        lines += [f"[dim]{escape(line)}[/]" for line in [", ".join(shown)] if line]
        if run.state in FAILED_STATES:
            lines.append(f"[red]Failed: {escape(run.failure)}[/]")
        table.add_row("\n".join(lines), *(_metric(run, field) for field in METRIC_FIELDS))
    return table


def wide_table(runs: Sequence[Run], hyperparams: Sequence[str] | None = None) -> Table:
    """A line a run and a column a field, under the field's exact name."""
    names = list(hyperparams or _hyperparams(runs))
    fields = [*(HYPERPARAMS + name for name in names), *TECHNICAL_FIELDS, *METRIC_FIELDS]
    columns = ["Id", "Creation Time", "Monitoring Time", *map(_heading, fields), "Failed"]
    rows = [
        [
            run.id,
            _moment(run.created),
            _duration(run.last_seen - run.created),
            *(_text(run.fields.get(HYPERPARAMS + name)) for name in names),
            *(_text(run.fields.get(field)) for field in TECHNICAL_FIELDS),
            *(_metric(run, field) for field in METRIC_FIELDS),
            _failed(run),
        ]
        for run in runs
    ]
    return listing(columns, rows)


def print_wide(table: Table) -> None:
    """Print a table as wide as it is; the terminal, or a pager, cuts or scrolls."""
    measured = Console(width=100_000).measure(table).maximum
    Console(file=sys.stdout, width=max(measured, 80)).print(table)


def _hyperparams(runs: Sequence[Run]) -> list[str]:
    """Every hyper-parameter some run has, the common ones first."""
    known = {
        field.removeprefix(HYPERPARAMS)
        for run in runs
        for field in run.fields
        if field.startswith(HYPERPARAMS)
    }
    return [name for name in HYPERPARAMS_FIRST if name in known] + sorted(known - set(HYPERPARAMS_FIRST))


def _heading(field: str) -> str:
    group, _, name = field.rpartition("/")
    return f"{group}/\n{name}"


def _failed(run: Run) -> str:
    return f"yes: {run.failure}" if run.state in FAILED_STATES else ""


def _times(run: Run) -> str:
    going = ", running" if run.state == "running" else ""
    best = f", best of {run.fields[STUDY]}" if run.fields.get(STUDY_BEST) else ""
    return f"{_moment(run.created)}, {_duration(run.last_seen - run.created)}, {run.model}{going}{best}"


def _moment(epoch_seconds: float) -> str:
    return f"{dt.datetime.fromtimestamp(epoch_seconds, dt.UTC):%Y-%m-%d %H:%M:%S}"


def _duration(seconds: float) -> str:
    return str(dt.timedelta(seconds=round(seconds)))


def _metric(run: Run, field: str) -> str:
    value = run.last(field)
    return "-" if value is None else f"{value:.4f}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
