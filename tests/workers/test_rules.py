"""Rules of what lists may hold: read, checked, kept to by every row."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interactions.dataset import Dataset
from models.ranking import NO_RULES
from store.stocked import read_lists
from tests.workers.conftest import TASTE_ITEMS, TASTES, USERS
from tests.workers.filling import fill, opened
from topshelf.errors import InvalidConfig
from topshelf.settings import Settings
from workers.dispatch import Dispatcher
from workers.rules import RuleSet, read_rules
from workers.runtime import Runtime
from workers.tasks.publish import publish

FIRST = 100
ITEMS = range(FIRST, FIRST + TASTES * TASTE_ITEMS)


def lists(runtime: Runtime, dataset: Dataset, model: str) -> list[list[int]]:
    """Every user's list as external ids, best first."""
    rows = read_lists(
        runtime.serving,
        runtime.keys,
        runtime.generations.layers(model),
        dataset.users.keys_of(range(USERS)),
    )
    return [dataset.items.ids_of(row) for row in rows]


def published(runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, model: str, **params: Any) -> None:
    job = opened(runtime, dispatcher, dataset, model, **params)
    fill(runtime, dispatcher, job)
    publish(runtime, dispatcher, job.id)
    job = runtime.jobs.get(job.id)
    assert job.state == "succeeded", job.error


def test_rules_over_a_dataset_are_masks_and_groups(dataset: Dataset) -> None:
    rules = RuleSet.of(
        {"allow": list(range(100, 140)), "block": [101], "categories": ["taste 0"], "most_per_category": 2}
    ).over(dataset)
    assert rules.allowed is not None
    assert rules.groups is not None
    allowed = dataset.items.ids_of(np.flatnonzero(rules.allowed))
    assert allowed == [100, *range(102, 130)]
    assert rules.groups.tolist() == [number // TASTE_ITEMS for number in range(TASTES * TASTE_ITEMS)]
    assert RuleSet().over(dataset) is NO_RULES


def test_ids_that_are_not_there_are_passed_over_and_said(
    dataset: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        rules = RuleSet.of({"block": [7, 100, "100"]}).over(dataset)
    assert rules.allowed is not None
    assert rules.allowed.sum() == len(ITEMS) - 1
    assert "block: 2 of 3 items are not in" in caplog.text


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"blok": [1]}, "blok: Extra inputs"),
        ({"most_per_category": 0}, "most_per_category: Input should be greater"),
        ({"categories": []}, "categories: "),
    ],
)
def test_a_rule_that_is_none_is_refused(raw: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidConfig, match=said):
        RuleSet.of(raw)


def test_a_category_that_does_not_exist_is_refused_with_those_that_do(dataset: Dataset) -> None:
    with pytest.raises(InvalidConfig, match=r"category 'taste 9'; there are taste 0, taste 1"):
        RuleSet.of({"categories": ["taste 9"]}).over(dataset)


def test_rules_that_leave_nothing_are_refused(dataset: Dataset) -> None:
    with pytest.raises(InvalidConfig, match="leave none of the 120 items"):
        RuleSet.of({"allow": []}).over(dataset)


@pytest.mark.parametrize("content", [None, "{", "[1]"])
def test_a_file_that_holds_no_rules_is_refused(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "rules.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InvalidConfig, match=r"rules\.json"):
        read_rules(file)


@pytest.mark.parametrize("model", ["als", "item_knn", "popular", "popular_in_category"])
def test_every_row_keeps_to_the_rules_of_its_job(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, model: str
) -> None:
    rules = {"block": list(range(100, 110)), "categories": ["taste 0", "taste 1"], "most_per_category": 5}
    published(runtime, dispatcher, dataset, model, rules=rules)
    for listed in lists(runtime, dataset, model):
        assert set(listed) <= set(range(110, 160))
        assert max(sum(item < 130 for item in listed), sum(item >= 130 for item in listed)) <= 5
    live = runtime.generations.live(model)
    assert live is not None
    assert json.loads(live.rules) == rules


def test_the_rules_of_the_settings_hold_where_a_job_has_none(
    settings: Settings, dispatcher: Dispatcher, dataset: Dataset, tmp_path: Path
) -> None:
    file = tmp_path / "rules.json"
    file.write_text('{"allow": [100, 131, 162, 193, 194]}')
    runtime = Runtime(settings.model_copy(update={"rules_file": file}))
    published(runtime, dispatcher, dataset, "item_knn")
    assert {item for listed in lists(runtime, dataset, "item_knn") for item in listed} <= {
        100, 131, 162, 193, 194
    }  # fmt: skip
    published(runtime, dispatcher, dataset, "item_knn", rules={})
    assert {item for listed in lists(runtime, dataset, "item_knn") for item in listed} > set(range(100, 120))


def test_a_job_whose_rules_cannot_be_used_says_so(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job = opened(runtime, dispatcher, dataset, rules={"categories": ["taste 9"]})
    assert job.state == "failed"
    assert job.error is not None
    assert job.error["error_key"] == "config_invalid"
