"""Making a backup of a system that goes on working."""

import base64
import datetime as dt
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from store.dumping import DumpedKey, dump_keys
from topshelf.backups.archive import FORMAT, KEYS_MEMBER, ArchiveWriter, BackupManifest, LiveModel, writing
from topshelf.backups.files import copy_database, files_of, whole_folder
from topshelf.errors import DataError
from workers.code_version import code_version
from workers.runtime import Runtime

FILES_FOLDER = "files"

Progress = Callable[[float, str], None]


def make_backup(runtime: Runtime, path: Path, progress: Progress) -> BackupManifest:
    """Write a backup of a system, running or not, to a file.

    Redis comes first, then the events, then the rest: what moves meanwhile, from the stream into a segment
    and from a segment into a dataset version, is in it at least once, and an event counts once by its id.

    Raises:
        DataError: there is a file of this name already.
        StoreError: Redis does not answer.
    """
    if path.exists():
        raise DataError(f"{path} is there already; give the backup another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path) as archive, tempfile.TemporaryDirectory(dir=path.parent, prefix=".backup-") as folder:
        progress(0.0, "Redis")
        n_keys = _add_keys(archive, runtime, Path(folder) / KEYS_MEMBER)
        live = tuple(_live_models(runtime))
        _add_files(archive, runtime.settings.data_dir, Path(folder), progress, leave_out=path)
        manifest = BackupManifest(
            format=FORMAT,
            created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            code_version=code_version(),
            key_prefix=runtime.settings.key_prefix,
            n_keys=n_keys,
            live=live,
            files=archive.files,
        )
        archive.close(manifest)
    return manifest


def encode(one: DumpedKey) -> str:
    """A key as a line of the backup."""
    key, content = (base64.b64encode(part).decode() for part in (one.key, one.content))
    return json.dumps({"role": one.role, "key": key, "ttl_ms": one.ttl_ms, "dump": content}) + "\n"


def _add_keys(archive: ArchiveWriter, runtime: Runtime, staging: Path) -> int:
    n_keys = 0
    with staging.open("w") as file:
        for one in _keys_of(runtime):
            file.write(encode(one))
            n_keys += 1
    archive.add(KEYS_MEMBER, staging)
    return n_keys


def _keys_of(runtime: Runtime) -> Iterator[DumpedKey]:
    """Where the roles have a server each, that tells them apart; on one server the names do."""
    if runtime.settings.durable_url == runtime.settings.serving_url:
        yield from dump_keys(runtime.durable, runtime.keys)
        return
    for one in dump_keys(runtime.durable, runtime.keys):
        yield one._replace(role="durable")
    for one in dump_keys(runtime.serving, runtime.keys):
        yield one._replace(role="serving")


def _live_models(runtime: Runtime) -> Iterator[LiveModel]:
    for model in runtime.generations.models():
        live = runtime.generations.live(model)
        if live is not None:
            yield LiveModel(model=model, artifact=live.artifact, rules=live.parsed_rules)


def _add_files(
    archive: ArchiveWriter, data_dir: Path, staging: Path, progress: Progress, *, leave_out: Path
) -> None:
    gone: set[str] = set()
    for file in files_of(data_dir):
        source, folder = data_dir / file, whole_folder(file)
        if source.resolve() == leave_out.resolve() or folder in gone:
            continue
        progress(0.5, str(file))
        try:
            archive.add(f"{FILES_FOLDER}/{file}", _still(source, staging))
        except FileNotFoundError:
            if folder is not None:
                gone.add(folder)
                archive.leave_out(f"{FILES_FOLDER}/{folder}")


def _still(source: Path, staging: Path) -> Path:
    """A file that does not change while it is read: of a database a copy."""
    if source.suffix != ".db":
        return source
    copy = staging / source.name
    copy_database(source, copy)
    return copy
