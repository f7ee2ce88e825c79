"""What is known about a generation, and the pointer that names the live one."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, fields
from typing import Any, Literal, Self

from store import documents
from topshelf.errors import LaterVersion, StoreError

Layout = Literal["users", "segments"]

FORMAT = 1
"""Number of what this version writes: rows, buckets, catalogue, neighbours and chunks.

It is raised by a change that an older reader or worker would misread; one that only adds fields leaves it.
"""

STATES = ("building", "ready", "live", "previous", "retired", "failed")
"""A generation goes from left to right; ``previous`` alone may become ``live`` again, by a rollback."""


@dataclass(frozen=True)
class Generation:
    """One set of lists of one model; its content never changes once it is live.

    A base has a list for everybody. A delta has lists for those with new events only and lies over its base:
    catalogue, item indices, artifact and ``k_store`` are the base's, the histories those of a later dataset.
    Times are ISO in UTC.
    """

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
    base: str = ""
    """Of a delta, the generation it lies over; empty for a base."""
    newer: str = ""
    """Of a delta, the dataset version its users and histories come from; empty for a base's own."""
    overlap: float | None = None
    """Mean share of a list kept of what it replaced, over a sample; None where that was nothing."""
    changed: float | None = None
    """Share of that sample whose list is another one."""
    rules: str = ""
    """What its lists may hold, as JSON; empty where that is everything."""
    search: str = "exact"
    ef: int = 0
    """Nodes kept in sight by the search of a graph."""
    index: str = ""
    """The graph; empty for another search."""
    recall: float | None = None
    """Share of the exact lists that its search finds, over a sample."""
    format: int = 1
    """``FORMAT`` of the version that wrote it."""

    @property
    def histories(self) -> str:
        """The dataset version its users and their histories come from."""
        return self.newer or self.dataset

    @property
    def parsed_rules(self) -> dict[str, Any]:
        """What its lists may hold, by the names of ``RuleSet``; empty where that is everything."""
        return dict(documents.load(self.rules)) if self.rules else {}

    @property
    def pointer(self) -> "Pointer":
        """The pointer that makes readers serve it."""
        return Pointer(self.base, self.id) if self.base else Pointer(self.id)

    @property
    def row_width(self) -> int:
        """Longest row of a user in bytes, without scores."""
        return 2 if self.layout == "segments" else self.k_store * self.id_width

    def check_format(self) -> None:
        """Refuse what this version of the code would misread.

        Raises:
            LaterVersion: a later version wrote it.
        """
        if self.format > FORMAT:
            raise LaterVersion(
                f"generation {self.id} of {self.model} has format {self.format}, this version reads up to "
                f"{FORMAT}: upgrade this process"
            )

    def to_fields(self) -> dict[str, str]:
        """The Redis hash of this record."""
        return {name: "" if value is None else str(value) for name, value in asdict(self).items()}

    @classmethod
    def from_fields(cls, raw: Mapping[Any, Any]) -> Self:
        """Read the Redis hash of a record; one written before a field was thought of has its default.

        Raises:
            StoreError: the hash lacks another field or holds a number that is none.
        """
        texts = {name.decode(): value.decode() for name, value in raw.items()}
        try:
            values: dict[str, Any] = {field.name: _value(field, texts) for field in fields(cls)}
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


def _value(field: Field[Any], texts: Mapping[str, str]) -> Any:
    if field.name not in texts and field.default is not MISSING:
        return field.default
    text = texts[field.name]
    if field.type is int:
        return int(text)
    if field.type == float | None:
        return float(text) if text else None
    return text
