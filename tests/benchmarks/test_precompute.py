"""The benchmark of precomputing, on as little as goes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.precomputing.nightly import Population, median_run, precompute_run
from benchmarks.precomputing.rankers import by_implicit, by_numpy, ours, take_turns
from benchmarks.precomputing.report import WANTED, Results, as_json, draw, report
from benchmarks.precomputing.wide import evenly_long, measure_wide
from benchmarks.precomputing.work import Work, synthetic
from benchmarks.precomputing.writing import measure_writing
from interactions.synthetic import SyntheticShape

SMALL = SyntheticShape(users=600, items=300, interactions=6_000, clusters=4)


@pytest.fixture(scope="module")
def work() -> Work:
    return synthetic(SMALL, factors=8, iterations=2, threads=1)


def test_sides_rank_the_same_work_and_find_the_same_lists(work: Work) -> None:
    sides = [by_implicit(1), by_numpy(1, name="plain", block_users=64), ours(1)]
    turns = take_turns(sides, work, 10, rounds=2)
    assert {len(seconds) for seconds in turns.seconds.values()} == {2}
    assert turns.equal_share("implicit", "topshelf") == turns.equal_share("plain", "topshelf") == 1.0
    assert turns.ratio("implicit", "implicit") == 1.0


def test_items_of_one_length_keep_their_direction(work: Work) -> None:
    even = evenly_long(work)
    np.testing.assert_allclose(np.linalg.norm(even.vectors.items.rows, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("k", [10, 20])
def test_writing_takes_a_bounded_room(tmp_path: Path, k: int) -> None:
    written = measure_writing(20_000, k, tmp_path)
    assert 2 * k < written.bytes_per_user < 2 * k + 60
    assert written.users_per_second > 0


def test_a_population_grows_by_its_users_and_keeps_its_items() -> None:
    one = Population.make(SMALL, factors=4, iterations=1, threads=1)
    many, few = one.times(3), one.times(0.5)
    assert len(many.user_ids) == len(set(many.user_ids.tolist())) == 1_800
    assert many.interactions.height == 3 * one.interactions.height
    np.testing.assert_array_equal(many.item_factors, one.item_factors)
    assert len(few.user_ids) == len(few.user_factors) == 300
    assert len(few.item_ids) == len(few.item_factors) == few.interactions["item_id"].n_unique()


def test_a_whole_run_is_reported_drawn_and_printed(work: Work, tmp_path: Path) -> None:
    population = Population.make(SMALL, factors=4, iterations=1, threads=1)
    run = precompute_run(population, processes=1, folder=tmp_path / "run")
    assert run.users == 600
    assert 0 <= run.filling_seconds <= run.seconds
    assert run.peak_gb > 0.05
    wide = measure_wide(work, users=50, k=10, rounds=1, recall_floor=0.5, threads=1)
    turns = take_turns([by_implicit(1), ours(1)], work, 10, rounds=1)
    writing = [measure_writing(5_000, k, tmp_path / str(k)) for k in (10, 20)]
    results = Results(
        work,
        turns,
        [wide],
        writing,
        [median_run([replace(run, filling_seconds=seconds) for seconds in (1.0, 2.0, 9.0)])],
        None,
    )
    found = json.loads(json.dumps(as_json(results)))
    assert found.keys() > WANTED.keys()
    assert found["kion_seconds"] == run.seconds
    assert found["runs"][0]["filling_seconds"] == 2.0
    text = report(results)
    assert all(f"`{name}`" in text for name in WANTED)
    assert "of a million items" in text
    draw(results, tmp_path / "chart.svg")
    assert "Gowalla" in (tmp_path / "chart.svg").read_text()
