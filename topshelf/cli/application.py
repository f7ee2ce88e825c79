"""The command's root: its help, its errors and its exit codes."""

import json
import sys
from typing import Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from topshelf.errors import (
    DataError,
    JobError,
    ModelError,
    ReaderRefused,
    ServiceError,
    SettingsError,
    StoreError,
    StoreUnavailable,
    TopshelfError,
)

EXIT_CODES: tuple[tuple[type[TopshelfError], int], ...] = (
    (SettingsError, 2),
    (DataError, 3),
    (ModelError, 4),
    (StoreError, 5),
    (JobError, 6),
    (ReaderRefused, 1),
    (ServiceError, 7),
)
OTHER_ERROR = 1

EPILOG = (
    "Start with `topshelf demo`; `topshelf COMMAND --help` says more. "
    "Exit codes: 0 done, 1 other error, 2 wrong arguments or settings, 3 data, 4 model, 5 Redis, "
    "6 a job failed or was cancelled, 7 a service did not start, 130 interrupted. "
    "Settings are environment variables that start with TOPSHELF_."
)

console = Console()
error_console = Console(stderr=True)


class Commands(TyperGroup):
    """Turns every error of ours into one message and the exit code of its kind."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TopshelfError as error:
            show_error(error)
            raise typer.Exit(exit_code(error)) from error
        except ModuleNotFoundError as error:
            show_error(
                TopshelfError(
                    f"this command needs {error.name}, which is not part of this installation; "
                    "run it where topshelf[api,control,train,deep,lightfm,tune,track,local] is installed"
                )
            )
            raise typer.Exit(OTHER_ERROR) from error
        except OSError as error:
            if error.filename is None:
                raise
            show_error(TopshelfError(f"{error.filename}: {error.strerror}"))
            raise typer.Exit(OTHER_ERROR) from error


app = typer.Typer(
    name="topshelf",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog=EPILOG,
    help="Recommendation lists trained by Celery workers, stocked in Redis and handed out by a light reader.",
)


def exit_code(error: TopshelfError) -> int:
    """The exit code of an error's kind."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), OTHER_ERROR)


def show_error(error: TopshelfError) -> None:
    """Print an error to stderr: JSON where ``--json`` was asked for, text otherwise."""
    if "--json" in sys.argv:
        shape = {"errors": [{"error_key": error.key, "error_message": str(error), "error_loc": None}]}
        sys.stderr.write(json.dumps(shape) + "\n")
        return
    error_console.print(f"[bold red]error[/] [dim]{error.key}[/]", highlight=False)
    error_console.print(str(error), markup=False, highlight=False, soft_wrap=True)
    if isinstance(error, StoreUnavailable):
        error_console.print("Is `topshelf up` running? Another Redis is named by TOPSHELF_SERVING_URL.")


def print_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
