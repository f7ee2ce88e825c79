"""What a training keeps on disk so that it can go on after its process died: safetensors and JSON."""

import hashlib
import json
import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

STATE_FILE = "state.json"

_log = logging.getLogger(__name__)

Tensors = dict[str, torch.Tensor]


class Position(BaseModel):
    """How far a training is: ``epochs`` are over, and ``batches`` of the one under way.

    loss_sum, seconds: of that one; best_epoch: 0 before the first is over; best_score: of the best epoch,
    None where nothing was measured.
    """

    model_config = ConfigDict(extra="forbid")

    epochs: int = 0
    batches: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    best_epoch: int = 0
    best_score: float | None = None
    best_metrics: dict[str, float] = {}


@dataclass
class Snapshot:
    """A position with the tensors that belong to it; ``best`` is empty before the first epoch is over."""

    position: Position
    network: Tensors
    optimizer: Tensors
    best: Tensors = field(default_factory=dict)


class _State(BaseModel):
    model_config = ConfigDict(extra="forbid")

    fingerprint: str
    position: Position
    checksums: dict[str, int]


class Checkpoints:
    """The checkpoint of one training in a folder of its own.

    ``state.json`` names the tensor files and is replaced last, so that a process killed at any moment
    leaves either the old checkpoint or the new one.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._best: tuple[str, int] | None = None

    def save(self, snapshot: Snapshot) -> None:
        """Replace the checkpoint."""
        self._folder.mkdir(parents=True, exist_ok=True)
        position = snapshot.position
        name = f"epoch-{position.epochs}-batch-{position.batches}.safetensors"
        tensors = {f"network/{key}": value for key, value in snapshot.network.items()}
        tensors |= {f"optimizer/{key}": value for key, value in snapshot.optimizer.items()}
        checksums = {name: self._write(name, tensors)}
        best_name = f"best-{position.best_epoch}.safetensors"
        if snapshot.best:
            # The best weights are written once, not with every checkpoint that follows them.
            if self._best is None or self._best[0] != best_name:
                self._best = (best_name, self._write(best_name, snapshot.best))
            checksums[best_name] = self._best[1]
        state = _State(fingerprint=self._fingerprint, position=position, checksums=checksums)
        self._replace(STATE_FILE, state.model_dump_json(indent=2).encode())
        for path in self._folder.glob("*.safetensors"):
            if path.name not in checksums:
                path.unlink()

    def load(self) -> Snapshot | None:
        """The checkpoint, or None where there is none, it belongs to another training, or it is damaged."""
        path = self._folder / STATE_FILE
        if not path.is_file():
            return None
        try:
            state = _State.model_validate_json(path.read_bytes())
            if state.fingerprint != self._fingerprint:
                _log.warning("the checkpoint in %s is of another training; starting anew", self._folder)
                return None
            return self._read(state)
        except (OSError, SafetensorError, ValidationError, KeyError, ValueError) as exc:
            _log.warning("the checkpoint in %s is damaged, starting anew: %s", self._folder, exc)
            return None

    def _read(self, state: _State) -> Snapshot:
        position = state.position
        tensors: Tensors = {}
        best: Tensors = {}
        for name, checksum in state.checksums.items():
            content = (self._folder / name).read_bytes()
            if zlib.crc32(content) != checksum:
                raise ValueError(f"{name} does not match its checksum")
            if name.startswith("best-"):
                best = load_tensors(content)
                self._best = (name, checksum)
            else:
                tensors = load_tensors(content)
        if position.best_score is not None and not best:
            raise ValueError("the best weights are missing")
        return Snapshot(position, _below(tensors, "network/"), _below(tensors, "optimizer/"), best)

    def _write(self, name: str, tensors: Tensors) -> int:
        content = save_tensors({key: value.detach().cpu().contiguous() for key, value in tensors.items()})
        self._replace(name, content)
        return zlib.crc32(content)

    def _replace(self, name: str, content: bytes) -> None:
        writing = self._folder / f"{name}.writing"
        writing.write_bytes(content)
        writing.replace(self._folder / name)


def fingerprint(name: str, config: Mapping[str, Any], seed: int, *arrays: NDArray[np.generic]) -> str:
    """Stands for a training: the model's name, its configuration (JSON values), the seed and the data."""
    digest = hashlib.sha256(json.dumps([name, dict(config), seed], sort_keys=True).encode())
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Tensors:
    """The state of an optimizer, "parameter's number/name" each; plain numbers become tensors."""
    state = optimizer.state_dict()["state"]
    return {
        f"{number}/{name}": value if isinstance(value, torch.Tensor) else torch.tensor(value)
        for number, values in state.items()
        for name, value in values.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Give an optimizer the state that ``optimizer_tensors`` took."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition("/")
        state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _below(tensors: Tensors, prefix: str) -> Tensors:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
