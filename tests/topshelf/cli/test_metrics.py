"""What was measured, shown with its intervals and by group."""

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interactions.features import FeatureMatrix
from interactions.splits import Split
from interactions.training_set import TrainingSet
from models.artifacts import Artifacts
from models.registry import create_model
from models.training import fit_and_evaluate
from tests.topshelf.cli.outcome import Topshelf


@pytest.fixture
def artifact(tmp_path: Path) -> str:
    """An als measured on users of two sexes."""
    random = np.random.default_rng(0)
    touched = random.random((60, 20)) < 0.4
    touched[:, 0] = True
    matrix = csr_matrix(touched.astype(np.float32))
    bare = TrainingSet.of(matrix)
    sexes = csr_matrix(np.eye(2, dtype=np.float32)[np.arange(60) % 2])
    data = TrainingSet(matrix, bare.categories, user_features=FeatureMatrix(sexes, ("sex=F", "sex=M")))
    held_out = ~touched & (random.random((60, 20)) < 0.3)
    held_out[:, 19] = ~touched[:, 19]
    test = csr_matrix(held_out.astype(np.float32))
    model = create_model("als")
    evaluation = fit_and_evaluate(model, Split("given", data, test, None))
    manifest = Artifacts(tmp_path / "data" / "artifacts").save(
        model,
        dataset_version="v1",
        metrics=evaluation.metrics,
        split="given",
        code_version="1",
        extra={"evaluation": evaluation.details()},
    )
    return manifest.id


def test_every_metric_has_its_interval(topshelf: Topshelf, artifact: str) -> None:
    answer = topshelf("metrics", artifact, "--json").answer
    low, high = answer["intervals"]["NDCG@10"]
    assert low < answer["metrics"]["NDCG@10"] < high
    shown = topshelf("metrics", artifact).out
    [row] = [line.split() for line in shown.splitlines() if "NDCG@10" in line]
    assert row == ["NDCG@10", f"{answer['metrics']['NDCG@10']:.4f}", f"{low:.4f}", "-", f"{high:.4f}"]
    assert "--by activity, sex" in shown


def test_groups_of_users_stand_below_each_other(topshelf: Topshelf, artifact: str) -> None:
    shown = topshelf("metrics", artifact, "--by", "sex").out
    assert [line.split()[0] for line in shown.splitlines()[2:]] == ["F", "M"]
    users = [int(line.split()[1].strip("()")) for line in shown.splitlines()[2:]]
    assert sum(users) == topshelf("metrics", artifact, "--json").answer["metrics"]["users"]


def test_a_group_that_was_not_measured_is_named(topshelf: Topshelf, artifact: str) -> None:
    ended = topshelf("metrics", artifact, "--by", "age")
    assert ended.exit_code == 4
    assert "was not measured by 'age'; by activity, sex it was" in ended.err
