"""Whether a job may start."""

import pytest

from interactions.dataset import Dataset
from models.artifacts import ArtifactManifest
from models.registry import create_model
from topshelf.errors import ArtifactNotFound
from workers.admission import admit
from workers.runtime import Runtime


def stored(runtime: Runtime, dataset: Dataset, name: str, config: dict[str, object]) -> ArtifactManifest:
    model = create_model(name, config).fit(dataset.training_set())
    return runtime.artifacts.save(
        model, dataset_version=dataset.version, metrics={}, split="s", code_version="1"
    )


def test_a_blend_of_artifacts_is_a_blend_of_their_models_and_hyper_parameters(
    runtime: Runtime, dataset: Dataset
) -> None:
    als = stored(runtime, dataset, "als", {"factors": 7})
    components = [{"artifact": als.id, "weight": 2}, {"model": "item_knn"}]
    job, _ = runtime.jobs.create("pipeline", "blend", params={"config": {"components": components}})
    admitted = admit(runtime, job).params["config"]["components"]
    assert admitted == [{"weight": 2, "model": "als", "config": als.config}, {"model": "item_knn"}]
    assert admitted[0]["config"]["factors"] == 7
    assert admit(runtime, runtime.jobs.get(job.id)).params["config"]["components"] == admitted


def test_a_blend_of_an_artifact_that_is_not_there_is_refused(runtime: Runtime, dataset: Dataset) -> None:
    components = [{"artifact": "als-20260101T000000Z-00000000"}]
    job, _ = runtime.jobs.create("pipeline", "blend", params={"config": {"components": components}})
    with pytest.raises(ArtifactNotFound, match="als-20260101T000000Z-00000000"):
        admit(runtime, job)


def test_an_artifact_of_another_model_is_not_precomputed(runtime: Runtime, dataset: Dataset) -> None:
    als = stored(runtime, dataset, "als", {"factors": 7})
    job, _ = runtime.jobs.create("precompute", "item_knn", params={"artifact": als.id})
    with pytest.raises(ArtifactNotFound, match="an artifact of als, not of item_knn"):
        admit(runtime, job)
