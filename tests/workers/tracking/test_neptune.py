"""Runs in Neptune's own offline form, and from there to a server."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.workers.tracking.conftest import EPOCHS, FINAL, INFO, write_run
from topshelf.errors import TrackerUnavailable
from workers.tracking import Runs
from workers.tracking.neptune import NeptuneTracker, token_for

pytest.importorskip("neptune", reason="the track extra is not installed")
pytestmark = pytest.mark.filterwarnings("default")

TOKEN = base64.b64encode(
    json.dumps({"api_address": "https://neptune.test", "api_key": "k"}).encode()
).decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "neptune"


@pytest.fixture
def tracker(folder: Path) -> NeptuneTracker:
    return NeptuneTracker(folder, "team/shelf", SecretStr(TOKEN), "http://127.0.0.1:1")


def operations(folder: Path) -> list[dict[str, Any]]:
    """What the client keeps of a run, out of its own log."""
    [path] = folder.glob("*/.neptune/offline/*/data-1.log")
    decoder, text, found = json.JSONDecoder(), path.read_text().strip(), []
    while text:
        entry, end = decoder.raw_decode(text)
        found.append(entry["obj"])
        text = text[end:].lstrip()
    return found


def test_a_run_stands_in_the_offline_folder_with_all_its_fields(
    tracker: NeptuneTracker, runs: Runs, folder: Path
) -> None:
    write_run(runs, "job-1")
    before = Path.cwd()
    tracker.send(runs.get("job-1"), 0)
    assert Path.cwd() == before
    kept = {"/".join(entry["path"]): entry for entry in operations(folder)}
    run = runs.get("job-1")
    assert kept.keys() >= run.fields.keys() | run.series.keys()
    assert kept["training/hyperparams/lr"]["value"] == 0.001
    assert kept["training/hyperparams/enc_dims"]["value"] == "[600, 200]"
    values = kept["training/Metrics/MAP@10"]["values"]
    assert [value["step"] for value in values] == [1, 2, 3, EPOCHS + 1]
    assert values[-1]["value"] == FINAL["MAP@10"]


def test_a_run_told_twice_is_kept_once(tracker: NeptuneTracker, runs: Runs, folder: Path) -> None:
    write_run(runs, "job-1", epochs=1)
    for _ in range(2):
        tracker.send(runs.get("job-1"), 0)
    assert operations(folder)


def test_the_reason_of_a_failure_is_kept(tracker: NeptuneTracker, runs: Runs, folder: Path) -> None:
    log = runs.log("job-1")
    log.begin(INFO)
    log.end("failed", "TrainingFailed: the loss is NaN in epoch 3, batch 17")
    tracker.send(runs.get("job-1"), 0)
    kept = {"/".join(entry["path"]): entry.get("value") for entry in operations(folder)}
    assert kept["training/failed"] is True
    assert kept["training/failure"] == "TrainingFailed: the loss is NaN in epoch 3, batch 17"


def test_what_a_dead_server_did_not_take_is_kept_and_goes_to_a_living_one(
    tracker: NeptuneTracker, runs: Runs, folder: Path
) -> None:
    """The living one is the client's own in-memory backend: what is kept is played into it and read back."""
    mock = pytest.importorskip("neptune.internal.backends.neptune_backend_mock")
    types = pytest.importorskip("neptune.internal.container_type")
    write_run(runs, "job-1")
    tracker.send(runs.get("job-1"), 0)
    with pytest.raises(TrackerUnavailable):
        tracker.deliver()
    assert tracker.has_undelivered()

    taken: dict[str, Any] = {}

    class Server(mock.NeptuneBackendMock):  # type: ignore[misc,name-defined]  # found at run time
        def execute_operations(self, container_id: Any, *more: Any, **named: Any) -> Any:
            done = super().execute_operations(container_id, *more, **named)
            for name in ("training/hyperparams/optimizer", "training/dataset"):
                text = self.get_string_attribute(container_id, types.ContainerType.RUN, name.split("/"))
                taken[name] = text.value
            return done

    tracker.deliver_to(Server())
    assert taken == {"training/hyperparams/optimizer": "Adam", "training/dataset": INFO.dataset}
    assert not tracker.has_undelivered()
    assert list(folder.iterdir()) == []


def test_without_a_token_nothing_is_delivered(runs: Runs, folder: Path) -> None:
    tracker = NeptuneTracker(folder, "team/shelf", SecretStr(""))
    write_run(runs, "job-1", epochs=1)
    tracker.send(runs.get("job-1"), 0)
    assert not tracker.has_undelivered()
    assert tracker.secret_environment() == {}


def test_a_self_hosted_server_takes_the_place_of_the_one_in_the_token() -> None:
    content = json.loads(base64.b64decode(token_for("https://own.test", TOKEN)))
    assert content == {"api_address": "https://own.test", "api_url": "https://own.test", "api_key": "k"}
    assert token_for("", TOKEN) == TOKEN
    assert token_for("https://own.test", "no base64!") == "no base64!"
