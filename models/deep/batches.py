"""Users' items on the device, from which batches are gathered without a loop over users."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor


@dataclass(frozen=True)
class Bags:
    """The items of n users, end to end.

    items: (entries,) int64; owners: (entries,) int64, the row 0..n-1 that has the item;
    offsets: (n,) int64, where a row's items begin; counts: (n,) int64, how many there are.
    """

    items: Tensor
    owners: Tensor
    offsets: Tensor
    counts: Tensor

    def __len__(self) -> int:
        return len(self.counts)


class Histories:
    """What each user has touched, or which features each user or item has, as a CSR held on the device.

    Weights do not count.
    """

    def __init__(self, matrix: csr_matrix, device: torch.device) -> None:
        self._indptr = torch.from_numpy(matrix.indptr.astype(np.int64)).to(device)
        self._items = torch.from_numpy(matrix.indices.astype(np.int32)).to(device)
        self.users = torch.from_numpy(np.flatnonzero(np.diff(matrix.indptr)).astype(np.int64)).to(device)
        """(n,) int64, the users that have touched anything."""

    def bags(self, users: Tensor) -> Bags:
        """The items of ``users`` (n,) int64; a user may have none."""
        begins = self._indptr[users]
        counts = self._indptr[users + 1] - begins
        ends = counts.cumsum(0)
        offsets = ends - counts
        entries = int(ends[-1]) if len(users) else 0
        rows = torch.arange(len(users), device=users.device)
        owners = torch.repeat_interleave(rows, counts, output_size=entries)
        places = torch.arange(entries, device=users.device) + (begins - offsets)[owners]
        return Bags(self._items[places].long(), owners, offsets, counts)


def touched_in_batch(bags: Bags, items: Tensor) -> Tensor:
    """(n, m) bool: which of ``items`` (m,) int64 are among the items of each of the n rows of ``bags``."""
    distinct, place_of = torch.unique(items, return_inverse=True)
    place = torch.searchsorted(distinct, bags.items).clamp_max(len(distinct) - 1)
    found = distinct[place] == bags.items
    member = torch.zeros(len(bags), len(distinct), dtype=torch.bool, device=items.device)
    member[bags.owners[found], place[found]] = True
    return member[:, place_of]
