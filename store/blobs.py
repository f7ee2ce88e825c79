"""Files in Redis, in parts of at most 16 MB, fetched once a host into a folder that processes map."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import orjson
import redis

from store.connection import store_errors
from topshelf.errors import BlobNotFound, StoreError

PART_BYTES = 16_000_000

PartKey = Callable[[int], str]
"""The key of a part; part 0 is the index."""


class Blobs:
    """Immutable groups of files in one serving Redis."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    @store_errors()
    def put(self, part_key: PartKey, files: Mapping[str, bytes]) -> None:
        """Store files; what is there already is left as it is. The index is written last."""
        if self._client.exists(part_key(0)):
            return
        index: list[dict[str, Any]] = []
        part = 1
        for name, content in files.items():
            chunks = list(_chunks(content))
            for offset, chunk in enumerate(chunks):
                self._client.set(part_key(part + offset), chunk)
            index.append(
                {
                    "name": name,
                    "size": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "parts": list(range(part, part + len(chunks))),
                }
            )
            part += len(chunks)
        self._client.set(part_key(0), orjson.dumps(index))

    def fetch(self, part_key: PartKey, folder: Path) -> Path:
        """The folder with the files in it; downloaded whole, verified and renamed into place where it is not.

        Raises:
            BlobNotFound: the files are not in the store, or a part of them is missing or damaged.
            StoreError: they cannot be written here.
        """
        if folder.is_dir():
            return folder
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=".fetching-", dir=folder.parent))
            try:
                for name, content in self._read(part_key):
                    (staging / name).write_bytes(content)
                os.rename(staging, folder)  # noqa: PTH104 -- fails, as wanted, where another process was first
            except OSError:
                if not folder.is_dir():
                    raise
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        except OSError as error:
            raise StoreError(f"{folder} cannot be written: {error}") from error
        return folder

    def _read(self, part_key: PartKey) -> Iterator[tuple[str, bytes]]:
        index = self._part(part_key(0))
        for entry in orjson.loads(index):
            content = b"".join(self._part(part_key(part)) for part in entry["parts"])
            if hashlib.sha256(content).hexdigest() != entry["sha256"]:
                raise BlobNotFound(f"{entry['name']} under {part_key(0)} is damaged")
            yield Path(entry["name"]).name, content

    @store_errors()
    def _part(self, key: str) -> bytes:
        content = cast("bytes | None", self._client.get(key))
        if content is None:
            raise BlobNotFound(f"{key} is not in the store")
        return content


def _chunks(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), PART_BYTES):
        yield content[start : start + PART_BYTES]
