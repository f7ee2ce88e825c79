"""What the shelves hold now, in the item indices of another dataset version."""

import numpy as np

from interactions.dataset import Dataset
from store.rows import unpack_row
from store.stocked import read_rows
from topshelf.errors import DatasetNotFound
from workers.runtime import Runtime


def live_lists(runtime: Runtime, model: str, dataset: Dataset, users: np.ndarray) -> np.ndarray | None:
    """The live lists of some users of ``dataset``.

    Args:
        users: (n,) dense indices into ``dataset``.

    Returns:
        (n, k_store) int64 item indices into ``dataset``, -1 padded; who is not stocked has an empty row.
        None where nothing comparable is live.
    """
    live = runtime.generations.live(model)
    if live is None or live.layout != "users":
        return None
    try:
        stocked = runtime.datasets.open(live.dataset)
    except DatasetNotFound:
        return None
    translated = dataset.items.indices_of(stocked.items.ids_of(range(len(stocked.items))))
    lists = np.full((users.size, live.k_store), -1, np.int64)
    rows = read_rows(runtime.serving, runtime.keys, live, dataset.users.keys_of(users))
    for place, row in enumerate(rows):
        if row:
            items = translated[unpack_row(row, live.id_width)]
            lists[place, : items.size] = items
    return lists
