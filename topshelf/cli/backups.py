"""Commands that keep what cannot be made again, and bring it back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from topshelf.cli.application import app, console, error_console, print_json
from topshelf.cli.options import Json
from topshelf.settings import Settings

PANEL = "Backups"


@app.command(rich_help_panel=PANEL)
def backup(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write; it must not be there yet.")
    ],
    as_json: Json = False,
) -> None:
    """Write datasets, models, events, jobs, holds and changes to items to one file; the system goes on.

    Lists are not in it: a restore makes them again. Tokens and passwords are not in it either.
    """
    from topshelf.backups.making import make_backup
    from topshelf.cli.step_display import step
    from workers.runtime import Runtime

    with step("backing up", error_console if as_json else console) as progress:
        manifest = make_backup(Runtime(Settings.from_environment()), path, progress)
    if as_json:
        print_json({"path": path, "bytes": path.stat().st_size, **manifest.model_dump(exclude={"files"})})
        return
    console.print(
        f"{path}: {path.stat().st_size:,} bytes, {len(manifest.files):,} files, {manifest.n_keys:,} keys, "
        f"{len(manifest.live)} live models",
        highlight=False,
        soft_wrap=True,
    )


@app.command(rich_help_panel=PANEL)
def restore(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="What `topshelf backup` wrote.")],
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Over a system that is not empty; its files are put aside, its keys go."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring a backup back into an empty data folder and Redis, with nothing running but Redis.

    The embedded Redis is started for it. Each model that was live has a job that stocks it again; it runs as
    soon as there is a worker: start the services now.
    """
    from topshelf.backups.restoring import restore_backup
    from workers.celery_app import create_app
    from workers.dispatch import Dispatcher
    from workers.runtime import Runtime

    settings = Settings.from_environment()
    with _redis_of(settings):
        celery = create_app(settings)
        restored = restore_backup(Runtime(settings), Dispatcher(celery), path, replace=replace)
        celery.close()
    if as_json:
        print_json({**restored.manifest.model_dump(exclude={"files"}), "jobs": restored.job_ids})
        return
    console.print(
        f"restored what {path} had on {restored.manifest.created}; these jobs stock the models again:",
        highlight=False,
        soft_wrap=True,
    )
    for job_id in restored.job_ids:
        console.print(f"  {job_id}", highlight=False)


@contextmanager
def _redis_of(settings: Settings) -> Iterator[None]:
    """The embedded Redis, which a system that does not run has not started; another one is there."""
    from store.embedded import EmbeddedRedis

    if not settings.embedded_redis:
        yield
        return
    with EmbeddedRedis(settings.data_dir / "redis", settings.redis_port):
        yield
