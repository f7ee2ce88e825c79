"""A GPU's time for the lists of everybody, beside the least it could be."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.precomputing.work import Work
from models.deep.devices import torch_device
from models.deep.half_ranker import HalfPrecisionRanker
from models.ranking import rank_vectors

ROUNDS = 5
SIDE = 8192
"""Rows and columns of the square product whose rate counts as the device's."""
COPIED_BYTES = 2**31
CHECKED_USERS = 5_000


@dataclass(frozen=True)
class DeviceTime:
    """Seconds of one ranking of everybody, transfers included.

    floor_seconds: the larger of the product's FLOPs over the rate of a half-precision product, and the bytes
    of vectors and lists over the rate of a copy; left_open: lists ranked again in full precision.
    """

    name: str
    seconds: float
    floor_seconds: float
    left_open: int
    equal_share: float


def measure_device(work: Work, k: int, device: str, threads: int) -> DeviceTime:
    """Rank everybody ``ROUNDS`` times; compare some lists with the CPU's."""
    place = torch_device(device)
    ranker = HalfPrecisionRanker(device, threads=threads)
    seconds = _seconds(place, lambda: ranker.rank(work.vectors, k, seen=work.seen))
    some = np.arange(min(CHECKED_USERS, len(work.vectors.users)))
    lists, exact = (
        rank(work.vectors[some], k, seen=work.seen[some]).items for rank in (ranker.rank, rank_vectors)
    )
    ranker.rank(work.vectors, k, seen=work.seen)
    name = torch.cuda.get_device_name(place) if place.type == "cuda" else device
    equal = float((exact == lists).all(axis=1).mean())
    return DeviceTime(name, seconds, _floor(work, k, place), ranker.left_open, equal)


def _floor(work: Work, k: int, place: torch.device) -> float:
    one = torch.randn(SIDE, SIDE, device=place, dtype=torch.float16)
    buffer = torch.empty(COPIED_BYTES, dtype=torch.uint8, device=place)
    product, copying = _seconds(place, lambda: one @ one), _seconds(place, buffer.clone)
    n_users, n_items = work.seen.shape
    factors = work.vectors.users.shape[1]
    flops = 2.0 * n_users * n_items * factors
    moved = 4.0 * (n_users + n_items) * factors + 8.0 * n_users * k
    of_product = flops / (2.0 * SIDE**3 / product)
    of_copying = moved / (2.0 * COPIED_BYTES / copying)
    return float(max(of_product, of_copying))


def _seconds(place: torch.device, act: Callable[[], object]) -> float:
    """The median of some calls after a first one, waited for."""
    taken = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        act()
        if place.type == "cuda":
            torch.cuda.synchronize(place)
        taken.append(time.perf_counter() - began)
    return float(np.median(taken[1:]))
