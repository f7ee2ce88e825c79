"""What a command of the tests did."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it wrote."""

    exit_code: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        """The one line of JSON on stdout."""
        [line] = self.out.splitlines()
        return json.loads(line)

    @property
    def error(self) -> dict[str, Any]:
        """The one error in the JSON on stderr."""
        [error] = json.loads(self.err.splitlines()[-1])["errors"]
        found: dict[str, Any] = error
        return found


Topshelf = Callable[..., Outcome]
