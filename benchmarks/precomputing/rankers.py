"""Ways to rank everybody: implicit's recommend, a plain torch loop, ours; each given the same vectors."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray

from benchmarks.precomputing.work import Work
from models.ranking import ExactRanker, ItemVectors, VectorRanker, Vectors, top_k
from models.threads import blas_threads

BLOCK_USERS = 1024
Lists = NDArray[np.integer]
Rank = Callable[[Work, int], Lists]


@dataclass(frozen=True)
class Side:
    """One way, by name; the seconds of its turns."""

    name: str
    rank: Rank


def by_implicit(threads: int) -> Side:
    """``recommend`` of implicit 0.7.3."""

    def rank(work: Work, k: int) -> Lists:
        model = AlternatingLeastSquares(factors=work.vectors.users.shape[1], num_threads=threads)
        model.user_factors, model.item_factors = work.vectors.users, work.vectors.items.rows
        with blas_threads(1):
            ids, _ = model.recommend(
                np.arange(len(work.vectors.users)), work.seen, N=k, filter_already_liked_items=True
            )
        return np.asarray(ids)

    return Side("implicit", rank)


def by_torch(threads: int, *, name: str = "plain torch", block_users: int = BLOCK_USERS) -> Side | None:
    """A product and torch.topk in blocks of users; None where torch is not installed."""
    try:
        import torch  # noqa: PLC0415 -- an extra
    except ImportError:
        return None

    def rank(work: Work, k: int) -> Lists:
        torch.set_num_threads(threads)
        users = torch.from_numpy(work.vectors.users)
        items = torch.from_numpy(work.vectors.items.rows).T.contiguous()
        lists = []
        for start in range(0, len(users), block_users):
            scores = users[start : start + block_users] @ items
            seen = work.seen[start : start + block_users].tocoo()
            scores[torch.from_numpy(seen.row).long(), torch.from_numpy(seen.col).long()] = -torch.inf
            lists.append(scores.topk(k, dim=1).indices)
        return torch.cat(lists).numpy()

    return Side(name, rank)


def by_numpy(threads: int, *, name: str, block_users: int) -> Side:
    """A product and a partition by NumPy in blocks of users."""

    def rank(work: Work, k: int) -> Lists:
        items = np.ascontiguousarray(work.vectors.items.rows.T)
        lists = []
        with blas_threads(threads):
            for start in range(0, len(work.vectors.users), block_users):
                scores = work.vectors.users[start : start + block_users] @ items
                seen = work.seen[start : start + block_users].tocoo()
                scores[seen.row, seen.col] = -np.inf
                lists.append(top_k(scores, k)[0])
        return np.concatenate(lists)

    return Side(name, rank)


def by_ranker(name: str, ranker: VectorRanker, *, anew: bool = False) -> Side:
    """One of ours; with ``anew`` the catalogue is sorted within the time."""

    def rank(work: Work, k: int) -> Lists:
        items = work.vectors.items
        vectors = Vectors(work.vectors.users, ItemVectors(items.rows, items.biases) if anew else items)
        return ranker.rank(vectors, k, seen=work.seen).items

    return Side(name, rank)


def ours(threads: int) -> Side:
    """The exact ranker of the workers."""
    return by_ranker("topshelf", ExactRanker(threads=threads), anew=True)


@dataclass(frozen=True)
class Turns:
    """Seconds of each side's turns, by name, and its last lists."""

    seconds: Mapping[str, list[float]]
    lists: Mapping[str, Lists]

    def ratio(self, slow: str, fast: str) -> float:
        """How many times as fast ``fast`` is: the median over the rounds."""
        pairs = zip(self.seconds[slow], self.seconds[fast], strict=True)
        return float(np.median([one / other for one, other in pairs]))

    def median(self, name: str) -> float:
        """Seconds of a side's turn."""
        return float(np.median(self.seconds[name]))

    def equal_share(self, one: str, other: str) -> float:
        """Share of the users whose lists hold the same items, those a tie may decide included."""
        same = np.sort(self.lists[one], axis=1) == np.sort(self.lists[other], axis=1)
        return float(same.all(axis=1).mean())


def take_turns(sides: list[Side], work: Work, k: int, rounds: int) -> Turns:
    """Every side once a round, the order rotated; a round before the first is not counted."""
    seconds: dict[str, list[float]] = {side.name: [] for side in sides}
    lists: dict[str, Lists] = {}
    for number in range(rounds + 1):
        first = number % len(sides)
        for side in [*sides[first:], *sides[:first]]:
            began = time.perf_counter()
            lists[side.name] = side.rank(work, k)
            if number:
                seconds[side.name].append(time.perf_counter() - began)
    return Turns(seconds, lists)
