"""Commands that run services: all of them on one machine, or one each for images and supervisors."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated

import typer

from topshelf.cli.application import app, console
from topshelf.settings import Settings, process_environment, settings_page

PANEL = "Services"
INTERRUPTED = 130
TASK_COLUMNS = "name,state,args,kwargs,result,started,runtime,worker,uuid"
"""What Flower's table of tasks shows; its DEBUG log is left out, it holds the secret of its cookies."""


@app.command(rich_help_panel=PANEL)
def up() -> None:
    """Run everything on this machine: Redis, a worker, beat, Flower, exporter and reader; Ctrl-C stops all.

    A Redis is started here unless TOPSHELF_SERVING_URL or TOPSHELF_DURABLE_URL name one.
    """
    from topshelf.local.system import CHECKS, local_system

    settings = Settings.from_environment(checks=CHECKS)
    console.print("starting Redis, worker, beat, Flower, exporter and the reader …")
    with interruptible(), local_system(settings, say) as system:
        say(system.addresses(with_secrets=console.is_terminal))
        console.print("Ctrl-C stops everything.")
        wait_for_interrupt()
        console.print("stopping …")


@app.command(rich_help_panel=PANEL)
def api() -> None:
    """Run the reader (needs the api extra only)."""
    from api.server import CHECKS, run

    run(Settings.from_environment(checks=CHECKS))


@app.command(rich_help_panel=PANEL)
def worker(
    queues: Annotated[
        str | None, typer.Option(help="Queues to take, separated by commas: gpu, cpu, io; all by default.")
    ] = None,
) -> None:
    """Run a Celery worker."""
    from workers.checks import WORKER_CHECKS
    from workers.exposition import prepare

    taken = tuple(queue.strip() for queue in queues.split(",")) if queues else None
    settings = Settings.from_environment(queues=taken, checks=WORKER_CHECKS)
    # Of a pool that is spawned, billiard says in a format of its own that a process begins.
    level = "WARNING" if settings.log_format == "json" else settings.log_level
    arguments = ("worker", "--queues", ",".join(settings.queues), "--loglevel", level)
    _celery(settings, *arguments, **prepare(settings))


@app.command(rich_help_panel=PANEL)
def beat() -> None:
    """Run the scheduler of the nightly pipeline, the reconciler and the event drain."""
    from workers.checks import CHECKS

    settings = Settings.from_environment(checks=CHECKS)
    _celery(settings, "beat", "--loglevel", settings.log_level)


@app.command(rich_help_panel=PANEL)
def flower() -> None:
    """Run Flower behind basic auth."""
    from topshelf.settings.checks import flower_has_a_password
    from workers.checks import CHECKS

    settings = Settings.from_environment(checks=(flower_has_a_password, *CHECKS))
    folder = settings.data_dir / "flower"
    folder.mkdir(parents=True, exist_ok=True)
    _celery(
        settings,
        "flower",
        f"--address={settings.flower_host}",
        f"--port={settings.flower_port}",
        "--persistent=True",
        f"--db={folder / 'flower.db'}",
        "--state_save_interval=60000",
        "--max_tasks=10000",
        f"--tasks-columns={TASK_COLUMNS}",
        f"--logging={'info' if settings.log_level == 'DEBUG' else settings.log_level.lower()}",
        FLOWER_BASIC_AUTH=f"{settings.flower_user}:{settings.flower_password.get_secret_value()}",
    )


@app.command(rich_help_panel=PANEL)
def settings() -> None:
    """Print every setting with its default."""
    sys.stdout.write(settings_page())


def say(line: str) -> None:
    """Print what a supervisor has to say."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def interruptible() -> Iterator[None]:
    """End the block at Ctrl-C, SIGTERM or a closed terminal; asked again while it ends, it goes on ending."""
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        signals.append(signal.SIGHUP)

    def interrupt(*_: object) -> None:
        for number in signals:
            signal.signal(number, lambda *_: None)
        raise KeyboardInterrupt

    for number in signals:
        signal.signal(number, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def wait_for_interrupt() -> None:
    """Return at the first signal of an ``interruptible`` block."""
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def _celery(settings: Settings, *arguments: str, **environ: str) -> None:
    """Become Celery's own command, on the settings given; secrets go by the environment, not by argv."""
    quiet = ["--quiet"] if settings.log_format == "json" else []  # its banner is no JSON
    os.execve(  # noqa: S606 -- argv is ours
        sys.executable,
        [sys.executable, "-m", "celery", "--app", "workers.app", *quiet, *arguments],
        process_environment() | settings.to_environment() | environ,
    )
