"""What is known about a generation, and the pointer that names the live one."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Literal, Self

from topshelf.errors import StoreError

Layout = Literal["users", "segments"]

STATES = ("building", "ready", "live", "previous", "retired", "failed")
"""A generation goes from left to right; ``previous`` alone may become ``live`` again, by a rollback."""


@dataclass(frozen=True)
class Generation:
    """One complete set of lists of one model; its content never changes once it is live."""

    model: str
    id: str
    state: str
    layout: Layout
    dataset: str
    artifact: str
    knn: str
    n_users: int
    n_items: int
    n_buckets: int
    n_chunks: int
    buckets_per_chunk: int
    k_store: int
    id_width: int
    fence: int
    cut_off: str
    created: str
    published: str = ""
    users_written: int = 0
    chunks_done: int = 0
    replaces: str = ""
    error: str = ""
    warning: str = ""
    retired_at: int = 0
    """Epoch seconds at which it was retired or failed, by the server's clock; 0 before."""
    swept: int = 0
    score_width: int = 0
    """Bytes of each item's score in the overflow hash; 0 where no scores are kept."""

    @property
    def row_width(self) -> int:
        """Longest row of a user in bytes, without scores."""
        return 2 if self.layout == "segments" else self.k_store * self.id_width

    def to_fields(self) -> dict[str, str]:
        """The Redis hash of this record."""
        return {name: str(value) for name, value in asdict(self).items()}

    @classmethod
    def from_fields(cls, raw: Mapping[Any, Any]) -> Self:
        """Read the Redis hash of a record.

        A field that an earlier version did not know has its default.

        Raises:
            StoreError: the hash lacks another field or holds a number that is none.
        """
        texts = {name.decode(): value.decode() for name, value in raw.items()}
        try:
            values: dict[str, Any] = {
                field.name: int(texts[field.name]) if field.type is int else texts[field.name]
                for field in fields(cls)
                if field.name in texts or field.default is MISSING
            }
        except (KeyError, ValueError) as error:
            raise StoreError(
                f"the record of generation {texts.get('id', '?')} is damaged: {error}"
            ) from error
        return cls(**values)


@dataclass(frozen=True)
class Pointer:
    """What readers serve: a base generation and, over it, at most one delta."""

    base: str
    delta: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``base`` or ``base:delta``."""
        base, _, delta = text.partition(":")
        return cls(base, delta or None)

    def __str__(self) -> str:
        return f"{self.base}:{self.delta}" if self.delta else self.base
