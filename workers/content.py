"""What a generation is made of: a model, users and their histories; a base's or a delta's."""

import json
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from interactions.changes import changes_since
from store.generations import Generation
from store.user_buckets import UserBuckets
from workers import search
from workers.loading import Shelf, forget_with_shelf, load_buckets, load_shelf, user_keys
from workers.rules import RuleSet
from workers.runtime import Runtime


@dataclass(frozen=True, eq=False)
class Content:
    """What the lists of a generation are scored from, and whose they are.

    Attributes:
        users: (n,) int64 dense indices into the shelf's dataset.
    """

    shelf: Shelf
    users: np.ndarray

    def sample(self, n: int) -> np.ndarray:
        """At most ``n`` of the users, evenly spaced; the same ones whenever it is asked."""
        places = np.linspace(0, self.users.size - 1, min(n, self.users.size))
        return self.users[np.unique(places.astype(np.int64))]


def load_content(runtime: Runtime, generation: Generation) -> Content:
    """The content of a generation, its model set to search as its record says."""
    content = _ruled(runtime, generation.artifact, generation.newer, generation.rules, generation.dataset)
    # Anew each time: the model is shared by all that is made of its artifact.
    record = search.SearchRecord(generation.search, generation.ef, generation.index)
    search.apply(runtime, record, content.shelf.model)
    return content


def load_delta_content(runtime: Runtime, artifact: str, newer: str) -> Content:
    """Who has other histories in the dataset version ``newer`` than those an artifact was made of.

    Their histories are in the item indices of the artifact's own dataset; where ``newer`` is empty, the
    content is that of a base: everybody. Kept in this process until another one is asked for.

    Raises:
        DataError: ``newer`` has ids of another type, or does not exist.
    """
    return _content(runtime, artifact, newer)


def load_content_buckets(runtime: Runtime, generation: Generation) -> UserBuckets:
    """The buckets of a generation's users, kept likewise."""
    if not generation.base:
        return load_buckets(runtime, generation.dataset, generation.n_buckets)
    return _buckets(load_content(runtime, generation), generation.n_buckets)


@lru_cache(maxsize=1)
def _ruled(runtime: Runtime, artifact: str, newer: str, rules: str, dataset: str) -> Content:
    content = _content(runtime, artifact, newer)
    if not rules:
        return content
    kept_to = RuleSet.of(json.loads(rules)).over(runtime.datasets.open(dataset))
    return replace(content, shelf=replace(content.shelf, rules=kept_to))


@lru_cache(maxsize=1)
def _content(runtime: Runtime, artifact: str, newer: str) -> Content:
    shelf = load_shelf(runtime, artifact)
    if not newer:
        return Content(shelf, np.arange(shelf.dataset.manifest.n_users))
    later = runtime.datasets.open(newer)
    changes = changes_since(shelf.dataset, later)
    grown = replace(shelf, dataset=later, matrix=changes.matrix, known_as=changes.known_as)
    return Content(grown, changes.users)


@lru_cache(maxsize=1)
def _buckets(content: Content, n_buckets: int) -> UserBuckets:
    keys = user_keys(content.shelf.dataset.users).take(content.users)
    buckets = UserBuckets.of(keys, n_buckets)
    return replace(buckets, users=content.users[buckets.users].astype(np.int32))


for _cache in (_ruled, _content, _buckets):
    forget_with_shelf(_cache.cache_clear)
