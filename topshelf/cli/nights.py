"""Commands about nightly runs: begin one by hand, list them, say what is due when."""

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

import typer

from topshelf.cli.application import app, console, error_console, print_json
from topshelf.cli.options import Json
from topshelf.errors import JobFailed
from topshelf.settings import Settings

if TYPE_CHECKING:
    from store.night import NightlyRun

PANEL = "Jobs"


@app.command(rich_help_panel=PANEL)
def nightly(
    schedule: Annotated[
        str | None, typer.Argument(metavar="SCHEDULE", help="Which one; `nightly`, or the only one there is.")
    ] = None,
    date: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Business date of the run; today in the schedule's zone."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Watch it until it is over.")] = True,
    again: Annotated[
        bool, typer.Option("--again", help="Run once more where that date's run is over.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Begin a schedule's run by hand, or join that date's; a repeat does nothing. Exit code 6: it failed."""
    from topshelf.cli.night_display import document, watch_night
    from workers.celery_app import create_app
    from workers.dispatch import Dispatcher
    from workers.nights import begin, due_by_hand
    from workers.runtime import Runtime
    from workers.schedules import schedules_of

    settings = Settings.from_environment()
    runtime, dispatch = Runtime(settings), Dispatcher(create_app(settings))
    wanted = schedules_of(settings).get(schedule)
    due = due_by_hand(wanted, date.date() if date else None)
    run, created = begin(runtime, wanted, due, "hand", again=again)
    if created:
        dispatch.night(run.id)
    if wait:
        run = watch_night(runtime, dispatch, run.id, error_console if as_json else console)
    if as_json:
        print_json(document(run))
    else:
        console.print(_said(run, created=created), soft_wrap=True, highlight=False, markup=False)
    if run.state == "failed":
        raise JobFailed(f"nightly run {run.id} failed: {run.reason}; see topshelf nights {run.id}")


@app.command(rich_help_panel=PANEL)
def nights(
    run_id: Annotated[str | None, typer.Argument(metavar="RUN", help="Show this run's models.")] = None,
    schedule: Annotated[str | None, typer.Option(help="Only runs of this schedule.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at the most, newest first.")] = 20,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="End the run, once its jobs have stopped.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List nightly runs with their states, times and models, show one model by model, or cancel one."""
    from topshelf.cli.night_display import document, models_table, nights_table
    from workers.nights import cancel_run, with_outcomes
    from workers.runtime import Runtime

    runtime = Runtime(Settings.from_environment())
    if cancel and run_id is None:
        raise typer.BadParameter("name the run to cancel: topshelf nights RUN --cancel")
    if run_id is not None:
        run = cancel_run(runtime, run_id) if cancel else with_outcomes(runtime, runtime.nights.get(run_id))
        print_json(document(run)) if as_json else console.print(models_table(run))
        if cancel and not as_json:
            console.print(_state_of(run), soft_wrap=True, highlight=False, markup=False)
        return
    found = runtime.nights.list(limit=limit, schedule=schedule)
    if as_json:
        print_json([document(run) for run in found])
    elif not found:
        console.print("no nightly runs; begin one with: topshelf nightly", highlight=False)
    else:
        console.print(nights_table(found))
        console.print("one run, model by model: topshelf nights RUN", style="dim")


@app.command(rich_help_panel=PANEL)
def schedules(as_json: Json = False) -> None:
    """Say what is due when next, in which time zone."""
    from topshelf.cli.tables import listing
    from workers.cron import next_due, now_in
    from workers.schedules import schedules_of

    rows: list[dict[str, Any]] = []
    for schedule in schedules_of(Settings.from_environment()):
        due = next_due(schedule.cron, now_in(schedule.timezone)) if schedule.cron else None
        rows.append(
            {
                "schedule": schedule.name,
                "cron": schedule.cron,
                "timezone": schedule.timezone,
                "next": due.isoformat(timespec="minutes") if due else None,
                "models": list(schedule.models),
            }
        )
    if as_json:
        print_json(rows)
        return
    columns = ("schedule", "cron", "timezone", "next", "models")
    shown = [[*(row[name] or "by hand" for name in columns[:-1]), ", ".join(row["models"])] for row in rows]
    console.print(listing(columns, shown))


def _state_of(run: "NightlyRun") -> str:
    if run.over:
        return f"nightly run {run.id} {run.state}" + (f": {run.reason}" if run.reason else "")
    return f"nightly run {run.id} ends once its jobs have stopped; watch it with: topshelf nights {run.id}"


def _said(run: "NightlyRun", *, created: bool) -> str:
    if run.over or run.cancelled:
        return _state_of(run)
    begun = "is begun" if created else f"was begun before and is at {run.stage}"
    return f"nightly run {run.id} {begun}; watch it with: topshelf nights {run.id}"
