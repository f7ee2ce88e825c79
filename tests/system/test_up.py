"""``topshelf up`` as an operator runs it: every service as a process, every command from a shell."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interactions.datasets import Datasets
from models.artifacts import Artifacts
from tests.system.running import System
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("system"))
    try:
        system.wait_until_up()
        system.run("ingest", str(test_data / "ml-100k"), "--preset", "movielens-100k")
        for model in ("popular", "popular_in_category", "item_knn", "als"):
            assert system.run("pipeline", model)["state"] == "succeeded"
        wait_until(lambda: len(system.call("GET", "/models")[0]["models"]) == 4, "all models served")
        yield system
    finally:
        system.stop()


def reco(system: System, model: str, user: int | str, **query: Any) -> tuple[list[Any], str]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    body, headers = system.call("GET", f"/reco/{model}/{user}?{asked}")
    return body["items"], headers["X-Reco-Source"]


def test_the_reader_hands_out_what_numpy_makes_of_the_artifact(system: System) -> None:
    live = next(model for model in system.run("status")["models"] if model["model"] == "als")
    artifact = next(iter(Artifacts(system.settings.data_dir / "artifacts").list("als")))
    arrays = Artifacts(system.settings.data_dir / "artifacts").load(artifact.id)[0].arrays()
    dataset = Datasets(system.settings.data_dir / "datasets").open(live["dataset"])
    user = dataset.users.index_of(1)
    assert user is not None
    factors = [np.asarray(arrays[name], np.float32) for name in ("user_factors", "item_factors")]
    scores = factors[0][user] @ factors[1].T
    scores[dataset.matrix()[user].indices] = -np.inf
    expected = dataset.items.ids_of(np.argsort(-scores, kind="stable")[:10])
    assert reco(system, "als", 1) == (expected, "cache")
    assert system.run("recommend", "als", "1")["items"] == expected


def test_feedback_is_gone_from_the_next_answer(system: System) -> None:
    [first, *_], _ = reco(system, "als", 5)
    system.call("POST", "/events", {"user_id": 5, "item_id": first})
    items, source = reco(system, "als", 5)
    assert first not in items
    assert (len(items), source) == (10, "cache")


def test_three_events_of_a_new_user_give_a_knn_list(system: System) -> None:
    assert reco(system, "als", 999_001)[1] == "popular"
    system.call(
        "POST", "/events", {"events": [{"user_id": 999_001, "item_id": item} for item in (50, 172, 181)]}
    )
    items, source = reco(system, "als", 999_001)
    assert source == "knn"
    assert not {50, 172, 181} & set(items)


def test_a_hidden_item_is_on_nobodys_list_and_its_place_is_filled(system: System) -> None:
    for model, user in (("als", 7), ("item_knn", 7), ("popular", 7), ("als", 999_001)):
        [first, *_], _ = reco(system, model, user)
        system.call("DELETE", f"/items/{first}")
        items, _ = reco(system, model, user)
        assert first not in items
        assert len(set(items)) == 10
        system.call("PUT", f"/items/{first}", {"hidden": False})


def test_a_rollback_takes_effect_at_once_and_holds_until_released(system: System) -> None:
    before = system.call("GET", "/models/popular/generations")[0]
    assert system.run("pipeline", "popular")["state"] == "succeeded"
    assert system.run("rollback", "popular")["live"]
    wait_until(
        lambda: (
            reco(system, "popular", 1)[1] == "popular"
            and system.call("GET", "/reco/popular/1")[1]["X-Reco-Generation"] == "1"
        ),
        "the old generation served",
        seconds=1,
    )
    refused = system.run("pipeline", "popular", code=6)
    assert "release" in refused["errors"][0]["error_message"]
    assert system.run("release", "popular")["released"]
    assert before


COMMANDS = {
    "beat": "workers.app beat",
    "flower": "workers.app flower",
    "api": "-m api",
    "exporter": "topshelf exporter",
    "worker": "workers.app worker",
    "redis": "redis-server",
}
"""The last one may take beat with it, which lives on its lock."""


@pytest.mark.parametrize("service", COMMANDS)
def test_a_killed_service_comes_back_and_no_work_is_lost(system: System, service: str) -> None:
    model = {"model": "popular_in_category", "kind": "pipeline"}
    job = system.call("POST", "/jobs", model)[0]["id"]
    os.kill(system.pid_of(COMMANDS[service]), signal.SIGKILL)
    if service != "api":
        assert len(reco(system, "als", 1)[0]) == 10
    wait_until(
        lambda: system.said(f"{service} was ended by SIGKILL; it starts again in 0.5 s"), "the death noticed"
    )
    wait_until(lambda: system.said(f"{service} is back after"), "the service back")
    assert len(reco(system, "als", 1)[0]) == 10
    wait_until(lambda: system.run("jobs", job)["state"] == "succeeded", "the job done")


def test_flower_asks_for_a_password(system: System) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"http://127.0.0.1:{system.settings.flower_port}/", timeout=10)


def test_a_wrong_model_ends_with_the_models_exit_code(system: System) -> None:
    refused = system.run("pipeline", "alz", code=4)
    assert "did you mean 'als'" in refused["errors"][0]["error_message"]


def test_a_second_system_in_the_same_folder_is_refused(system: System) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "topshelf", "up"],
        env=system.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 7
    assert "stop it first" in done.stderr
