"""Checkpoints: whole or not at all, of this training or none."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.deep.checkpoints import (
    STATE_FILE,
    Checkpoints,
    Position,
    Snapshot,
    fingerprint,
    optimizer_tensors,
    restore_optimizer,
)


def snapshot(epochs: int = 2, batches: int = 3, best_epoch: int = 1) -> Snapshot:
    position = Position(
        epochs=epochs, batches=batches, loss_sum=1 / 3, best_epoch=best_epoch, best_score=0.25
    )
    return Snapshot(
        position,
        {"weight": torch.arange(4.0)},
        {"0/step": torch.tensor(7.0), "0/exp_avg": torch.ones(4)},
        {"weight": torch.zeros(4)},
    )


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    Checkpoints(tmp_path / "deeper" / "down", "mine").save(snapshot())
    loaded = Checkpoints(tmp_path / "deeper" / "down", "mine").load()
    assert loaded is not None
    assert loaded.position == snapshot().position
    for ours, theirs in (
        (loaded.network, snapshot().network),
        (loaded.optimizer, snapshot().optimizer),
        (loaded.best, snapshot().best),
    ):
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "absent", "mine").load() is None


def test_only_the_files_of_the_last_checkpoint_stay(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "mine")
    for epochs, best in ((1, 1), (2, 1), (3, 3)):
        checkpoints.save(snapshot(epochs, 0, best))
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {STATE_FILE, "epoch-3-batch-0.safetensors", "best-3.safetensors"}


def test_a_checkpoint_of_another_training_is_left_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Checkpoints(tmp_path, "mine").save(snapshot())
    assert Checkpoints(tmp_path, "theirs").load() is None
    assert "is of another training" in caplog.text


@pytest.mark.parametrize("file", [STATE_FILE, "epoch-2-batch-3.safetensors", "best-1.safetensors"])
@pytest.mark.parametrize("harm", ["cut", "flip", "remove"])
def test_a_damaged_checkpoint_is_left_aside(
    file: str, harm: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Checkpoints(tmp_path, "mine").save(snapshot())
    path = tmp_path / file
    content = bytearray(path.read_bytes())
    if harm == "remove":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 0x80
        path.write_bytes(content)
    assert Checkpoints(tmp_path, "mine").load() is None
    assert caplog.text == "" if (file, harm) == (STATE_FILE, "remove") else "starting anew" in caplog.text


def test_an_optimizer_goes_on_where_it_was() -> None:
    weights = [torch.nn.Parameter(torch.ones(3)) for _ in range(2)]
    first, second = (torch.optim.Adam([weight], lr=0.1) for weight in weights)
    for weight, optimizer in zip(weights, (first, second), strict=True):
        weight.grad = torch.ones(3)
        optimizer.step()
    restored = torch.optim.Adam([weights[1]], lr=0.1)
    restore_optimizer(restored, optimizer_tensors(second))
    first.step()
    restored.step()
    assert torch.equal(weights[0], weights[1])


def test_a_fingerprint_depends_on_configuration_seed_and_data() -> None:
    data = np.arange(5)
    same = fingerprint("ae", {"lr": 0.1}, 0, data)
    assert same == fingerprint("ae", {"lr": 0.1}, 0, np.arange(5))
    others = [
        fingerprint("vae", {"lr": 0.1}, 0, data),
        fingerprint("ae", {"lr": 0.2}, 0, data),
        fingerprint("ae", {"lr": 0.1}, 1, data),
        fingerprint("ae", {"lr": 0.1}, 0, data[::-1]),
        fingerprint("ae", {"lr": 0.1}, 0, data.astype(np.int32)),
    ]
    assert len({same, *others}) == 6
