"""How a task ended, in words."""

from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class Outcome:
    """What Flower and the worker's log show as a task's result: a sentence with ids and figures, no blobs.

    Attributes:
        failed: whether the task gave its job up; Flower then shows the task as failed.
    """

    sentence: str
    failed: bool = False

    def __repr__(self) -> str:
        return self.sentence


DONE = Outcome("done")
