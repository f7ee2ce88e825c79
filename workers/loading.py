"""What a worker process keeps loaded between chunks: one dataset and one model at a time."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from interactions.dataset import Dataset
from interactions.datasets import Datasets
from models.artifacts import ArtifactManifest, Artifacts
from models.base import Recommender
from store.packing import buckets_of
from workers.runtime import Runtime


@dataclass(frozen=True, eq=False)
class UserBuckets:
    """Every user of a dataset, sorted by bucket.

    Attributes:
        keys: UTF-8 of each user's external id, by dense index.
        order: (n_users,) int64, dense indices sorted by bucket.
        starts: (n_buckets + 1,) int64, where each bucket begins in ``order``.
    """

    keys: list[bytes]
    order: np.ndarray
    starts: np.ndarray

    def users_of(self, bucket: int) -> np.ndarray:
        """Dense indices of a bucket's users, (n,) int64."""
        return self.order[self.starts[bucket] : self.starts[bucket + 1]]


@dataclass(frozen=True, eq=False)
class Shelf:
    """What scoring a chunk needs: the model, its manifest, and histories.

    Attributes:
        dataset: whose users the rows of ``matrix`` are.
        matrix: (n_users, n_items), in the item indices of the dataset the model was fitted on.
        known_as: (n_users,) index the model knows each user by, -1 where it never saw one; None where that is
            the user's own, the histories being those it was refitted on.
    """

    model: Recommender
    manifest: ArtifactManifest
    dataset: Dataset
    matrix: csr_matrix
    known_as: np.ndarray | None = None


def load_shelf(runtime: Runtime, artifact: str) -> Shelf:
    """The shelf of an artifact, kept in this process until another one is asked for."""
    settings = runtime.settings
    return _shelf(settings.data_dir, artifact, settings.device, settings.threads_per_process)


def load_buckets(runtime: Runtime, dataset: str, n_buckets: int) -> UserBuckets:
    """The buckets of a dataset's users, kept in this process until others are asked for."""
    return _buckets(runtime.settings.data_dir, dataset, n_buckets)


@lru_cache(maxsize=1)
def _shelf(data_dir: Path, artifact: str, device: str, threads: int) -> Shelf:
    model, manifest = Artifacts(data_dir / "artifacts").load(artifact, device=device, threads=threads)
    dataset = Datasets(data_dir / "datasets").open(manifest.dataset)
    return Shelf(model, manifest, dataset, dataset.matrix())


@lru_cache(maxsize=1)
def _buckets(data_dir: Path, dataset: str, n_buckets: int) -> UserBuckets:
    keys = Datasets(data_dir / "datasets").open(dataset).users.keys()
    bucket = buckets_of(keys, n_buckets)
    order = np.argsort(bucket, kind="stable")
    starts = np.searchsorted(bucket[order], np.arange(n_buckets + 1))
    return UserBuckets(keys, order, starts)
