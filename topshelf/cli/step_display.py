"""One bar for one piece of long work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn


@contextmanager
def step(name: str, console: Console) -> Iterator[Callable[[float, str], None]]:
    """A bar around a block, moved by calls with the share done and a message."""
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(name, total=1.0)

        def move(share: float, message: str) -> None:
            bar.update(task, completed=share, description=message or name)

        yield move
