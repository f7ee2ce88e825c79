"""Restoring a backup into an empty system, whose shelves are then stocked again."""

import base64
import datetime as dt
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from store.dumping import DumpedKey, holds_keys, remove_keys, restore_keys
from topshelf.backups.archive import KEYS_MEMBER, BackupManifest, check, extract
from topshelf.backups.files import REPLACED, files_of
from topshelf.backups.making import FILES_FOLDER
from topshelf.errors import CorruptBackup, SystemNotEmpty
from workers.admission import RESTOCK
from workers.dispatch import Dispatcher
from workers.runtime import Runtime

FENCE_LEAP = 1_000_000
"""Above every generation published since the backup: readers may still have rows of those in memory."""


class Restored(NamedTuple):
    """What came back, and the jobs that stock its models again."""

    manifest: BackupManifest
    job_ids: tuple[str, ...]


def restore_backup(runtime: Runtime, dispatch: Dispatcher, path: Path, *, replace: bool = False) -> Restored:
    """Bring a system back; with ``replace`` over one that is not empty, whose files are put aside.

    The file is read through and checked before anything changes. Nothing else may be running on the system.

    Raises:
        CorruptBackup, LaterVersion: as ``check``.
        SystemNotEmpty: the data folder or Redis holds something, and ``replace`` is not set.
        UnsuitableServer: Redis is older than the one the backup was made of.
    """
    manifest = check(path)
    if manifest.key_prefix != runtime.settings.key_prefix:
        raise CorruptBackup(
            f"{path} is of a system with the key prefix {manifest.key_prefix!r}, this one has "
            f"{runtime.settings.key_prefix!r}; set TOPSHELF_KEY_PREFIX"
        )
    _check_empty(runtime, replace=replace)
    data_dir = runtime.settings.data_dir
    data_dir.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".restoring-", dir=data_dir))
    try:
        extract(path, manifest, staging)
        _put_aside(data_dir, {top.name for top in (staging / FILES_FOLDER).glob("*")})
        servers = {"durable": runtime.durable, "serving": runtime.serving}
        for server in servers.values():
            remove_keys(server, runtime.keys)
        for role, server in servers.items():
            restore_keys(server, (one for one in _dumped(staging / KEYS_MEMBER) if one.role == role))
        for top in (staging / FILES_FOLDER).glob("*"):
            top.rename(data_dir / top.name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Restored(manifest, tuple(_restock(runtime, dispatch, manifest)))


def _check_empty(runtime: Runtime, *, replace: bool) -> None:
    data_dir = runtime.settings.data_dir
    held = [str(data_dir)] if next(files_of(data_dir), None) else []
    for name, server in (("durable", runtime.durable), ("serving", runtime.serving)):
        if holds_keys(server, runtime.keys):
            held.append(f"the {name} Redis (prefix {runtime.settings.key_prefix})")
    if held and not replace:
        raise SystemNotEmpty(
            f"not restored over what is there: {', '.join(held)}; name an empty folder and Redis, "
            "or take --replace, with everything stopped"
        )


def _put_aside(data_dir: Path, coming: set[str]) -> None:
    """Make room for the folders that come; what they held, and all else of the kind, is kept beside them."""
    held = {file.parts[0] for file in files_of(data_dir)} | {
        name for name in coming if (data_dir / name).exists()
    }
    aside = data_dir / f"{REPLACED}{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}"
    for name in sorted(held):
        aside.mkdir(exist_ok=True)
        (data_dir / name).rename(aside / name)


def _dumped(path: Path) -> Iterator[DumpedKey]:
    with path.open() as lines:
        for line in lines:
            one = json.loads(line)
            key, content = (base64.b64decode(one[name]) for name in ("key", "dump"))
            yield DumpedKey(one["role"], key, one["ttl_ms"], content)


def _restock(runtime: Runtime, dispatch: Dispatcher, manifest: BackupManifest) -> Iterator[str]:
    """Start a job for each model that was live; it holds the model's lock, so that no other comes first."""
    for model in runtime.generations.models():
        fence = runtime.generations.next_fence(model)
        runtime.generations.next_fence(model, above=fence + FENCE_LEAP)
    for live in manifest.live:
        params: dict[str, Any] = {"artifact": live.artifact, RESTOCK: True}
        job, _ = runtime.jobs.create(
            "precompute", live.model, params=params | ({"rules": live.rules} if live.rules else {})
        )
        runtime.lock.acquire(live.model, job.id, runtime.settings.task_limit_seconds)
        dispatch.start(job.id)
        yield job.id
