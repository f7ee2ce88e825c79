"""The two autoencoders."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.deep.autoencoder import AutoencoderRecommender
from models.fit_run import Epoch
from models.ranking import Ranking
from models.registry import create_model, model_class
from topshelf.errors import InvalidConfig, TrainingFailed

ROOT = Path(__file__).parents[3]

both = pytest.mark.parametrize("name", ["denoising_ae", "variational_ae"])


def clusters(n_users: int = 80) -> TrainingSet:
    """Users of even number take the first 15 items, the others the last 15, each all but three."""
    numbers = np.random.default_rng(0)
    touched = np.zeros((n_users, 30), np.float32)
    for user in range(n_users):
        touched[user, 15 * (user % 2) + numbers.permutation(15)[:12]] = 1
    return TrainingSet.of(csr_matrix(touched))


def lists(model: AutoencoderRecommender, data: TrainingSet, k: int = 3) -> Ranking:
    return model.recommend(np.arange(data.n_users), data.matrix, k)


def fitted(name: str, data: TrainingSet, **params: object) -> AutoencoderRecommender:
    model = create_model(name, params).fit(data)
    assert isinstance(model, AutoencoderRecommender)
    return model


@both
@pytest.mark.parametrize("dims", [(16,), (16, 8), (16, 12, 8)])
def test_the_items_left_out_come_first(name: str, dims: tuple[int, ...]) -> None:
    data = clusters()
    ranking = lists(fitted(name, data, enc_dims=dims, lr=0.01, batch_size=20, epochs=30), data)
    assert ((ranking.items >= 15) == (np.arange(80) % 2 == 1)[:, np.newaxis]).all()


@both
def test_mixed_precision_finds_them_too(name: str) -> None:
    data = clusters()
    ranking = lists(
        fitted(name, data, enc_dims=(16,), lr=0.01, batch_size=20, epochs=30, mixed_precision=True), data
    )
    assert ((ranking.items >= 15) == (np.arange(80) % 2 == 1)[:, np.newaxis]).mean() > 0.99


@both
def test_a_leading_catalogue_size_changes_nothing(name: str) -> None:
    data = clusters()
    short, long = (fitted(name, data, enc_dims=dims, epochs=2) for dims in ((8, 4), (30, 8, 4)))
    assert long.arrays()["input_weight"].shape[0] == 30
    np.testing.assert_array_equal(lists(short, data).items, lists(long, data).items)
    np.testing.assert_array_equal(short.arrays()["output_weight"], long.arrays()["output_weight"])


@both
def test_new_events_count_without_training(name: str) -> None:
    data = clusters()
    model = fitted(name, data, enc_dims=(16,), lr=0.01, batch_size=20, epochs=30)
    other_side = data.matrix[[1]]
    assert (model.recommend(np.array([0]), other_side, 3).items >= 15).all()


@both
def test_each_epoch_is_measured_and_the_refit_takes_the_best_number(name: str) -> None:
    epochs: list[Epoch] = []
    model = create_model(name, {"enc_dims": (8,), "epochs": 12, "patience": 3})
    model.fit(clusters(), on_epoch=epochs.append)
    scores = [epoch.metrics["NDCG@10"] for epoch in epochs]
    assert {"MAP@10", "MRR@10", "Precision@10", "Recall@10"} <= epochs[0].metrics.keys()
    refit = model.refit_config().model_dump()
    assert (refit["epochs"], refit["valid_share"]) == (1 + int(np.argmax(scores)), 0)
    again: list[Epoch] = []
    create_model(name, refit).fit(clusters(), on_epoch=again.append)
    assert [epoch.metrics for epoch in again] == [{}] * refit["epochs"]


@both
def test_a_loaded_model_is_refitted_with_the_same_number_of_epochs(name: str) -> None:
    model = fitted(name, clusters(), enc_dims=(8,), epochs=5)
    loaded = model_class(name).from_arrays(model.arrays(), model.config, n_users=80, n_items=30)
    assert loaded.refit_config() == model.refit_config()


@both
def test_a_diverging_training_names_epoch_and_batch(name: str) -> None:
    with pytest.raises(TrainingFailed, match=rf"{name} diverged: .* epoch \d+, batch \d+ of \d+; lower lr"):
        fitted(name, clusters(), lr=1e38, epochs=50)


@both
def test_a_gpu_that_is_not_there_is_an_error_that_says_what_to_do(name: str) -> None:
    with pytest.raises(InvalidConfig, match=r"'cuda:99' was asked for, .* sees \d GPUs; train on 'cpu'"):
        create_model(name, device="cuda:99").fit(clusters())


TRAIN = """
import json, os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_autoencoder import clusters
from models.deep import loop
from models.registry import create_model

loop.REPORT_SECONDS = loop.CHECKPOINT_SECONDS = 0.0
folder, fatal = Path({folder!r}), {fatal!r}

def progress(share, message):
    if fatal and fatal in message:
        os.kill(os.getpid(), signal.SIGKILL)

epochs = []
data = clusters()
model = create_model({name!r}, dict(enc_dims=(8, 4), batch_size=20, epochs=4), seed=3)
model.fit(data, progress=progress, on_epoch=lambda epoch: epochs.append(epoch.number), checkpoints=folder)
sums = {{key: array.tobytes().hex() for key, array in model.arrays().items()}}
print(json.dumps([epochs, sums]))
"""


def train(name: str, folder: Path, fatal: str = "") -> subprocess.CompletedProcess[str]:
    code = TRAIN.format(tests=str(Path(__file__).parent), folder=str(folder), fatal=fatal, name=name)
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["variational_ae"])
def test_a_process_killed_within_an_epoch_is_gone_on_with(name: str, tmp_path: Path) -> None:
    killed = train(name, tmp_path / "cut", fatal="epoch 3 of 4, batch 3 of 4")
    assert killed.returncode == -signal.SIGKILL
    resumed, undisturbed = train(name, tmp_path / "cut"), train(name, tmp_path / "whole")
    assert resumed.returncode == undisturbed.returncode == 0, resumed.stderr + undisturbed.stderr
    epochs, arrays = json.loads(resumed.stdout)
    all_epochs, expected = json.loads(undisturbed.stdout)
    assert (epochs, all_epochs) == ([3, 4], [1, 2, 3, 4])
    assert arrays == expected


def test_both_train_where_implicit_and_lightfm_are_not_installed() -> None:
    code = f"""
import sys
for missing in ("implicit", "lightfm", "nmslib"):
    sys.modules[missing] = None
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_autoencoder import clusters
from models.registry import create_model
for name in ("denoising_ae", "variational_ae"):
    create_model(name, dict(enc_dims=(8,), epochs=2)).fit(clusters())
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
