"""Profiles as files: a page to open in a browser, and JSON for speedscope; the oldest make room."""

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from topshelf.errors import ProfilingNotInstalled

if TYPE_CHECKING:
    from pyinstrument.session import Session

PAGE, SPEEDSCOPE = ".html", ".speedscope.json"
INSTALL = "pyinstrument is not installed; install the watch extra: pip install 'topshelf[watch]'"


def is_installed() -> bool:
    """Whether there is a profiler."""
    return find_spec("pyinstrument") is not None


def check_installed() -> None:
    """See that there is a profiler.

    Raises:
        ProfilingNotInstalled: there is none; says what to install.
    """
    if not is_installed():
        raise ProfilingNotInstalled(INSTALL)


def write_profile(session: "Session", folder: Path, name: str) -> list[Path]:
    """Write ``name.html`` and ``name.speedscope.json`` into ``folder``; returns both paths."""
    from pyinstrument.renderers import HTMLRenderer, SpeedscopeRenderer  # noqa: PLC0415 -- an extra

    folder.mkdir(parents=True, exist_ok=True)
    page, speedscope = folder / f"{name}{PAGE}", folder / f"{name}{SPEEDSCOPE}"
    page.write_text(HTMLRenderer().render(session), encoding="utf-8")
    # What is installed counts as a library and would be hidden; in an image Topshelf itself is installed.
    speedscope.write_text(SpeedscopeRenderer(show_all=True).render(session), encoding="utf-8")
    return [page, speedscope]


def profiles_in(folder: Path) -> list[Path]:
    """The pages in a folder, the newest first."""
    return sorted(folder.glob(f"*{PAGE}"), key=_written_at, reverse=True)


def beside(page: Path) -> Path:
    """The speedscope file of a page."""
    return page.with_name(page.name.removesuffix(PAGE) + SPEEDSCOPE)


def keep_newest(folder: Path, most: int) -> None:
    """Remove all but the ``most`` newest profiles of a folder."""
    for page in profiles_in(folder)[most:]:
        beside(page).unlink(missing_ok=True)
        page.unlink(missing_ok=True)


def keep_newest_folders(folder: Path, most: int, most_bytes: int) -> None:
    """Remove the oldest folders in ``folder`` beyond ``most`` of them, and those beyond ``most_bytes``."""
    taken_bytes = 0
    for number, one in enumerate(newest_folders(folder)):
        taken_bytes += sum(file.stat().st_size for file in _files(one))
        if number >= most or taken_bytes > most_bytes:
            shutil.rmtree(one, ignore_errors=True)


def newest_folders(folder: Path) -> list[Path]:
    """Folders in a folder, the one written to last first."""
    found = [one for one in folder.iterdir() if one.is_dir()] if folder.is_dir() else []
    return sorted(found, key=_written_at, reverse=True)


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.iterdir() if file.is_file())


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process made room meanwhile
        return 0.0
