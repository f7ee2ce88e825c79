"""What watches tasks: every observer is entered around each task, in the process that runs it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, NamedTuple

from workers.profiling import profiled
from workers.reporting import reported
from workers.runtime import Runtime


class TaskCall(NamedTuple):
    """A task as its message asks for it.

    Attributes:
        task: as in ``topshelf.precompute_chunk``.
        ids: what the message holds; the first is the job's id, in a job's tasks.
    """

    task: str
    ids: tuple[Any, ...]


Observer = Callable[[Runtime, TaskCall], AbstractContextManager[None]]


def counted(runtime: Runtime, call: TaskCall) -> AbstractContextManager[None]:
    """Counts and times a task."""
    return runtime.metrics.task(call.task)


OBSERVERS: tuple[Observer, ...] = (counted, reported, profiled)
"""The first is the outermost."""


@contextmanager
def observed(runtime: Runtime, call: TaskCall) -> Iterator[None]:
    """Run the block, one task, under every observer."""
    with ExitStack() as stack:
        for observer in OBSERVERS:
            stack.enter_context(observer(runtime, call))
        yield
