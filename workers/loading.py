"""What a worker process keeps loaded between chunks: one dataset and one model at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from interactions.dataset import Dataset
from interactions.datasets import Datasets
from interactions.id_map import IdMap
from models.artifacts import ArtifactManifest, Artifacts
from models.base import Recommender
from models.ranking import NO_RULES, ListRules
from store.byte_strings import ByteStrings
from store.user_buckets import UserBuckets
from workers.runtime import Runtime


@dataclass(frozen=True, eq=False)
class Shelf:
    """What scoring a chunk needs: the model, its manifest, and histories.

    Attributes:
        dataset: whose users the rows of ``matrix`` are.
        matrix: (n_users, n_items), in the item indices of the dataset the model was fitted on.
        known_as: (n_users,) index the model knows each user by, -1 where it never saw one; None where that is
            the user's own, the histories being those it was refitted on.
        rules: what a list may hold.
    """

    model: Recommender
    manifest: ArtifactManifest
    dataset: Dataset
    matrix: csr_matrix
    known_as: np.ndarray | None = None
    rules: ListRules = NO_RULES


def user_keys(users: IdMap) -> ByteStrings:
    """What the rows of a dataset's users are keyed by, by dense index."""
    return ByteStrings(*users.key_bytes())


def load_shelf(runtime: Runtime, artifact: str) -> Shelf:
    """The shelf of an artifact, kept in this process until another one is asked for.

    Before another one is loaded, it is let go of with all that was made of it.
    """
    settings = runtime.settings
    return _shelves.get(settings.data_dir, artifact, settings.device, settings.threads_per_process)


def forget_with_shelf(forget: Callable[[], None]) -> None:
    """Have ``forget`` called whenever a shelf is let go of."""
    _shelves.dependents.append(forget)


def load_buckets(runtime: Runtime, dataset: str, n_buckets: int) -> UserBuckets:
    """The buckets of a dataset's users, kept in this process until others are asked for."""
    return _buckets(runtime.settings.data_dir, dataset, n_buckets)


class _Shelves:
    """One shelf at a time."""

    def __init__(self) -> None:
        self.dependents: list[Callable[[], None]] = []
        self._asked: tuple[Path, str, str, int] | None = None
        self._held: Shelf | None = None

    def get(self, data_dir: Path, artifact: str, device: str, threads: int) -> Shelf:
        asked = (data_dir, artifact, device, threads)
        if self._held is None or self._asked != asked:
            self._held = None
            for forget in self.dependents:
                forget()
            model, manifest = Artifacts(data_dir / "artifacts").load(artifact, device=device, threads=threads)
            dataset = Datasets(data_dir / "datasets").open(manifest.dataset)
            self._held, self._asked = Shelf(model, manifest, dataset, dataset.matrix()), asked
        return self._held


_shelves = _Shelves()


@lru_cache(maxsize=1)
def _buckets(data_dir: Path, dataset: str, n_buckets: int) -> UserBuckets:
    users = Datasets(data_dir / "datasets").open(dataset).users
    return UserBuckets.of(user_keys(users), n_buckets)
