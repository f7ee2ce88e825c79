import hashlib
import json
import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from interactions.training_set import TrainingSet
from models.artifacts import ARRAYS_FILE, MANIFEST_FILE, ArtifactManifest, Artifacts
from models.registry import create_model
from topshelf.errors import ArtifactNotFound, CorruptArtifact, NotFitted


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path / "artifacts")


def save(artifacts: Artifacts, data: TrainingSet, name: str = "als", **fields: object) -> ArtifactManifest:
    model = create_model(name, seed=3).fit(data)
    facts = {
        "dataset_version": "v1",
        "metrics": {"NDCG@10": 0.25},
        "split": "last 0.2",
        "code_version": "0.1",
    }
    return artifacts.save(model, **{**facts, **fields})  # type: ignore[arg-type]


def test_a_manifest_says_what_the_model_is(artifacts: Artifacts, data: TrainingSet) -> None:
    manifest = save(artifacts, data, train_seconds=1.5, extra={"gate": "passed"})
    assert manifest.id.startswith("als-2")
    assert manifest.config["factors"] == 64
    assert (manifest.n_users, manifest.n_items, manifest.seed) == (60, 40, 3)
    assert (manifest.train_seconds, manifest.extra) == (1.5, {"gate": "passed"})
    assert manifest.size_bytes == (artifacts.root / manifest.id / ARRAYS_FILE).stat().st_size
    assert artifacts.manifest(manifest.id) == manifest


def test_figures_that_are_no_numbers_survive(artifacts: Artifacts, data: TrainingSet) -> None:
    manifest = save(artifacts, data, metrics={"NDCG@10": float("inf")})
    assert artifacts.manifest(manifest.id).metrics == {"NDCG@10": float("inf")}


def test_arrays_can_be_read_by_any_safetensors_reader(artifacts: Artifacts, data: TrainingSet) -> None:
    arrays = load_file(artifacts.root / save(artifacts, data).id / ARRAYS_FILE)
    assert {name: array.shape for name, array in arrays.items()} == {
        "user_factors": (60, 64),
        "item_factors": (40, 64),
    }


def test_an_unfitted_model_is_not_saved(artifacts: Artifacts) -> None:
    with pytest.raises(NotFitted):
        artifacts.save(create_model("als"), dataset_version="v1", metrics={}, split="", code_version="")
    assert not artifacts.root.exists()


def test_those_saved_within_a_second_are_listed_newest_first(artifacts: Artifacts, data: TrainingSet) -> None:
    ids = [save(artifacts, data, "popular").id for _ in range(8)]
    assert [manifest.id for manifest in artifacts.list()] == ids[::-1]
    assert not [path for path in artifacts.root.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("artifact_id", ["", "als", "../als", "als-20260101T000000Z-00000000", "/etc"])
def test_an_unknown_artifact_is_not_found(artifacts: Artifacts, artifact_id: str) -> None:
    with pytest.raises(ArtifactNotFound):
        artifacts.load(artifact_id)


def test_a_folder_put_in_anothers_place_is_refused(artifacts: Artifacts, data: TrainingSet) -> None:
    first = save(artifacts, data)
    other = first.id[:-8] + "00000000"
    (artifacts.root / first.id).rename(artifacts.root / other)
    with pytest.raises(CorruptArtifact, match="not the one it was saved with"):
        artifacts.load(other)


@pytest.mark.parametrize(("field", "value"), [("n_users", 59), ("metrics", {"NDCG@10": 0.9}), ("seed", 4)])
def test_an_edited_manifest_is_refused(
    artifacts: Artifacts, data: TrainingSet, field: str, value: object
) -> None:
    manifest = save(artifacts, data)
    path = artifacts.root / manifest.id / MANIFEST_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(CorruptArtifact, match="not the one it was saved with"):
        artifacts.load(manifest.id)


def test_a_pickle_in_place_of_the_arrays_is_never_loaded(artifacts: Artifacts, data: TrainingSet) -> None:
    manifest = save(artifacts, data)
    (artifacts.root / manifest.id / ARRAYS_FILE).write_bytes(pickle.dumps({"user_factors": np.ones(3)}))
    with pytest.raises(CorruptArtifact, match="checksum"):
        artifacts.load(manifest.id)


def test_the_list_is_of_one_model_or_of_all(artifacts: Artifacts, data: TrainingSet) -> None:
    assert artifacts.list() == []
    saved = {name: save(artifacts, data, name).id for name in ("als", "popular", "popular_in_category")}
    assert {manifest.id for manifest in artifacts.list()} == set(saved.values())
    assert [manifest.id for manifest in artifacts.list("popular")] == [saved["popular"]]


def test_the_list_leaves_out_what_cannot_be_read_and_logs_it(
    artifacts: Artifacts, data: TrainingSet, caplog: pytest.LogCaptureFixture
) -> None:
    kept, broken = save(artifacts, data, "popular"), save(artifacts, data, "als")
    (artifacts.root / broken.id / MANIFEST_FILE).unlink()
    (artifacts.root / "unrelated").mkdir()
    with caplog.at_level(logging.WARNING):
        assert artifacts.list() == [kept]
    assert broken.id in caplog.text


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, data: TrainingSet) -> None:
    (tmp_path / "artifacts").write_text("in the way")
    with pytest.raises(OSError, match="artifacts"):
        save(Artifacts(tmp_path / "artifacts"), data, "popular")


def test_a_manifest_of_a_later_version_is_read_and_one_that_was_edited_still_refused(
    artifacts: Artifacts, data: TrainingSet
) -> None:
    manifest = save(artifacts, data)
    fields = {**json.loads(manifest.model_dump_json()), "licence": "CC0"}
    del fields["id"]
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:8]
    later = f"{manifest.id[:-8]}{digest}"
    folder = (artifacts.root / manifest.id).rename(artifacts.root / later)
    (folder / MANIFEST_FILE).write_text(json.dumps({"id": later, **fields}))
    assert artifacts.manifest(later) == manifest.model_copy(update={"id": later})
    (folder / MANIFEST_FILE).write_text(json.dumps({"id": later, **fields, "licence": "none"}))
    with pytest.raises(CorruptArtifact, match="not the one it was saved with"):
        artifacts.manifest(later)


def test_what_is_removed_is_gone_and_the_rest_is_whole(artifacts: Artifacts, data: TrainingSet) -> None:
    kept, removed = save(artifacts, data, "popular"), save(artifacts, data, "als")
    (artifacts.root / ".removed-als-by-one-who-died").mkdir()
    artifacts.remove(removed.id)
    artifacts.remove(removed.id)
    with pytest.raises(ArtifactNotFound):
        artifacts.manifest(removed.id)
    assert [folder.name for folder in artifacts.root.iterdir()] == [kept.id]
    assert artifacts.load(kept.id)[1] == kept
