"""Measuring 30,000 lists of 20: all metrics, intervals and groups at once, beside the definitions in loops.

    python -m benchmarks.evaluation [--users 30000] [--runs 5] [--json]

Both sides get the same lists and held-out items, in turn, in one process. The loops compute the nine metrics
a user has, on a tenth of the users, times ten. Ours is measured twice: the same metrics, and all there is to
an evaluation, with coverage, the 95 % intervals of 1,000 bootstrap samples and the groups by activity. Prints
medians and the ratio.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix

from interactions.splits import Split, split_given
from models.evaluation import evaluate_ranking, users_held_out
from models.metrics import score_users
from models.ranking import Ranking

N_ITEMS, K = 40_000, 20
LOOP_SHARE = 10


def main() -> None:
    """Print seconds and the ratio."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evaluation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--users", type=int, default=30_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one object")
    arguments = parser.parse_args()
    split, ranking = _drawn(arguments.users)
    users = users_held_out(split)
    some = max(1, len(users) // LOOP_SHARE)
    lists = [row.tolist() for row in ranking.items[:some]]
    test = [set(split.test[[user]].indices.tolist()) for user in users[:some].tolist()]
    counts = np.bincount(split.train.matrix.indices, minlength=N_ITEMS)
    ours, everything, loops = [], [], []
    for _ in range(arguments.runs):
        ours.append(_seconds(lambda: score_users(ranking, split.test[users], counts, arguments.users)))
        everything.append(_seconds(lambda: evaluate_ranking(ranking, split, users)))
        loops.append(
            _seconds(lambda: _in_loops(lists, test, counts.tolist(), arguments.users)) * len(users) / some
        )
    seconds, loop_seconds = statistics.median(ours), statistics.median(loops)
    found = {
        "users": len(users),
        "k": K,
        "metrics_seconds": seconds,
        "evaluation_seconds": statistics.median(everything),
        "loop_seconds": loop_seconds,
        "speed_over_loops": loop_seconds / seconds,
    }
    if arguments.json:
        print(json.dumps(found))
        return
    print(f"{len(users):,} lists of {K}, {N_ITEMS:,} items, median of {arguments.runs} runs")
    print(f"{'the metrics of every user':<32}{seconds:>8.2f} s")
    print(f"{'with intervals and groups':<32}{found['evaluation_seconds']:>8.2f} s")
    print(f"{'the metrics in loops':<32}{loop_seconds:>8.2f} s")
    print(f"{'speed over loops':<32}{loop_seconds / seconds:>8.1f}")


def _drawn(n_users: int) -> tuple[Split, Ranking]:
    """Lists and held-out items as popular as Zipf's law says, about 25 and 8 interactions a user."""
    numbers = np.random.default_rng(0)
    chance = 1 / np.arange(1, N_ITEMS + 1)

    def drawn(per_user: int) -> csr_matrix:
        items = numbers.choice(N_ITEMS, n_users * per_user, p=chance / chance.sum())
        rows = np.repeat(np.arange(n_users), per_user)
        matrix = csr_matrix((np.ones(len(rows), np.float32), (rows, items)), shape=(n_users, N_ITEMS))
        matrix.data[:] = 1
        return matrix

    split = split_given(drawn(25), drawn(8))
    start = numbers.integers(0, 500, n_users)[:, np.newaxis]
    items = (start + np.arange(K) * 7).astype(np.int32)
    scores = np.broadcast_to(-np.arange(K, dtype=np.float32), items.shape)
    users = users_held_out(split)
    return split, Ranking(items[users], scores[users])


def _in_loops(lists: list[list[int]], test: list[set[int]], counts: list[int], n_users: int) -> float:
    total = 0.0
    for items, relevant in zip(lists, test, strict=True):
        found, ap, dcg, first, surprise, popularity = 0, 0.0, 0.0, 0.0, 0.0, 0.0
        for rank, item in enumerate(items, start=1):
            surprise -= math.log2(max(counts[item], 1) / n_users)
            popularity += counts[item] / n_users
            if item in relevant:
                found += 1
                ap += found / rank
                dcg += 1 / math.log2(rank + 1)
                first = first or 1 / rank
        reachable = min(K, len(relevant))
        ideal = sum(1 / math.log2(rank + 1) for rank in range(1, reachable + 1))
        per_user = (ap / len(relevant), ap / reachable, first, found / K, found / len(relevant), dcg / ideal)
        total += sum(per_user) + (found > 0) + (surprise + popularity) / K
    return total


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
