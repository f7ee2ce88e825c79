"""What the shelves hold now, in the item indices of another dataset version."""

import logging
from collections.abc import Sequence

import numpy as np

from interactions.dataset import Dataset
from store.stocked import read_lists
from topshelf.errors import DatasetNotFound, LaterVersion
from workers.runtime import Runtime

log = logging.getLogger(__name__)


def live_lists(
    runtime: Runtime, model: str, catalogue: Dataset, user_keys: Sequence[bytes]
) -> np.ndarray | None:
    """The lists some users are served now, the delta's where there is one.

    Returns:
        (n, k) int64 item indices into ``catalogue``, -1 padded, -2 for an item it lacks; who is not stocked
        has an empty row. None where nothing is live, its catalogue is gone, or a later version wrote it.
    """
    layers = runtime.generations.layers(model)
    if not layers:
        return None
    try:
        for layer in layers:
            layer.check_format()
        stocked = runtime.datasets.open(layers[0].dataset)
    except (DatasetNotFound, LaterVersion) as reason:
        log.warning("%s is compared with nothing: %s", model, reason)
        return None
    translated = catalogue.items.indices_of(stocked.items.external)
    translated[translated < 0] = -2
    lists = padded(read_lists(runtime.serving, runtime.keys, layers, user_keys), layers[0].k_store)
    return np.where(lists >= 0, translated[lists], -1)


def padded(lists: Sequence[Sequence[int]], k: int) -> np.ndarray:
    """The first ``k`` items of each list, (n, k) int64, -1 padded."""
    table = np.full((len(lists), k), -1, np.int64)
    for place, items in enumerate(lists):
        table[place, : len(items)] = items[:k]
    return table
