import base64
import json
from pathlib import Path

import numpy as np
import pytest
import redis
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.artifacts import Artifacts
from models.registry import create_model
from store.generations import Generations
from store.jobs import Jobs
from store.keys import Keys
from tests.topshelf.cli.outcome import Topshelf
from tests.topshelf.cli.test_shelves import publish
from topshelf.cli.jobs import parse_params
from topshelf.errors import InvalidConfig


@pytest.fixture
def jobs(client: redis.Redis, keys: Keys, on_redis: None) -> Jobs:
    return Jobs(client, keys, retention_days=1)


def test_parameters_are_json_where_they_can_be() -> None:
    given = [
        "factors=64",
        "alpha=0.5",
        "name=als",
        "deep=true",
        "dims=[6, 3]",
        "empty=",
        "path=a=b",
        'text="64"',
    ]
    assert parse_params(given) == {
        "factors": 64,
        "alpha": 0.5,
        "name": "als",
        "deep": True,
        "dims": [6, 3],
        "empty": "",
        "path": "a=b",
        "text": "64",
    }


def test_no_parameters_are_none_at_all() -> None:
    assert parse_params(None) == {}
    assert parse_params([]) == {}


def test_the_last_of_two_equal_parameters_counts() -> None:
    assert parse_params(["factors=1", "factors=2"]) == {"factors": 2}


@pytest.mark.parametrize("param", ["factors", "=64", ""])
def test_a_parameter_of_another_form_is_an_error(param: str) -> None:
    with pytest.raises(InvalidConfig, match="NAME=VALUE"):
        parse_params([param])


def test_no_jobs_are_said(topshelf: Topshelf, jobs: Jobs) -> None:
    assert topshelf("jobs").out == "no jobs\n"
    assert topshelf("jobs", "--json").answer == []


def test_jobs_are_listed_newest_first_with_whole_ids(topshelf: Topshelf, jobs: Jobs) -> None:
    long_id = "nightly-20261123T030000-popular_in_category"
    jobs.create("train", "als", job_id="one")
    jobs.create("pipeline", "popular_in_category", job_id=long_id)
    shown = topshelf("jobs")
    assert shown.exit_code == 0
    assert shown.out.index(long_id) < shown.out.index(" one ")
    assert [job["id"] for job in topshelf("jobs", "--json").answer] == [long_id, "one"]
    assert [job["id"] for job in topshelf("jobs", "--json", "--limit", "1").answer] == [long_id]


def test_jobs_are_listed_by_state_and_model(topshelf: Topshelf, jobs: Jobs) -> None:
    jobs.create("train", "als", job_id="one")
    jobs.create("train", "popular", job_id="two")
    jobs.finish("two", "succeeded")
    assert [job["id"] for job in topshelf("jobs", "--json", "--state", "succeeded").answer] == ["two"]
    assert [job["id"] for job in topshelf("jobs", "--json", "--model", "als").answer] == ["one"]


def test_one_job_is_shown_whole(topshelf: Topshelf, jobs: Jobs) -> None:
    jobs.create("train", "als", job_id="one", params={"config": {"factors": 8}})
    shown = topshelf("jobs", "one", "--json").answer
    assert shown["state"] == "queued"
    assert shown["params"] == {"config": {"factors": 8}}


def test_a_job_is_cancelled(topshelf: Topshelf, jobs: Jobs) -> None:
    jobs.create("train", "als", job_id="one")
    assert topshelf("jobs", "one", "--cancel").exit_code == 0
    assert jobs.get("one").state in {"cancelling", "cancelled"}


def test_a_cancel_without_a_job_is_a_wrong_argument(topshelf: Topshelf, jobs: Jobs) -> None:
    jobs.create("train", "als", job_id="one")
    assert topshelf("jobs", "--cancel").exit_code == 2
    assert jobs.get("one").state == "queued"


def test_an_unknown_job_is_an_error(topshelf: Topshelf, jobs: Jobs) -> None:
    ended = topshelf("jobs", "nobody", "--json")
    assert ended.exit_code == 5
    assert ended.error["error_key"] == "job_not_found"


def test_nothing_is_enqueued_for_a_model_or_a_parameter_that_does_not_exist(
    topshelf: Topshelf, jobs: Jobs
) -> None:
    assert topshelf("pipeline", "alz").exit_code == 4
    assert topshelf("pipeline", "als", "-p", "factorz=1").exit_code == 4
    assert topshelf("pipeline", "als", "--dataset", "nope").exit_code == 3
    assert jobs.list() == []


def test_a_detached_job_is_recorded_and_sent(
    topshelf: Topshelf, jobs: Jobs, client: redis.Redis, tmp_path: Path
) -> None:
    topshelf("synth", tmp_path / "kion", "--users", "200", "--items", "50")
    version = topshelf("ingest", tmp_path / "kion", "--preset", "kion", "--json").answer["version"]
    sent = topshelf("train", "als", "-p", "factors=8", "--detach", "--json")
    assert sent.exit_code == 0
    [job] = jobs.list()
    assert sent.answer["id"] == job.id
    assert (job.kind, job.model, job.state) == ("train", "als", "queued")
    assert job.params == {"config": {"factors": 8}, "dataset": version}
    [message] = client.lrange("io", 0, -1)
    arguments, _, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
    assert arguments == [job.id]


def test_a_job_may_ask_for_profiles_of_its_tasks(topshelf: Topshelf, jobs: Jobs, tmp_path: Path) -> None:
    artifact = trained(tmp_path, "item_knn")
    sent = topshelf("precompute", "item_knn", "--artifact", artifact, "--profile", "--detach", "--json")
    assert sent.exit_code == 0
    assert [job.params for job in jobs.list()] == [{"artifact": artifact, "profile": True}]


def test_nothing_is_precomputed_of_what_is_not_there(topshelf: Topshelf, jobs: Jobs) -> None:
    assert topshelf("precompute", "alz").exit_code == 4
    assert (
        topshelf("precompute", "als", "--artifact", "nope", "--json").error["error_key"]
        == "artifact_not_found"
    )
    assert topshelf("precompute", "als", "--since", "--artifact", "one").exit_code == 2
    nothing_live = topshelf("precompute", "als", "--since", "--json")
    assert nothing_live.exit_code == 5
    assert nothing_live.error["error_key"] == "generation_not_found"
    assert "topshelf pipeline als" in nothing_live.error["error_message"]
    assert jobs.list() == []


def test_a_precompute_job_names_the_artifact_where_one_is_asked_for(
    topshelf: Topshelf, jobs: Jobs, tmp_path: Path
) -> None:
    artifact = trained(tmp_path, "item_knn")
    assert topshelf("precompute", "item_knn", "--detach").exit_code == 0
    assert topshelf("precompute", "item_knn", "--artifact", artifact, "--detach").exit_code == 0
    assert [(job.kind, job.params) for job in jobs.list()] == [
        ("precompute", {"artifact": artifact}),
        ("precompute", {}),
    ]


@pytest.mark.parametrize(("model", "exit_code"), [("item_knn", 0), ("bpr", 4)])
def test_an_incremental_run_is_asked_for_where_the_live_model_folds_in(
    topshelf: Topshelf,
    jobs: Jobs,
    client: redis.Redis,
    keys: Keys,
    tmp_path: Path,
    model: str,
    exit_code: int,
) -> None:
    publish(Generations(client, keys), model, trained(tmp_path, model))
    sent = topshelf("precompute", model, "--since", "--detach", "--json")
    assert sent.exit_code == exit_code
    if exit_code:
        assert sent.error["error_key"] == "model_cannot_fold_in"
        assert jobs.list() == []
        return
    [job] = jobs.list()
    assert (sent.answer["id"], job.kind, job.params) == (job.id, "delta", {})


def trained(tmp_path: Path, name: str) -> str:
    """Id of an artifact in the command's data folder."""
    data = TrainingSet.of(csr_matrix(np.ones((3, 3), np.float32)))
    manifest = Artifacts(tmp_path / "data" / "artifacts").save(
        create_model(name).fit(data), dataset_version="d1", metrics={}, split="s", code_version="1"
    )
    return manifest.id
