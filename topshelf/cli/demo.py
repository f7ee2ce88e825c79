"""The demo: the whole system on real data, from files to recommendations with titles."""

import datetime as dt
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topshelf.cli.application import app, console
from topshelf.cli.tables import metrics_table, side_by_side
from topshelf.errors import JobFailed, ReaderRefused, ServiceError
from topshelf.settings import Settings

if TYPE_CHECKING:
    from interactions.dataset import Dataset
    from topshelf.local.system import LocalSystem

SHOWN_USERS = 3
SHOWN_ITEMS = 10
SERVED_WITHIN_SECONDS = 10.0


@app.command(rich_help_panel="Services")
def demo(
    dataset: Annotated[
        Path | None, typer.Option(help="Your own file or folder instead of MovieLens-100K.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Preset that reads it: movielens-100k, movielens-1m or kion.")
    ] = None,
    leave: Annotated[bool, typer.Option("--exit", help="Stop after printing instead of at Ctrl-C.")] = False,
) -> None:
    """Run everything here: ingest, train four models, stock Redis, print the lists, serve until Ctrl-C."""
    from topshelf.cli.services import interruptible, say, wait_for_interrupt
    from topshelf.local.ports import on_free_ports
    from topshelf.local.system import CHECKS, local_system

    settings = on_free_ports(Settings.from_environment(checks=CHECKS), say)
    console.rule("[bold]1 of 4[/] services", align="left")
    with interruptible(), local_system(settings, say) as system:
        console.print("Redis, worker, beat, Flower, exporter and the reader are up")
        console.rule("[bold]2 of 4[/] data", align="left")
        version = _ingest(system.settings, dataset, preset)
        console.rule("[bold]3 of 4[/] jobs", align="left")
        _run_pipelines(system, version)
        console.rule("[bold]4 of 4[/] recommendations", align="left")
        _show_users(system, version)
        say(system.addresses(with_secrets=console.is_terminal))
        if not leave:
            console.print("\nCtrl-C stops everything.")
            wait_for_interrupt()
        console.print("stopping …")


def _ingest(settings: Settings, path: Path | None, preset: str | None) -> "Dataset":
    from interactions.datasets import Datasets
    from interactions.ingest import ingest
    from topshelf.cli.step_display import step

    if path is None:
        from topshelf.cli.services import say
        from topshelf.local.demo_data import demo_data

        found = demo_data(settings.cache_dir, say)
        path, preset = found.folder, found.preset
    with step("reading", console) as progress:
        report = ingest(
            Datasets(settings.data_dir / "datasets"),
            path,
            preset=preset,
            reject_share=settings.reject_share,
            progress=progress,
        )
    manifest = report.dataset.manifest
    console.print(
        f"{manifest.n_interactions:,} interactions of {manifest.n_users:,} users "
        f"with {manifest.n_items:,} items ({report.n_rejects:,} rows rejected), dataset {manifest.version}",
        highlight=False,
    )
    return report.dataset


def _run_pipelines(system: "LocalSystem", dataset: "Dataset") -> None:
    from topshelf.cli.job_display import watch_jobs
    from workers.celery_app import create_app
    from workers.dispatch import Dispatcher
    from workers.pipelines import start_pipelines
    from workers.runtime import Runtime

    settings = system.settings
    runtime = Runtime(settings)
    job_ids = start_pipelines(
        runtime,
        Dispatcher(create_app(settings)),
        run=f"demo-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}",
        models=settings.models,
        dataset=dataset.version,
    )
    jobs = watch_jobs(runtime.jobs, job_ids, console)
    if failed := [job for job in jobs if job.state != "succeeded"]:
        reasons = "\n".join(
            f"  {job.model}: {job.error['error_message'] if job.error else job.state}" for job in failed
        )
        raise JobFailed(
            f"{len(failed)} of {len(jobs)} jobs failed:\n{reasons}\nsee {settings.data_dir}/logs/worker.log"
        )
    metrics = {job.model: runtime.artifacts.manifest(job.artifact).metrics for job in jobs}
    title = f"last {settings.test_share:.0%} of each user's time line held out"
    console.print(metrics_table(title, metrics))


def _show_users(system: "LocalSystem", dataset: "Dataset") -> None:
    from interactions.columns import ITEM_INDEX, USER_INDEX

    model = system.settings.models[-1]
    titles = dataset.titles()
    history = dataset.interactions()
    every = max(1, len(dataset.users) // SHOWN_USERS)
    for user in list(range(0, len(dataset.users), every))[:SHOWN_USERS]:
        external = dataset.users.ids_of([user])[0]
        touched = history.filter(history[USER_INDEX] == user)[ITEM_INDEX].to_list()
        indices = [(item, dataset.items.index_of(item)) for item in _served(system, model, str(external))]
        console.print(
            side_by_side(
                f"user {external}: latest of {len(touched)}",
                [titles[item] for item in reversed(touched[-SHOWN_ITEMS:])],
                f"{model} recommends",
                [str(item) if index is None else titles[index] for item, index in indices],
            )
        )


def _served(system: "LocalSystem", model: str, user: str) -> list[int | str]:
    """The reader's list; a generation that was published a moment ago is waited for."""
    from topshelf.cli.http import get
    from topshelf.local.addresses import api_url

    deadline = time.monotonic() + SERVED_WITHIN_SECONDS
    while True:
        try:
            answer = get(
                api_url(system.settings), system.credentials.read, "reco", model, user, k=SHOWN_ITEMS
            )
        except ReaderRefused as error:
            if error.key != "model_not_found" or time.monotonic() > deadline:
                raise ServiceError(
                    f"the reader does not serve {model}: {error}; see {system.settings.data_dir}/logs/api.log"
                ) from error
            time.sleep(0.1)
        else:
            items: list[int | str] = answer.body["items"]
            return items
