"""Trained models on disk: one folder each, safetensors beside a manifest, nothing that can run code."""

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as save_tensors

from models.base import Arrays, Recommender
from models.registry import model_class, model_config
from topshelf.errors import ArtifactNotFound, CorruptArtifact, InvalidConfig

ARRAYS_FILE = "model.safetensors"
MANIFEST_FILE = "manifest.json"
REMOVED_PREFIX = ".removed-"

_ID = re.compile(r"[a-z0-9_]+-\d{8}T\d{6}Z-[0-9a-f]{8}")
_log = logging.getLogger(__name__)


class ArtifactManifest(BaseModel):
    """What an artifact is and where it comes from; sizes in bytes, times in seconds and ISO UTC.

    Fields that a later version added are left out; the digest in the id covers them all the same.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")

    id: str
    model: str
    config: dict[str, Any]
    dataset: str
    metrics: dict[str, float]
    split: str
    seed: int
    code_version: str
    created: str
    n_users: int
    n_items: int
    size_bytes: int
    train_seconds: float
    checksums: dict[str, str]
    extra: dict[str, Any]


class Artifacts:
    """All artifacts below one folder; each is written whole or not at all and never changed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def save(
        self,
        model: Recommender,
        *,
        dataset_version: str,
        metrics: Mapping[str, float],
        split: str,
        code_version: str,
        train_seconds: float = 0.0,
        extra: Mapping[str, Any] | None = None,
    ) -> ArtifactManifest:
        """Store a fitted model.

        Raises:
            NotFitted: before ``fit``.
        """
        content = save_tensors(model.arrays())
        now = datetime.now(UTC)
        fields: dict[str, Any] = {
            "model": model.name,
            "config": model.config.model_dump(mode="json"),
            "dataset": dataset_version,
            "metrics": dict(metrics),
            "split": split,
            "seed": model.seed,
            "code_version": code_version,
            "created": now.isoformat(timespec="microseconds"),
            "n_users": model.n_users,
            "n_items": model.n_items,
            "size_bytes": len(content),
            "train_seconds": train_seconds,
            "checksums": {ARRAYS_FILE: hashlib.sha256(content).hexdigest()},
            "extra": {**model.facts(), **(extra or {})},
        }
        manifest = ArtifactManifest(id=f"{model.name}-{now:%Y%m%dT%H%M%SZ}-{_digest(fields)}", **fields)
        text = manifest.model_dump_json(indent=2).encode()
        self._write(manifest.id, {ARRAYS_FILE: content, MANIFEST_FILE: text})
        return manifest

    def load(
        self, artifact_id: str, *, device: str = "cpu", threads: int = 1
    ) -> tuple[Recommender, ArtifactManifest]:
        """A fitted model and its manifest.

        Raises:
            ArtifactNotFound: there is no such artifact.
            CorruptArtifact: a file is missing, altered or does not fit the manifest.
            UnknownModel: this version of the code has no such model.
        """
        manifest = self.manifest(artifact_id)
        try:
            arrays = self._read_checked(manifest, ARRAYS_FILE)
            config = model_config(manifest.model, manifest.config)
        except (SafetensorError, InvalidConfig) as exc:
            raise CorruptArtifact(f"artifact {artifact_id} cannot be read: {exc}") from exc
        model = model_class(manifest.model).from_arrays(
            arrays,
            config,
            n_users=manifest.n_users,
            n_items=manifest.n_items,
            device=device,
            seed=manifest.seed,
            threads=threads,
        )
        return model, manifest

    def manifest(self, artifact_id: str) -> ArtifactManifest:
        """What is known of an artifact, without reading its arrays.

        Raises:
            ArtifactNotFound, CorruptArtifact: as ``load``.
        """
        folder = self.root / artifact_id
        if not _ID.fullmatch(artifact_id) or not folder.is_dir():
            raise ArtifactNotFound(f"there is no artifact {artifact_id!r} in {self.root}")
        try:
            text = (folder / MANIFEST_FILE).read_bytes()
            manifest = ArtifactManifest.model_validate_json(text)
        except (OSError, ValidationError) as exc:
            raise CorruptArtifact(f"the manifest of artifact {artifact_id} cannot be read: {exc}") from exc
        written = json.loads(text)
        if written.pop("id") != artifact_id or not artifact_id.endswith(_digest(written)):
            raise CorruptArtifact(f"the manifest of artifact {artifact_id} is not the one it was saved with")
        return manifest

    def list(self, model: str | None = None) -> list[ArtifactManifest]:
        """The manifests of all artifacts, or of one model's, newest first; unreadable ones are logged."""
        manifests = []
        for folder in self.root.iterdir() if self.root.is_dir() else ():
            if not _ID.fullmatch(folder.name):
                continue
            try:
                manifests.append(self.manifest(folder.name))
            except CorruptArtifact as exc:
                _log.warning("%s", exc)
        wanted = [manifest for manifest in manifests if model in (None, manifest.model)]
        return sorted(wanted, key=lambda manifest: (manifest.created, manifest.id), reverse=True)

    def remove(self, artifact_id: str) -> None:
        """Take an artifact off the disk; out of sight first, so that nobody finds half of one."""
        for hidden in self.root.glob(f"{REMOVED_PREFIX}*"):
            shutil.rmtree(hidden, ignore_errors=True)
        hidden = self.root / f"{REMOVED_PREFIX}{artifact_id}"
        with contextlib.suppress(FileNotFoundError):
            (self.root / artifact_id).rename(hidden)
            shutil.rmtree(hidden, ignore_errors=True)

    def _read_checked(self, manifest: ArtifactManifest, name: str) -> Arrays:
        """The arrays of a file, never held beside the file itself."""
        path = self.root / manifest.id / name
        try:
            with path.open("rb") as file:
                checksum = hashlib.file_digest(file, "sha256").hexdigest()
            if checksum != manifest.checksums.get(name):
                raise CorruptArtifact(f"{name} of artifact {manifest.id} does not match its checksum")
            with safe_open(path, framework="numpy") as tensors:
                return {key: tensors.get_tensor(key) for key in tensors.keys()}  # noqa: SIM118 -- no mapping
        except OSError as exc:
            raise CorruptArtifact(f"{name} of artifact {manifest.id} cannot be read: {exc}") from exc

    def _write(self, artifact_id: str, files: Mapping[str, bytes]) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".writing-", dir=self.root))
        try:
            for name, content in files.items():
                with (staging / name).open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            staging.chmod(0o755)
            staging.rename(self.root / artifact_id)
        except OSError:
            shutil.rmtree(staging, ignore_errors=True)
            raise


def _digest(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:8]
