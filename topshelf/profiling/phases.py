"""Where the time of a start went: each sample of a profile is counted to one phase.

The marks below name functions of ours and of the servers'; what no mark knows is the service's own.
"""

import re
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

IMPORTS = "imports"
INTERPRETER = "interpreter"
STANDARD_LIBRARY = "standard library"
IMPORTER = "<frozen importlib"
UNNAMED = "finding modules"
"""Imports before any module runs: of the first one, or one asked for by a function alone."""

Stack = Sequence[str]
"""Frames as pyinstrument writes them, the outermost first."""
Record = tuple[Stack, float]


class Mark(NamedTuple):
    """A function whose time, with all it calls, counts to a phase; ``function`` "" is any of the file."""

    phase: str
    file: str
    function: str = ""


@dataclass
class Phase:
    """Seconds of one phase; ``parts`` has those of each package, for imports."""

    name: str
    seconds: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)

    def add(self, seconds: float, part: str = "") -> None:
        """Count time to the phase, and to a part of it."""
        self.seconds += seconds
        if part:
            self.parts[part] = self.parts.get(part, 0.0) + seconds


SETTINGS, APPLICATION, REDIS = "settings", "application", "opening Redis"
SETTINGS_MARK = Mark(SETTINGS, "topshelf/settings/model.py", "from_environment")


@dataclass(frozen=True)
class Plan:
    """How samples of one service's start are counted.

    Attributes:
        phases: names, as they follow each other; the last is what no mark knows.
        marks: the first that a stack has a frame of decides.
        idle: what a stack that ends in this file is until the service listens.
    """

    phases: Sequence[str]
    marks: Sequence[Mark]
    idle: Mark | None = None


READER = Plan(
    (
        IMPORTS,
        SETTINGS,
        APPLICATION,
        REDIS,
        "live generations",
        "catalogue",
        "neighbour index",
        "server and first answer",
    ),
    (
        SETTINGS_MARK,
        Mark("neighbour index", "api/loading.py", "_open_index"),
        Mark("catalogue", "api/loading.py", "_load_assortment"),
        Mark(REDIS, "redis/"),
        Mark(REDIS, "store/connection.py"),
        Mark(REDIS, "store/multiplexed.py"),
        Mark("live generations", "api/live.py"),
        Mark("live generations", "api/loading.py"),
        Mark(APPLICATION, "api/app.py", "create_app"),
    ),
    # Before it listens the event loop has nothing to wait for but Redis.
    idle=Mark(REDIS, "asyncio/runners.py"),
)
WORKER = Plan(
    (IMPORTS, SETTINGS, APPLICATION, "pool", "broker", "worker"),
    (
        SETTINGS_MARK,
        Mark(APPLICATION, "workers/celery_app.py", "create_app"),
        Mark("pool", "celery/concurrency/"),
        Mark("broker", "celery/worker/consumer/"),
        Mark("broker", "kombu/"),
        Mark("broker", "redis/"),
    ),
)


def phases_of(records: Iterable[Record], plan: Plan, listening_after_seconds: float) -> list[Phase]:
    """The phases of a profile.

    Args:
        records: stacks and how long each was seen, in the order of time.
        listening_after_seconds: when the service listened, from the first record on.
    """
    phases = {name: Phase(name) for name in plan.phases}
    at_seconds = 0.0
    for stack, seconds in records:
        frames = [_frame(one) for one in stack]
        name = _phase(frames, plan, listening=at_seconds >= listening_after_seconds)
        phases[name].add(seconds, _importing(frames) if name == IMPORTS else "")
        at_seconds += seconds
    return list(phases.values())


def package_of(file: str) -> str:
    """The package a module's file belongs to, as people call it."""
    for folder in sorted(filter(None, sys.path), key=len, reverse=True):
        if file.startswith(f"{folder}/"):
            if folder in _standard_folders():
                return STANDARD_LIBRARY
            first = file.removeprefix(f"{folder}/").split("/")[0]
            return re.sub(r"(\.cpython.*)?\.(py|so)$", "", first)
    return STANDARD_LIBRARY if any(file.startswith(one) for one in _standard_folders()) else UNNAMED


def _frame(identifier: str) -> tuple[str, str]:
    name, _, rest = identifier.partition("\x00")
    return name, rest.partition("\x00")[0]


def _importing(frames: Sequence[tuple[str, str]]) -> str:
    """The package whose module runs, or looks for another one."""
    running = (file for name, file in reversed(frames) if name == "<module>" and not file.startswith("<"))
    file = next(running, "")
    return UNNAMED if "/topshelf/profiling/" in file else package_of(file)


def _phase(frames: Sequence[tuple[str, str]], plan: Plan, *, listening: bool) -> str:
    importing = max((at for at, (_, file) in enumerate(frames) if file.startswith(IMPORTER)), default=-1)
    for mark in plan.marks:
        met = max((at for at, frame in enumerate(frames) if _is_of(frame, mark)), default=-1)
        # A module may call a function that has a phase of its own; that function may import others.
        if met >= 0 and (importing < 0 or (mark.function and met > importing)):
            return mark.phase
    if importing >= 0:
        return IMPORTS
    if plan.idle and not listening and _ends_in(frames, plan.idle):
        return plan.idle.phase
    return plan.phases[-1]


def _is_of(frame: tuple[str, str], mark: Mark) -> bool:
    name, file = frame
    return mark.function in {"", name} and f"/{mark.file}" in file


def _ends_in(frames: Sequence[tuple[str, str]], mark: Mark) -> bool:
    running = [frame for frame in frames if not frame[1].startswith("<")]
    return bool(running) and f"/{mark.file}" in running[-1][1]


def _standard_folders() -> set[str]:
    paths = sysconfig.get_paths()
    return {paths["stdlib"], paths["platstdlib"], f"{paths['platstdlib']}/lib-dynload"}
