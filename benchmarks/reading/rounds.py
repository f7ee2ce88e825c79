"""Rounds of load: every side in turn, the others asleep meanwhile."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.reading.apps.serving import TOKEN
from benchmarks.reading.generators import Bundled, Generator
from benchmarks.reading.measures import Load, Turn
from benchmarks.reading.servers import Server
from benchmarks.reading.sides import Audience, Side, path_of
from topshelf.errors import ServiceError

CONNECTIONS = 32
SETTLE_SECONDS = 0.3
"""What a woken reader gets to poll Redis again: it polls every 100 ms."""
WARM_SECONDS = 60
STRIDE = 50_021
"""How many paths further on each run of load begins."""

Paths = Mapping[Audience, Path]
"""Files of paths, one a line, by whom they ask for."""


@dataclass(frozen=True)
class Contestant:
    """A side with its running server."""

    side: Side
    server: Server
    first_path: str

    def wake(self) -> None:
        """Wake the server and wait until it answers as it should.

        Raises:
            ServiceError: it does not.
        """
        self.server.wake()
        time.sleep(SETTLE_SECONDS)
        self.server.wait(self.first_path, TOKEN, source=self.side.source)


class Rounds:
    """Runs one generator over contestants."""

    def __init__(self, generator: Generator, paths: Paths) -> None:
        self._generator = generator
        self._paths = paths
        self._start = 0

    def run(
        self, contestants: Sequence[Contestant], rounds: int, seconds: int, tell: Callable[[str], None]
    ) -> dict[str, list[Turn]]:
        """Turns of each side; every round begins with the next side."""
        turns: dict[str, list[Turn]] = {contestant.side.key: [] for contestant in contestants}
        for number in range(rounds):
            first = number % len(contestants)
            for contestant in [*contestants[first:], *contestants[:first]]:
                tell(f"round {number + 1} of {rounds}, ({contestant.side.key}) {contestant.side.title}")
                turns[contestant.side.key].append(self.turn(contestant, seconds))
        return turns

    def turn(self, contestant: Contestant, seconds: int, connections: int = CONNECTIONS) -> Turn:
        """One turn of one side; its server sleeps before and after."""
        server = contestant.server
        contestant.wake()
        began = server.cpu_seconds()
        load = self.load(server, contestant.side.audience, seconds, connections)
        turn = Turn(load, server.cpu_seconds() - began)
        server.pause()
        return turn

    def load(self, server: Server, audience: Audience, seconds: int, connections: int = CONNECTIONS) -> Load:
        """One run of the generator, further on in the paths than the last."""
        self._start += STRIDE
        return self._generator.run(
            server.port, self._paths[audience], connections=connections, seconds=seconds, start=self._start
        )


def warm(server: Server, users: Sequence[int], folder: Path) -> None:
    """Ask for each of ``users`` once.

    Raises:
        ServiceError: not all of them were answered.
    """
    paths = folder / "warming.txt"
    write_paths(paths, users)
    asked = Bundled(folder, TOKEN).run(
        server.port, paths, connections=CONNECTIONS, seconds=WARM_SECONDS, start=0, once=True
    )
    if asked.failed or asked.requests != len(users):
        raise ServiceError(
            f"of {len(users)} requests to warm up {asked.requests} came, {asked.failed} failed"
        )


def write_paths(file: Path, users: Sequence[int]) -> None:
    """One path a line."""
    file.write_text("".join(f"{path_of(user)}\n" for user in users))
