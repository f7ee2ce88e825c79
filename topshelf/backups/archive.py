"""The file of a backup: a tar whose last member says what the others must be."""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from topshelf.errors import CorruptBackup, LaterVersion

FORMAT = 1
"""Raised by a change that an older version could not restore."""
MANIFEST = "manifest.json"
KEYS_MEMBER = "redis.jsonl"
"""Redis's keys, the first member."""
COPIED_BYTES = 1 << 20


class LiveModel(BaseModel):
    """What it takes to stock a model again: the artifact and rules its live lists were made with."""

    model_config = ConfigDict(frozen=True)

    model: str
    artifact: str
    rules: dict[str, Any]


class BackupManifest(BaseModel):
    """What a backup holds; ``files`` has the SHA-256 of each member by its name."""

    model_config = ConfigDict(frozen=True)

    format: int
    created: str
    code_version: str
    key_prefix: str
    n_keys: int
    live: tuple[LiveModel, ...]
    files: dict[str, str]


class ArchiveWriter:
    """Adds members to a backup, and remembers what they were."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.files: dict[str, str] = {}

    def add(self, name: str, path: Path) -> None:
        """Add a file as it is now; of one that grows meanwhile, what was there at the beginning.

        Raises:
            OSError: it went away.
        """
        with path.open("rb") as file:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = os.fstat(file.fileno()).st_size, int(path.stat().st_mtime)
            hashing = _Hashing(file, info.size)
            self._tar.addfile(info, hashing)  # type: ignore[arg-type]
        self.files[name] = hashing.digest.hexdigest()

    def leave_out(self, folder: str) -> None:
        """Have what was added below a folder count as not there."""
        for name in [name for name in self.files if name.startswith(f"{folder}/")]:
            del self.files[name]

    def close(self, manifest: BackupManifest) -> None:
        """Write the manifest, which makes the backup whole."""
        content = manifest.model_dump_json(indent=2).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(content)
        self._tar.addfile(info, io.BytesIO(content))


@contextmanager
def writing(path: Path) -> Iterator[ArchiveWriter]:
    """A backup that appears under its name, for its owner alone to read, once it is whole and on disk."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.touch(mode=0o600)
        with partial.open("wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                yield ArchiveWriter(tar)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


def is_backup(path: Path) -> bool:
    """Whether a file is a backup, whole or not, by its beginning."""
    try:
        with tarfile.open(path, mode="r:") as tar:
            first = tar.next()
    except (tarfile.TarError, EOFError, FileNotFoundError):
        return False
    return first is not None and first.name == KEYS_MEMBER


def check(path: Path) -> BackupManifest:
    """Read a backup from end to end.

    Raises:
        CorruptBackup: it is none, is cut short, or a member is not what the manifest says.
        LaterVersion: a later version made it, in a way this one does not know.
    """
    found: dict[str, str] = {}
    with _reading(path) as tar:
        for member in tar:
            found[member.name] = _digest(_content(tar, member))
        if MANIFEST not in found:
            raise CorruptBackup(
                f"{path} is cut short, or no backup: it has no {MANIFEST}; nothing was restored"
            )
        manifest = _manifest(path, _content(tar, tar.getmember(MANIFEST)).read())
    for name, digest in manifest.files.items():
        if found.get(name) != digest:
            raise CorruptBackup(f"{path}: {name} is missing or was altered; nothing was restored")
    return manifest


def extract(path: Path, manifest: BackupManifest, folder: Path) -> None:
    """Write every member that the manifest names below a folder; ``check`` comes first."""
    with _reading(path) as tar:
        for member in tar:
            if member.name not in manifest.files:
                continue
            target = folder / member.name
            target.parent.mkdir(parents=True, exist_ok=True)
            content = _content(tar, member)
            with target.open("wb") as file:
                while part := content.read(COPIED_BYTES):
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            os.utime(target, (member.mtime, member.mtime))


@contextmanager
def _reading(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, mode="r:") as tar:
            yield tar
    except (tarfile.TarError, EOFError) as error:
        raise CorruptBackup(f"{path} is no whole backup: {error}; nothing was restored") from error


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    """A member's content; only plain files below the folder they are written to are taken."""
    name = PurePosixPath(member.name)
    content = tar.extractfile(member) if member.isreg() else None
    if content is None or name.is_absolute() or ".." in name.parts:
        raise CorruptBackup(f"{member.name} is nothing that a backup holds; nothing was restored")
    return content


def _manifest(path: Path, text: bytes) -> BackupManifest:
    try:
        manifest = BackupManifest.model_validate_json(text)
    except ValidationError as error:
        raise CorruptBackup(f"the {MANIFEST} of {path} cannot be read; nothing was restored") from error
    if manifest.format > FORMAT:
        raise LaterVersion(
            f"{path} has format {manifest.format}, this version restores up to {FORMAT}: upgrade first"
        )
    return manifest


def _digest(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while part := content.read(COPIED_BYTES):
        digest.update(part)
    return digest.hexdigest()


class _Hashing:
    """Reads so many bytes of a file, and their SHA-256 on the way."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        part = self._file.read(min(size, self._left))
        self._left -= len(part)
        self.digest.update(part)
        return part
