"""Commands that enqueue, watch and cancel jobs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from store.job import JobKind, JobState
from topshelf.cli.application import app, console, print_json
from topshelf.cli.options import DatasetVersion, Detach, Json, ModelName, Params, Profile, Rules
from topshelf.errors import InvalidConfig, JobFailed
from topshelf.settings import Settings

if TYPE_CHECKING:
    from workers.runtime import Runtime

PANEL = "Jobs"


@app.command(rich_help_panel=PANEL)
def train(
    model: ModelName,
    param: Params = None,
    dataset: DatasetVersion = None,
    profile: Profile = False,
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """Train a model, compare it with the live one and keep the better as an artifact; publishes nothing."""
    more = _profile_param(profile)
    _train("train", model, param, dataset, more, detach=detach, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def pipeline(
    model: ModelName,
    param: Params = None,
    dataset: DatasetVersion = None,
    rules: Rules = None,
    profile: Profile = False,
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """Train, evaluate, precompute and publish a model: what the nightly run does."""
    more = _rules_param(rules) | _profile_param(profile)
    _train("pipeline", model, param, dataset, more, detach=detach, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def precompute(
    model: ModelName,
    artifact: Annotated[
        str | None, typer.Option(metavar="ID", help="Artifact to make lists with; the model's newest one.")
    ] = None,
    since: Annotated[
        bool,
        typer.Option(
            "--since",
            help="Only for who has new events since the live generation was made; its artifact makes them.",
        ),
    ] = False,
    rules: Rules = None,
    profile: Profile = False,
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """Make everybody's lists anew without training, or with --since only those of users with new events."""
    from models.registry import model_entry
    from workers.incremental import live_base
    from workers.runtime import Runtime

    if since and (artifact or rules):
        raise typer.BadParameter("--since takes the live generation's artifact and rules, leave yours out")
    model_entry(model)
    runtime = Runtime(Settings.from_environment())
    if since:
        live_base(runtime, model)
    elif artifact:
        runtime.artifacts.manifest(artifact)
    params = ({"artifact": artifact} if artifact else {}) | _rules_param(rules) | _profile_param(profile)
    _run(runtime, "delta" if since else "precompute", model, params, detach=detach, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def jobs(
    job_id: Annotated[str | None, typer.Argument(metavar="JOB", help="Show this job whole.")] = None,
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    model: Annotated[str | None, typer.Option(help="Only jobs of this model.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at the most, newest first.")] = 20,
    cancel: Annotated[bool, typer.Option("--cancel", help="Ask the job to stop at its next step.")] = False,
    as_json: Json = False,
) -> None:
    """List jobs, show one, or cancel one with `topshelf jobs JOB --cancel`."""
    from dataclasses import asdict

    from topshelf.cli.job_display import status_line
    from topshelf.cli.tables import listing
    from workers.runtime import Runtime

    records = Runtime(Settings.from_environment()).jobs
    if cancel and job_id is None:
        raise typer.BadParameter("name the job to cancel: topshelf jobs JOB --cancel")
    if job_id is not None:
        job = records.request_cancel(job_id) if cancel else records.get(job_id)
        print_json(asdict(job)) if as_json else console.print_json(data=asdict(job), default=str)
        return
    found = records.list(limit=limit, state=state, model=model)
    if as_json:
        print_json([asdict(job) for job in found])
        return
    if not found:
        console.print("no jobs")
        return
    rows = [(job.id, job.state, f"{job.progress:.0%}", status_line(job)) for job in found]
    console.print(listing(("job", "state", "done", "status"), rows))


def parse_params(params: list[str] | None) -> dict[str, Any]:
    """``["factors=64"]`` → ``{"factors": 64}``; values are JSON where they can be, text otherwise.

    Raises:
        InvalidConfig: a parameter is not of the form NAME=VALUE.
    """
    parsed: dict[str, Any] = {}
    for param in params or []:
        name, sign, text = param.partition("=")
        if not sign or not name:
            raise InvalidConfig(f"a hyper-parameter is written NAME=VALUE, not {param!r}")
        try:
            parsed[name] = json.loads(text)
        except json.JSONDecodeError:
            parsed[name] = text
    return parsed


def _rules_param(file: Path | None) -> dict[str, Any]:
    from workers.rules import read_rules

    return {} if file is None else {"rules": read_rules(file).model_dump(mode="json", exclude_defaults=True)}


def _profile_param(profile: bool) -> dict[str, Any]:
    return {"profile": True} if profile else {}


def _train(
    kind: JobKind,
    model: str,
    param: list[str] | None,
    dataset: str | None,
    more: dict[str, Any],
    *,
    detach: bool,
    as_json: bool,
) -> None:
    from models.registry import model_config
    from workers.runtime import Runtime

    runtime = Runtime(Settings.from_environment())
    config = parse_params(param)
    model_config(model, config)
    version = runtime.datasets.open(dataset).version if dataset else runtime.datasets.latest().version
    params = {"config": config, "dataset": version} | more
    _run(runtime, kind, model, params, detach=detach, as_json=as_json)


def _run(
    runtime: "Runtime", kind: JobKind, model: str, params: dict[str, Any], *, detach: bool, as_json: bool
) -> None:
    from dataclasses import asdict

    from topshelf.cli.application import error_console
    from topshelf.cli.job_display import watch_jobs
    from topshelf.cli.tables import metrics_table
    from workers.celery_app import create_app
    from workers.dispatch import Dispatcher

    job, _ = runtime.jobs.create(kind, model, params=params)
    Dispatcher(create_app(runtime.settings)).start(job.id)
    if not detach:
        [job] = watch_jobs(runtime.jobs, [job.id], error_console if as_json else console)
    if as_json:
        print_json(asdict(job))
    elif detach:
        console.print(f"job {job.id} is queued; watch it with: topshelf jobs {job.id}", soft_wrap=True)
    elif job.metrics:
        console.print(metrics_table(f"{job.model} on {job.dataset}", {job.model: job.metrics}))
    if job.state in {"failed", "cancelled"}:
        reason = job.error["error_message"] if job.error else "no reason is known"
        raise JobFailed(
            f"job {job.id} {job.state}: {reason}\nsee {runtime.settings.data_dir}/logs/worker.log"
        )
