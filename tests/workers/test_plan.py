"""What a run costs, from sizes alone."""

from dataclasses import replace

import pytest

from store.allocation import FieldBytes, Server
from store.compactness import CompactLimits
from store.rows import RowShape
from store.sizing import CATALOG_ITEM_BYTES, generation_bytes
from workers.plan import Workload, plan

KION = Workload(
    users=962_179,
    items=15_706,
    k_store=10,
    factors=128,
    neighbours=0,
    interactions=5_476_251,
    field=FieldBytes.numbers(1_097_557),
    scores=False,
    processes=2,
    cores=2,
    device="cpu",
    users_per_bucket=128,
    chunk_users=10_000,
    server=Server(),
)


def test_bytes_in_redis_are_those_of_a_generation() -> None:
    planned = plan(KION)
    assert (planned.n_buckets, planned.n_chunks) == (7_518, 96)
    assert planned.generation == generation_bytes(
        KION.users,
        7_518,
        96,
        KION.field,
        RowShape.of("users", KION.items, KION.k_store),
        catalog_bytes=KION.items * CATALOG_ITEM_BYTES,
    )


def test_a_server_that_keeps_only_small_hashes_compactly_gets_smaller_buckets() -> None:
    server = Server(limits=CompactLimits(entries=32))
    small = plan(replace(KION, server=server))
    assert small.n_buckets == -(-KION.users // 32)
    assert small.n_chunks == -(-small.n_buckets // 79), "chunks are counted in the buckets wished for"
    assert small.generation.rows == plan(replace(KION, users_per_bucket=32, server=server)).generation.rows
    assert small.writing_seconds < plan(KION).writing_seconds


def test_neighbours_take_eight_bytes_each_in_redis_and_on_the_wire() -> None:
    alone, with_neighbours = plan(KION), plan(replace(KION, neighbours=100))
    length = 8 * 100 * KION.items
    assert with_neighbours.generation.neighbours == pytest.approx(length, rel=0.2)
    assert with_neighbours.generation.total > alone.generation.total + length
    assert with_neighbours.network_bytes == alone.network_bytes + length


def test_a_million_users_cost_less_than_32_bytes_each_and_two_workers_less_than_3_gb() -> None:
    planned = plan(KION)
    assert planned.generation.total / KION.users < 32
    assert 2 * planned.process_bytes < 3e9


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_scoring_grows_with_users_items_and_factors(device: str) -> None:
    small = plan(replace(KION, device=device))
    twice = plan(replace(KION, device=device, users=2 * KION.users))
    assert twice.scoring_seconds == pytest.approx(2 * small.scoring_seconds)
    wide = plan(replace(KION, device=device, items=30 * KION.items))
    long = plan(replace(KION, device=device, factors=30 * KION.factors))
    assert wide.scoring_seconds == pytest.approx(long.scoring_seconds)
    assert small.scoring_seconds < wide.scoring_seconds <= 30 * small.scoring_seconds


def test_vectors_of_one_length_take_longer() -> None:
    assert plan(KION).whole_seconds > 2 * plan(KION).scoring_seconds


def test_each_process_has_a_gpu_and_cores_are_shared() -> None:
    on_gpus = replace(KION, device="cuda")
    assert plan(replace(on_gpus, processes=8)).scoring_seconds == plan(on_gpus).scoring_seconds / 4
    assert plan(replace(on_gpus, cores=8)).scoring_seconds == plan(on_gpus).scoring_seconds
    assert plan(replace(KION, processes=8)).scoring_seconds == plan(KION).scoring_seconds


def test_one_redis_takes_rows_no_faster_however_many_cores_send_them() -> None:
    assert plan(replace(KION, cores=64)).writing_seconds == plan(replace(KION, cores=8)).writing_seconds
    assert KION.users / plan(KION).writing_seconds > 500_000


def test_the_longer_of_scoring_and_writing_is_what_a_run_takes() -> None:
    assert plan(KION).seconds == plan(KION).scoring_seconds
    quick = replace(KION, device="cuda")
    assert plan(quick).seconds == plan(quick).writing_seconds
