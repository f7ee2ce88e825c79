"""What a restore refuses, and what it leaves as it was."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import redis
from pydantic import SecretStr

from interactions.columns import ITEM, USER
from store.connection import connect
from store.keys import Keys
from topshelf.backups.making import make_backup
from topshelf.backups.restoring import restore_backup
from topshelf.errors import CorruptBackup, DataError, SystemNotEmpty
from topshelf.settings import Settings
from workers.celery_app import create_app
from workers.dispatch import Dispatcher
from workers.runtime import Runtime


def silent(share: float, what: str) -> None:
    """Nobody watches."""


@pytest.fixture
def runtime(redis_url: str, keys: Keys, tmp_path: Path) -> Runtime:
    settings = Settings(
        data_dir=tmp_path / "data",
        serving_url=SecretStr(redis_url),
        durable_url=SecretStr(redis_url),
        key_prefix=keys.prefix,
    )
    return Runtime(settings)


@pytest.fixture
def dispatcher(runtime: Runtime) -> Iterator[Dispatcher]:
    app = create_app(runtime.settings)
    yield Dispatcher(app)
    app.close()


@pytest.fixture
def backup(runtime: Runtime, tmp_path: Path) -> Path:
    """A backup of a system with one dataset and one job."""
    runtime.datasets.create(pl.DataFrame({USER: [1, 2], ITEM: [5, 6]}))
    runtime.jobs.create("train", "als", job_id="first")
    make_backup(runtime, tmp_path / "backup.tar", silent)
    return tmp_path / "backup.tar"


def state(runtime: Runtime, client: redis.Redis) -> tuple[set[bytes], set[Path]]:
    """Every key and every file."""
    data_dir = runtime.settings.data_dir
    return set(client.keys("*")), {path for path in data_dir.rglob("*") if path.is_file()}  # type: ignore[arg-type]


def test_a_damaged_backup_changes_nothing(
    runtime: Runtime, dispatcher: Dispatcher, client: redis.Redis, backup: Path
) -> None:
    backup.write_bytes(backup.read_bytes()[:-20_000])
    before = state(runtime, client)
    with pytest.raises(CorruptBackup):
        restore_backup(runtime, dispatcher, backup, replace=True)
    assert state(runtime, client) == before


def test_a_system_that_is_not_empty_is_left_alone(
    runtime: Runtime, dispatcher: Dispatcher, client: redis.Redis, backup: Path
) -> None:
    runtime.jobs.create("train", "als", job_id="second")
    before = state(runtime, client)
    with pytest.raises(SystemNotEmpty, match=r"data, the durable Redis .* --replace"):
        restore_backup(runtime, dispatcher, backup)
    assert state(runtime, client) == before


def test_it_is_replaced_where_that_is_asked_for_and_its_files_are_put_aside(
    runtime: Runtime, dispatcher: Dispatcher, client: redis.Redis, backup: Path
) -> None:
    runtime.jobs.create("train", "als", job_id="second")
    client.set("somebody-elses", 1)
    later = runtime.datasets.create(pl.DataFrame({USER: [1, 2, 3], ITEM: [5, 6, 7]})).version
    restore_backup(runtime, dispatcher, backup, replace=True)
    assert [job.id for job in runtime.jobs.list()] == ["first"]
    assert later not in {manifest.version for manifest in runtime.datasets.versions()}
    assert (next(runtime.settings.data_dir.glob("replaced-*")) / "datasets" / later).is_dir()
    assert client.get("somebody-elses") == b"1"


def test_a_folder_that_holds_nothing_to_keep_counts_as_empty(
    runtime: Runtime, dispatcher: Dispatcher, client: redis.Redis, backup: Path
) -> None:
    client.flushdb()
    shutil.rmtree(runtime.settings.data_dir / "datasets")
    (runtime.settings.data_dir / "datasets" / ".building-1").mkdir(parents=True)
    restore_backup(runtime, dispatcher, backup)
    assert len(runtime.datasets.versions()) == 1


def test_a_backup_of_another_prefix_is_refused(
    runtime: Runtime, dispatcher: Dispatcher, backup: Path
) -> None:
    other = Runtime(runtime.settings.model_copy(update={"key_prefix": "other:"}))
    with pytest.raises(CorruptBackup, match="TOPSHELF_KEY_PREFIX"):
        restore_backup(other, dispatcher, backup, replace=True)


def test_with_a_server_for_each_role_every_key_comes_back_to_its_own(
    runtime: Runtime, dispatcher: Dispatcher, redis_url: str, client: redis.Redis, keys: Keys, tmp_path: Path
) -> None:
    durable_url = f"{redis_url.rpartition('/')[0]}/63"
    parted = Runtime(runtime.settings.model_copy(update={"durable_url": SecretStr(durable_url)}))
    with connect(durable_url) as durable:
        parted.jobs.create("train", "als", job_id="first")
        parted.generations.next_fence("als")
        client.set(keys.hold("als"), "2026-01-01")
        client.set(keys.bucket("als", "1", 0), "a shelf")
        client.set(keys.lock("als"), "first")
        make_backup(parted, tmp_path / "backup.tar", silent)
        restore_backup(parted, dispatcher, tmp_path / "backup.tar", replace=True)
        assert set(durable.keys(f"{keys.prefix}*")) == {keys.jobs.encode(), keys.job("first").encode()}
        assert set(client.keys("*")) == {keys.hold("als").encode(), keys.fence("als").encode()}
        durable.flushdb()


def test_a_backup_never_takes_the_place_of_another_file(runtime: Runtime, backup: Path) -> None:
    before = backup.read_bytes()
    with pytest.raises(DataError, match="another name"):
        make_backup(runtime, backup, silent)
    assert backup.read_bytes() == before
