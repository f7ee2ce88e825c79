"""Jobs on a terminal: live bars while they run, a line now and then where nobody looks at a terminal."""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from store.jobs import Job, Jobs

POLL_SECONDS = 0.2
PATIENCE_SECONDS = 20.0
LINE_EVERY_SECONDS = 10.0
WIDEST_BAR, NARROWEST_BAR = 30, 5
BESIDES_BAR = 112
"""Columns that a model's name, the share done, the time and the longest usual status take."""
FINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})


def watch_jobs(jobs: Jobs, job_ids: Sequence[str], console: Console) -> list[Job]:
    """Show jobs until all are over; returns their last records in the order asked for."""
    watcher = display_on(console)
    started = time.monotonic()
    warned = False
    with watcher:
        while True:
            records = [jobs.get(job_id) for job_id in job_ids]
            for record in records:
                watcher.show(record)
            if all(record.state in FINAL_STATES for record in records):
                return records
            untouched = all(record.state == "queued" for record in records)
            if untouched and not warned and time.monotonic() - started > PATIENCE_SECONDS:
                warned = True
                console.print(
                    "No worker has taken the job yet: is `topshelf up` or `topshelf worker` running?"
                )
            time.sleep(POLL_SECONDS)


def display_on(console: Console) -> "_Bars | _Lines":
    """What shows jobs, as a context: bars that move on a terminal, lines elsewhere."""
    return _Bars(console) if console.is_terminal else _Lines(console)


def status_line(job: Job) -> str:
    """Where a job stands, in a few words."""
    if job.error:
        return f"{job.state}: {job.error['error_message']}"
    if job.state == "running":
        return f"{job.stage}: {job.message}" if job.message else job.stage
    return job.message if job.state == "succeeded" and job.message else job.state


class _Bars:
    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("[bold]{task.description:<20}"),
            BarColumn(bar_width=min(WIDEST_BAR, max(NARROWEST_BAR, console.width - BESIDES_BAR))),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[status]}", markup=False),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "_Bars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, job: Job) -> None:
        if job.id not in self._tasks:
            self._tasks[job.id] = self._progress.add_task(job.model, total=1.0, status="")
        task = self._tasks[job.id]
        over = job.state in FINAL_STATES
        self._progress.update(task, completed=job.progress, status=status_line(job))
        if over:
            self._progress.stop_task(task)


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, tuple[str, str]] = {}
        self._shown_at: dict[str, float] = {}

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, job: Job) -> None:
        place, now = (job.state, job.stage), time.monotonic()
        due = now - self._shown_at.get(job.id, now) >= LINE_EVERY_SECONDS
        if self._shown.get(job.id) != place or (due and job.state not in FINAL_STATES):
            self._shown[job.id] = place
            self._shown_at[job.id] = now
            self._console.print(
                f"{job.model:<20} {job.progress:4.0%} {status_line(job)}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
