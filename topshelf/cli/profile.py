"""Commands that say where time goes: at a start, in a request, in a task."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import unquote

import typer

from topshelf.cli.application import Commands, app, console, print_json
from topshelf.cli.options import Json, Token, Url
from topshelf.cli.readers import reader_at
from topshelf.settings import Settings

if TYPE_CHECKING:
    from topshelf.profiling.phases import Phase
    from topshelf.profiling.startup import Startup

PANEL = "Services"
KEPT = 20
PARTS_SHOWN = 8
BAR_WIDTH = 30

profile = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Say where time goes: at a start, in a request, in a worker's task (pyinstrument; the watch extra).",
    epilog="Pages open in any browser; *.speedscope.json opens at https://www.speedscope.app.",
)
app.add_typer(profile, name="profile", rich_help_panel=PANEL)

Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FOLDER", help="Where the files go; a folder in TOPSHELF_DATA_DIR/profiles."
    ),
]


@profile.command()
def startup(
    target: Annotated[
        Literal["api", "worker"], typer.Argument(metavar="[api|worker]", help="What to start.")
    ] = "api",
    cold: Annotated[
        bool, typer.Option("--cold", help="Start the reader as on a new host: no catalogue in its cache.")
    ] = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Start a service in a fresh process, on a free port, and say which phase takes how much of its start.

    It starts beside those that run, against the same Redis, and ends by itself once it is ready. A worker
    takes no jobs meanwhile. What the profiler costs stretches every phase by a little; loading the profiler
    is in none of them.
    """
    from topshelf.profiling.startup import profile_startup

    settings = Settings.from_environment()
    with _folder(out, settings, "startup") as folder:
        found = profile_startup(target, settings, folder, cold=cold)
    if as_json:
        print_json(_startup_json(found))
        return
    _show(found)


@profile.command()
def request(
    path: Annotated[str, typer.Argument(metavar="PATH", help="As in /reco/als/42 or '/jobs?limit=5'.")],
    method: Annotated[str, typer.Option("--method", "-X", help="GET, POST, PUT or DELETE.")] = "GET",
    data: Annotated[
        str | None, typer.Option("--data", metavar="JSON", help="Body; makes it a POST unless -X is given.")
    ] = None,
    url: Url = None,
    token: Token = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Ask the running reader for anything, with the profiler on, and show where the request's time went.

    Needs an admin's token. The answer is the same as without; errors (4xx, 5xx) are profiled, too. A first
    request after a start also pays for what is imported late: ask twice.
    """
    from topshelf.cli.profiled_request import ask_profiled

    settings, base, token = reader_at(url, token)
    verb = "POST" if data is not None and method == "GET" else method.upper()
    with _folder(out, settings, "requests") as folder:
        found = ask_profiled(base, token, verb, path, data, folder)
    if as_json:
        print_json({**found.summary, "files": [str(file) for file in found.files]})
        return
    console.print(found.text, highlight=False, markup=False, soft_wrap=True)
    console.print(f"{found.summary['status']}, {found.summary['milliseconds']:.2f} ms", highlight=False)
    _name(found.files)


@profile.command()
def jobs(
    job_id: Annotated[str | None, typer.Argument(metavar="JOB", help="Only this job's.")] = None,
    as_json: Json = False,
) -> None:
    """List the pages that workers kept of jobs started with --profile, the newest job first.

    The workers write them into their own data folder: TOPSHELF_DATA_DIR is to be the one they use.
    """
    from topshelf.profiling.files import beside, newest_folders, profiles_in
    from workers.profiling import folder_of_profiles
    from workers.tracking.runs import file_name

    root = folder_of_profiles(Settings.from_environment())
    folders = newest_folders(root) if job_id is None else [root / file_name(job_id)]
    found = [
        {"job": unquote(folder.name), "page": str(page), "speedscope": str(beside(page))}
        for folder in folders
        for page in profiles_in(folder)
    ]
    if as_json:
        print_json(found)
    elif found:
        _name([Path(one["page"]) for one in found])
    else:
        console.print("no profiles of jobs; take some with: topshelf train MODEL --profile")


@contextmanager
def _folder(out: Path | None, settings: Settings, kind: str) -> Iterator[Path]:
    """Where a block writes a profile; our own folder keeps the newest, one that was named is left alone."""
    from topshelf.profiling.files import keep_newest

    folder = out or settings.data_dir / "profiles" / kind
    yield folder
    if out is None:
        keep_newest(folder, KEPT)


def _show(found: "Startup") -> None:
    from topshelf.cli.tables import listing

    rows: list[tuple[str, ...]] = []
    for phase in found.phases:
        rows.append(_row(phase.name, phase.seconds, found.seconds))
        rows += [_row(f"  {name}", seconds, found.seconds) for name, seconds in _largest(phase)]
    console.print(listing((f"start of {found.target}", "seconds", "share", ""), rows))
    facts = ", ".join(f"{name}: {_fact(value)}" for name, value in found.facts.items())
    console.print(
        f"ready after {found.seconds:.2f} s ({facts}); loading the profiler, {found.profiler_seconds:.2f} s, "
        "is not counted",
        highlight=False,
        soft_wrap=True,
    )
    _name(found.files)


def _name(files: list[Path]) -> None:
    for file in files:
        console.print(str(file), highlight=False, soft_wrap=True, markup=False)


def _row(name: str, seconds: float, total: float) -> tuple[str, ...]:
    share = seconds / total
    return name, f"{seconds:7.3f}", f"{share:6.1%}", "█" * round(BAR_WIDTH * share)


def _largest(phase: "Phase") -> list[tuple[str, float]]:
    """The parts that took longest, and the others together."""
    parts = sorted(phase.parts.items(), key=lambda part: -part[1])
    if len(parts) <= PARTS_SHOWN + 1:
        return parts
    rest = parts[PARTS_SHOWN:]
    return [*parts[:PARTS_SHOWN], (f"{len(rest)} others", sum(seconds for _, seconds in rest))]


def _fact(value: Any) -> str:
    return (", ".join(value) or "none") if isinstance(value, list) else str(value)


def _startup_json(found: "Startup") -> dict[str, Any]:
    phases = [
        {
            "phase": phase.name,
            "seconds": round(phase.seconds, 4),
            "share": round(phase.seconds / found.seconds, 4),
            "parts": {name: round(seconds, 4) for name, seconds in phase.parts.items()},
        }
        for phase in found.phases
    ]
    return {
        "target": found.target,
        "seconds": round(found.seconds, 4),
        "profiler_seconds": round(found.profiler_seconds, 4),
        "phases": phases,
        **found.facts,
        "files": [str(file) for file in found.files],
    }
