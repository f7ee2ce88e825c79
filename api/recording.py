"""Where one request spends its time, sampled while it runs and shown by pyinstrument.

pyinstrument's own Profiler watches a whole thread from start to stop: every request served meanwhile pays,
and a second profiler on the same thread is an error. Here its sampler is on only for the steps that one
request's coroutine takes, and off while it waits. Other requests neither pay nor show, and any number may be
recorded at the same time. A sample is a tuple of code objects and offsets; text is made of it when somebody
looks.

Samples grow rarer as a request goes on, so that a long one takes no more memory than a few thousand samples.
"""

import sys
from collections.abc import Coroutine, Generator
from time import perf_counter
from types import CodeType, FrameType
from typing import Any, Literal, NamedTuple

from pyinstrument.frame import AWAIT_FRAME_IDENTIFIER
from pyinstrument.low_level.stat_profile import setstatprofile
from pyinstrument.renderers import ConsoleRenderer, HTMLRenderer, Renderer, SpeedscopeRenderer
from pyinstrument.session import Session

Format = Literal["html", "speedscope", "text"]
Frame = tuple[CodeType, int] | str
"""A Python function with the offset reached in it, or the name of a built-in one."""
Stack = tuple[Frame, ...]
"""Frames, the innermost first."""

FIRST_INTERVAL_SECONDS = 10e-6
SAMPLES_PER_INTERVAL = 100
"""After so many samples the interval doubles: about 1 % of resolution, however long the request."""
MOST_RECORDS = 5_000
"""What comes after these is counted as time of the last one."""


class Record(NamedTuple):
    """Time spent with one stack; ``waiting`` when none of it ran."""

    stack: Stack
    seconds: float
    waiting: bool


class Recording:
    """What was seen of one coroutine."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._interval_seconds = FIRST_INTERVAL_SECONDS
        self._began = self._noted = self._resumed = self._due = 0.0
        self._looking = False
        self._root: CodeType | None = None
        self._waiting: Stack = ()
        self.running_seconds = 0.0

    def of(self, coroutine: Coroutine[Any, Any, None]) -> "Recorded":
        """``coroutine``, recorded when it is awaited."""
        return Recorded(coroutine, self)

    @property
    def seconds(self) -> float:
        """From the first step to the end of the last."""
        return self._noted - self._began

    def resume(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Begin to look: ``coroutine`` takes a step now, in this thread."""
        now = perf_counter()
        if self._waiting:
            self._note(self._waiting, now, waiting=True)
        else:
            self._began = self._noted = now
            self._root = coroutine.cr_frame.f_code  # type: ignore[attr-defined]
        self._resumed = now
        self._due = now + self._interval_seconds
        # A debugger or another profiler of this thread would be switched off.
        self._looking = sys.getprofile() is None and len(self.records) < MOST_RECORDS
        if self._looking:
            setstatprofile(self._sample, FIRST_INTERVAL_SECONDS, timer_type="walltime")

    def pause(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Look away: the step is over."""
        if self._looking:
            setstatprofile(None)
        now = perf_counter()
        self.running_seconds += now - self._resumed
        self._waiting = _suspended(coroutine)
        self._note(self._waiting or self._last_stack(), now)

    def _sample(self, frame: FrameType | None, event: str, argument: Any) -> None:
        now = perf_counter()
        if now < self._due:
            return
        # Raised here, an error would be raised in the request.
        try:
            stack: list[Frame] = []
            if event == "call" and frame is not None:
                frame = frame.f_back  # so far the caller has run
            elif event in {"c_return", "c_exception"}:
                stack.append(argument.__qualname__)
            while frame is not None and frame.f_code is not STEP:
                stack.append((frame.f_code, frame.f_lasti))
                frame = frame.f_back
            # Without the coroutine at the bottom it is ourselves that run.
            if stack and stack[-1][0] is self._root:
                self._note(tuple(stack), now)
                self._due = now + self._interval_seconds
        except Exception:  # noqa: BLE001
            self._due = now + 1.0

    def _note(self, stack: Stack, now: float, *, waiting: bool = False) -> None:
        seconds, self._noted = now - self._noted, now
        n_records = len(self.records)
        if n_records >= MOST_RECORDS:
            last = self.records[-1]
            self.records[-1] = last._replace(seconds=last.seconds + seconds)
            return
        self.records.append(Record(stack, seconds, waiting))
        if n_records % SAMPLES_PER_INTERVAL == SAMPLES_PER_INTERVAL - 1:
            self._interval_seconds *= 2

    def _last_stack(self) -> Stack:
        """What ran last; the coroutine itself where nothing was seen of it."""
        root: Stack = ((self._root, 0),) if self._root else ()
        return next((one.stack for one in reversed(self.records) if not one.waiting), root)

    def render(self, form: Format, title: str, started_at: float) -> str:
        """The recording as a page of HTML, as JSON for speedscope or as text; takes a while."""
        return _renderer(form).render(self._session(title, started_at))

    def _session(self, title: str, started_at: float) -> Session:
        lines: dict[Frame, str] = {}
        records = [
            (
                [_described(frame, lines) for frame in reversed(record.stack)]
                + ([AWAIT_FRAME_IDENTIFIER] if record.waiting else []),
                record.seconds,
            )
            for record in self.records
        ]
        session: Session = Session.from_json(
            {
                "frame_records": records,
                "start_time": started_at,
                "duration": self.seconds,
                "min_interval": FIRST_INTERVAL_SECONDS,
                "max_interval": self._interval_seconds,
                "sample_count": len(records),
                # Frames the root shares with where the profile was started would be cut off.
                "start_call_stack": [""],
                "target_description": title,
                "cpu_time": self.running_seconds,
            }
        )
        return session


class Recorded(Generator[Any, Any, None]):
    """A coroutine whose steps are recorded; to be awaited in its place."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], recording: Recording) -> None:
        self._coroutine = coroutine
        self._recording = recording

    def __await__(self) -> Generator[Any, Any, None]:
        return self

    def send(self, value: Any) -> Any:
        """Run to the next point where the coroutine waits."""
        return self._step(self._coroutine.send, value)

    def throw(self, *error: Any) -> Any:
        """Raise an error, a cancellation say, where the coroutine waits."""
        return self._step(self._coroutine.throw, *error)

    def close(self) -> None:
        """End the coroutine where it waits."""
        self._coroutine.close()

    def _step(self, step: Any, *arguments: Any) -> Any:
        self._recording.resume(self._coroutine)
        try:
            return step(*arguments)
        finally:
            self._recording.pause(self._coroutine)


STEP = Recorded._step.__code__


def _suspended(coroutine: Any) -> Stack:
    """Where a coroutine waits: a frame for each coroutine it goes through; empty where it has ended."""
    frames: list[Frame] = []
    while (frame := getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)) is not None:
        frames.append((frame.f_code, frame.f_lasti))
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return tuple(reversed(frames))


def _described(frame: Frame, known: dict[Frame, str]) -> str:
    """A frame in pyinstrument's words: name, file, first line; then the class, and the line reached."""
    text = known.get(frame)
    if text is None:
        if isinstance(frame, str):
            text = f"{frame}\x00<built-in>\x000"
        else:
            code, offset = frame
            text = f"{code.co_name}\x00{code.co_filename}\x00{code.co_firstlineno}"
            owner = code.co_qualname.rpartition(".")[0].rpartition(".")[2]
            text += f"\x01c{owner}" if owner and owner != "<locals>" else ""
            text += f"\x01l{_line(code, offset)}"
        known[frame] = text
    return text


def _line(code: CodeType, offset: int) -> int:
    lines = (line for start, end, line in code.co_lines() if start <= offset < end and line)
    return next(lines, code.co_firstlineno)


def _renderer(form: Format) -> Renderer:
    if form == "html":
        return HTMLRenderer()
    # What is installed counts as a library and would be hidden; in an image the reader itself is installed.
    if form == "speedscope":
        return SpeedscopeRenderer(show_all=True)
    return ConsoleRenderer(unicode=True, show_all=True)
