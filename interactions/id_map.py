"""External ids and their dense indices."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import polars as pl

from topshelf.errors import InvalidId

IdKind = Literal["int64", "string"]

KEY_BLOCK = 1_000_000
"""Ids written out at a time, so that what is needed in between stays small."""


@dataclass(frozen=True, eq=False)
class IdMap:
    """A one-to-one map between external ids and the dense indices 0 … n - 1.

    ``external`` has shape (n,): int64 where ``kind`` is "int64", an object array of str where it is
    "string"; an id's position is its index.

    Raises:
        InvalidId: when the array is not of its kind, or holds an id twice.
    """

    kind: IdKind
    external: np.ndarray

    def __post_init__(self) -> None:
        external = _as_kind(self.external, self.kind)
        external.flags.writeable = False
        object.__setattr__(self, "external", external)
        if len(external) > 1 and bool((self._sorted[1:] == self._sorted[:-1]).any()):
            raise InvalidId("an id occurs twice in the id map")

    @classmethod
    def of(cls, ids: Iterable[int] | Iterable[str]) -> "IdMap":
        """A map of the distinct ``ids`` in ascending order; the kind follows their type."""
        distinct = pl.Series(list(ids)).unique().sort()
        kind: IdKind = "string" if distinct.dtype == pl.String else "int64"
        return cls(kind, distinct.to_numpy())

    def __len__(self) -> int:
        return len(self.external)

    def index_of(self, external_id: int | str) -> int | None:
        """The index of one id; None where it is unknown or of the other type."""
        if isinstance(external_id, bool | np.bool_) or isinstance(external_id, str) != (
            self.kind == "string"
        ):
            return None
        if self.kind == "int64" and not -(2**63) <= int(external_id) < 2**63:
            return None
        # NumPy's own search would cut a NUL off the end of a string.
        place = bisect_left(self._sorted, external_id)
        if place == len(self) or self._sorted[place] != external_id:
            return None
        return place if self._order is None else int(self._order[place])

    def indices_of(self, ids: Sequence[int] | Sequence[str] | np.ndarray | pl.Series) -> np.ndarray:
        """The indices of many ids, (len(ids),) int64, -1 where unknown.

        Raises:
            InvalidId: when the ids are of the other type.
        """
        if len(ids) == 0 or len(self) == 0:
            return np.full(len(ids), -1, dtype=np.int64)
        wanted = _as_kind(_as_array(ids), self.kind)
        if self.kind == "string":
            found = pl.DataFrame({"id": pl.Series(wanted, dtype=pl.String)}).join(
                self._table, on="id", how="left", maintain_order="left"
            )
            return found["index"].fill_null(-1).to_numpy()
        places = np.minimum(np.searchsorted(self._sorted, wanted), len(self) - 1)
        indices = places if self._order is None else self._order[places]
        return np.where(self._sorted[places] == wanted, indices, -1).astype(np.int64)

    def ids_of(self, indices: Sequence[int] | np.ndarray) -> list[Any]:
        """The external ids at ``indices``, as Python ints or strings.

        Raises:
            InvalidId: when an index is outside the map.
        """
        wanted = np.asarray(indices, dtype=np.int64)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise InvalidId(f"an index is outside 0 … {len(self) - 1}")
        external_ids: list[Any] = self.external[wanted].tolist()
        return external_ids

    def keys_of(self, indices: Sequence[int] | np.ndarray) -> list[bytes]:
        """UTF-8 of ``str(id)`` at ``indices``: what Redis rows are keyed by.

        Raises:
            InvalidId: when an index is outside the map.
        """
        return [str(external_id).encode() for external_id in self.ids_of(indices)]

    def key_bytes(self) -> tuple[np.ndarray, np.ndarray]:
        """The keys of all ids end to end, (n_bytes,) uint8, and where they begin and end, (n + 1,) int64."""
        kind = pl.String if self.kind == "string" else pl.Int64
        offsets = np.zeros(len(self) + 1, np.int64)
        parts = []
        for first in range(0, len(self), KEY_BLOCK):
            texts = pl.Series(self.external[first : first + KEY_BLOCK], dtype=kind).cast(pl.String)
            offsets[first + 1 : first + 1 + KEY_BLOCK] = texts.str.len_bytes().to_numpy()
            parts.append(texts.str.join("").item().encode())
        return np.frombuffer(b"".join(parts), np.uint8), np.cumsum(offsets, out=offsets)

    @cached_property
    def _order(self) -> np.ndarray | None:
        """Indices in ascending order of id; None where the map is in that order already."""
        if len(self) < 2 or bool((self.external[:-1] < self.external[1:]).all()):
            return None
        return np.argsort(self.external, kind="stable")

    @cached_property
    def _sorted(self) -> np.ndarray:
        return self.external if self._order is None else self.external[self._order]

    @cached_property
    def _table(self) -> pl.DataFrame:
        return pl.DataFrame(
            {"id": pl.Series(self.external, dtype=pl.String), "index": np.arange(len(self), dtype=np.int64)}
        )


def _as_array(ids: Sequence[int] | Sequence[str] | np.ndarray | pl.Series) -> np.ndarray:
    if isinstance(ids, pl.Series):
        return ids.to_numpy()
    return np.asarray(ids, dtype=object if isinstance(ids[0], str) else None)


def _as_kind(ids: np.ndarray, kind: IdKind) -> np.ndarray:
    if kind == "int64":
        if ids.dtype.kind not in "iu":
            raise InvalidId(f"int64 ids are wanted, these are {ids.dtype}")
        return ids.astype(np.int64)
    if ids.dtype.kind not in "OUT" or not all(isinstance(external_id, str) for external_id in ids):
        raise InvalidId(f"string ids are wanted, these are {ids.dtype}")
    return ids.astype(object)
