"""The command that searches hyper-parameters."""

import json
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from topshelf.cli.application import app, console, error_console, print_json
from topshelf.cli.jobs import PANEL, parse_params
from topshelf.cli.options import DatasetVersion, Json, ModelName, Params
from topshelf.errors import JobFailed
from topshelf.settings import Settings

if TYPE_CHECKING:
    from rich.table import Table

    from workers.tuning import TrialRecord, Tuning

SHOWN_TRIALS = 10


@app.command(rich_help_panel=PANEL)
def tune(
    model: ModelName,
    param: Params = None,
    trials: Annotated[
        int, typer.Option(min=1, help="Go on until the study holds this many trials, failed ones among them.")
    ] = 20,
    parallel: Annotated[
        int | None,
        typer.Option(min=1, help="Trials under way at a time; TOPSHELF_WORKER_PROCESSES by default."),
    ] = None,
    metric: Annotated[str, typer.Option(help="What is maximised, on the validation part.")] = "NDCG@10",
    study: Annotated[
        str | None,
        typer.Option(help="Name of the study; MODEL-DATASET by default, which goes on where it was left."),
    ] = None,
    dataset: DatasetVersion = None,
    as_json: Json = False,
) -> None:
    """Search a model's hyper-parameters: every trial is a job for the workers, the best run is marked.

    Trials are measured on the last part of the training rows, never on the test part. A hyper-parameter
    given with -p is kept fixed. Ctrl-C leaves the trials under way to the workers; the same command goes on.
    """
    from rich.status import Status

    from workers.celery_app import create_app
    from workers.dispatch import Dispatcher
    from workers.runtime import Runtime
    from workers.tuning import Tuning

    settings = Settings.from_environment()
    runtime = Runtime(settings)
    version = runtime.datasets.open(dataset).version if dataset else runtime.datasets.latest().version
    tuning = Tuning(
        runtime,
        Dispatcher(create_app(settings)),
        model,
        name=study or f"{model}-{version}",
        dataset=version,
        metric=metric,
        fixed=parse_params(param),
    )
    shown = error_console if as_json else console
    kept = len(tuning.records())
    if kept:
        shown.print(f"the study {tuning.name} holds {kept} trials; going on", highlight=False)

    def tell(trial: "TrialRecord") -> None:
        shown.print(_line(tuning, trial), highlight=False, soft_wrap=True)

    with Status("", console=shown) as status:
        tuning.run(
            trials,
            parallel or settings.worker_processes,
            tell,
            lambda jobs, over: status.update(_waiting(jobs, over, trials)),
        )
    best = tuning.best()
    if as_json:
        print_json(_document(tuning))
    if best is None:
        raise JobFailed(f"no trial of {tuning.name} ended well; see: topshelf jobs --model {model}")
    if not as_json:
        console.print(_table(tuning))
        console.print(f"the best run is {best.job_id}; publish its hyper-parameters with:", highlight=False)
        console.print(
            f"topshelf pipeline {model}{_options(tuning.best_config())}", soft_wrap=True, markup=False
        )


def _line(tuning: "Tuning", trial: "TrialRecord") -> str:
    params = ", ".join(f"{name}={_short(value)}" for name, value in trial.params.items())
    if trial.value is None:
        return f"trial {trial.number:>3} [red]failed[/]: {trial.failure}  [dim]{params}[/]"
    star = " [bold green]best so far[/]" if trial.best else ""
    return f"trial {trial.number:>3} {tuning.metric} {trial.value:.4f}{star}  [dim]{params}[/]"


def _waiting(jobs: list[Any], over: int, trials: int) -> str:
    from rich.markup import escape

    from topshelf.cli.job_display import status_line

    first = f": {escape(status_line(jobs[0]))}" if jobs else ""
    return f"{over} of {trials} trials over, {len(jobs)} under way{first}"


def _table(tuning: "Tuning") -> "Table":
    from topshelf.cli.tables import listing

    done = sorted(
        (record for record in tuning.records() if record.value is not None),
        key=lambda record: (-(record.value or 0.0), record.number),
    )
    rows = [
        (
            record.number,
            f"{record.value:.4f}",
            record.job_id,
            ", ".join(f"{name}={_short(value)}" for name, value in record.params.items()),
        )
        for record in done[:SHOWN_TRIALS]
    ]
    return listing(("trial", tuning.metric, "run", "hyper-parameters"), rows)


def _document(tuning: "Tuning") -> dict[str, Any]:
    best = tuning.best()
    return {
        "study": tuning.name,
        "model": tuning.model,
        "metric": tuning.metric,
        "best": asdict(best) if best else None,
        "config": tuning.best_config(),
        "trials": [asdict(record) for record in tuning.records()],
    }


def _options(config: dict[str, Any]) -> str:
    return "".join(
        f" -p {shlex.quote(f'{name}={value if isinstance(value, str) else json.dumps(value)}')}"
        for name, value in config.items()
    )


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
