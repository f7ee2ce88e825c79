"""Files in Redis, in parts of at most 16 MB, fetched once a host into a folder that processes map."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import redis

from store import documents
from store.connection import store_errors
from topshelf.errors import BlobNotFound, StoreError

PART_BYTES = 16_000_000
LOCAL_INDEX = ".index.json"
"""Written into a fetched folder last: what makes it whole."""

PartKey = Callable[[int], str]
"""The key of a part; part 0 is the index."""

FileEntry = dict[str, Any]
"""``name``, ``size``, ``sha256`` and ``parts`` (their numbers) of one file."""


class Blobs:
    """Immutable groups of files in one serving Redis."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    @store_errors()
    def put(self, part_key: PartKey, files: Mapping[str, bytes]) -> None:
        """Store files; the index comes last. What is there whole already is only noted as wanted again."""
        index = list(_indexed(files))
        if not self._holds(part_key, index):
            for entry in index:
                for part, chunk in zip(entry["parts"], _chunks(files[entry["name"]]), strict=True):
                    self._client.set(part_key(part), chunk)
        now, _ = self._client.time()
        self._client.set(part_key(0), documents.dump({"stored_at": now, "files": index}))

    def fetch(self, part_key: PartKey, folder: Path) -> Path:
        """The folder with the files in it; downloaded, verified and renamed into place where it is not whole.

        Raises:
            BlobNotFound: the files are not in the store, or a part of them is missing or damaged.
            StoreError: they cannot be written here.
        """
        try:
            if not _is_whole(folder):
                self._download(part_key, folder)
        except OSError as error:
            raise StoreError(f"{folder} cannot be written: {error}") from error
        return folder

    @store_errors()
    def stored_at(self, part_key: PartKey) -> int | None:
        """Epoch seconds (the server's clock) at which the files were put last; None where there are none."""
        index = self._index(part_key)
        return None if index is None else int(index["stored_at"])

    @store_errors()
    def is_whole(self, part_key: PartKey) -> bool:
        """Whether the index and every part that it names are in the store."""
        index = self._index(part_key)
        return index is not None and self._has_parts(part_key, index["files"])

    @store_errors()
    def drop(self, part_key: PartKey) -> int:
        """Remove files, also those whose index was never written; returns the keys unlinked."""
        index = self._index(part_key)
        last = max((part for entry in index["files"] for part in entry["parts"]), default=0) if index else 0
        unlinked, part = self._client.unlink(part_key(0)), 1
        while (gone := self._client.unlink(part_key(part))) or part < last:
            unlinked += gone
            part += 1
        return unlinked

    def _holds(self, part_key: PartKey, files: list[FileEntry]) -> bool:
        index = self._index(part_key)
        return index is not None and index["files"] == files and self._has_parts(part_key, files)

    def _has_parts(self, part_key: PartKey, files: list[FileEntry]) -> bool:
        return all(self._client.exists(part_key(part)) for entry in files for part in entry["parts"])

    def _index(self, part_key: PartKey) -> dict[str, Any] | None:
        text = cast("bytes | None", self._client.get(part_key(0)))
        return None if text is None else cast("dict[str, Any]", documents.load(text))

    def _download(self, part_key: PartKey, folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".fetching-", dir=folder.parent))
        try:
            files: list[FileEntry] = documents.load(self._part(part_key(0)))["files"]
            for entry in files:
                content = b"".join(self._part(part_key(part)) for part in entry["parts"])
                if hashlib.sha256(content).hexdigest() != entry["sha256"]:
                    raise BlobNotFound(f"{entry['name']} under {part_key(0)} is damaged")
                _write(staging / Path(entry["name"]).name, content)
            _write(staging / LOCAL_INDEX, documents.dump(files))
            _move(staging, folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    @store_errors()
    def _part(self, key: str) -> bytes:
        content = cast("bytes | None", self._client.get(key))
        if content is None:
            raise BlobNotFound(f"{key} is not in the store")
        return content


def _indexed(files: Mapping[str, bytes]) -> Iterator[FileEntry]:
    part = 1
    for name, content in sorted(files.items()):
        parts = list(range(part, part + sum(1 for _ in _chunks(content))))
        part += len(parts)
        digest = hashlib.sha256(content).hexdigest()
        yield {"name": name, "size": len(content), "sha256": digest, "parts": parts}


def _chunks(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), PART_BYTES):
        yield content[start : start + PART_BYTES]


def _is_whole(folder: Path) -> bool:
    try:
        files: list[FileEntry] = documents.load((folder / LOCAL_INDEX).read_bytes())
        return all((folder / entry["name"]).stat().st_size == entry["size"] for entry in files)
    except (FileNotFoundError, StoreError):
        return False


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _move(staging: Path, folder: Path) -> None:
    """Put ``staging`` in the place of ``folder``, unless another process put a whole one there meanwhile."""
    if folder.exists() and not _is_whole(folder):
        broken = Path(tempfile.mkdtemp(prefix=".broken-", dir=folder.parent))
        folder.rename(broken / folder.name)
        shutil.rmtree(broken, ignore_errors=True)
    try:
        os.rename(staging, folder)  # noqa: PTH104 -- fails, as wanted, on a folder that is not empty
    except OSError:
        if not _is_whole(folder):
            raise
