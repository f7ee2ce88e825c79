from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from store import blobs
from store.blobs import Blobs
from store.keys import Keys
from topshelf.errors import BlobNotFound, StoreError

FILES = {"ids.npy": bytes(range(256)) * 10, "weights.npy": b"weights", "empty": b""}


class Neighbours:
    """The blobs of one neighbour artifact, in parts of 1,000 bytes."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self.client = client
        self.keys = keys
        self.blobs = Blobs(client)

    def key(self, part: int) -> str:
        return self.keys.knn("a1", part)

    def put(self, files: dict[str, bytes] = FILES) -> None:
        self.blobs.put(self.key, files)

    def fetch(self, folder: Path) -> dict[str, bytes]:
        self.blobs.fetch(self.key, folder)
        return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}

    def parts(self) -> list[str]:
        return sorted(str(key.decode()) for key in self.client.scan_iter(f"{self.keys.prefix}knn:*"))


@pytest.fixture
def neighbours(client: redis.Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Neighbours:
    monkeypatch.setattr(blobs, "PART_BYTES", 1_000)
    return Neighbours(client, keys)


def test_files_come_back_as_they_were_put(neighbours: Neighbours, tmp_path: Path) -> None:
    neighbours.put()
    assert neighbours.fetch(tmp_path / "cache" / "a1") == FILES
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["a1"]


def test_files_are_kept_in_parts(neighbours: Neighbours, client: redis.Redis) -> None:
    neighbours.put()
    assert neighbours.parts() == [neighbours.key(part) for part in range(5)]
    assert max(client.strlen(neighbours.key(part)) for part in range(1, 5)) == 1_000


def test_what_is_there_already_is_not_downloaded(neighbours: Neighbours, tmp_path: Path) -> None:
    neighbours.put()
    neighbours.fetch(tmp_path / "a1")
    neighbours.blobs.drop(neighbours.key)
    assert neighbours.fetch(tmp_path / "a1") == FILES


def test_a_file_cut_short_on_disk_is_downloaded_again(neighbours: Neighbours, tmp_path: Path) -> None:
    neighbours.put()
    neighbours.fetch(tmp_path / "a1")
    (tmp_path / "a1" / "ids.npy").write_bytes(b"cut")
    assert neighbours.fetch(tmp_path / "a1") == FILES
    (tmp_path / "a1" / "weights.npy").unlink()
    assert neighbours.fetch(tmp_path / "a1") == FILES


def test_files_that_are_not_there_are_an_error(neighbours: Neighbours, tmp_path: Path) -> None:
    with pytest.raises(BlobNotFound):
        neighbours.fetch(tmp_path / "a1")
    assert not list(tmp_path.iterdir())


def test_a_missing_part_is_an_error_and_leaves_nothing(neighbours: Neighbours, tmp_path: Path) -> None:
    neighbours.put()
    neighbours.client.delete(neighbours.key(2))
    with pytest.raises(BlobNotFound):
        neighbours.fetch(tmp_path / "a1")
    assert not list(tmp_path.iterdir())


def test_a_damaged_part_is_an_error(neighbours: Neighbours, tmp_path: Path) -> None:
    neighbours.put()
    neighbours.client.setrange(neighbours.key(2), 5, "damage")
    with pytest.raises(BlobNotFound, match="damaged"):
        neighbours.fetch(tmp_path / "a1")


def test_a_put_that_died_half_way_is_mended_by_the_next(neighbours: Neighbours, tmp_path: Path) -> None:
    neighbours.put()
    neighbours.client.delete(neighbours.key(0), neighbours.key(3))
    neighbours.put()
    assert neighbours.fetch(tmp_path / "a1") == FILES
    neighbours.client.delete(neighbours.key(1))
    neighbours.put()
    assert neighbours.fetch(tmp_path / "b1") == FILES


def test_dropped_files_leave_no_keys(neighbours: Neighbours) -> None:
    neighbours.put()
    assert neighbours.blobs.stored_at(neighbours.key) is not None
    assert neighbours.blobs.drop(neighbours.key) == 5
    assert neighbours.parts() == []
    assert neighbours.blobs.drop(neighbours.key) == 0
    assert neighbours.blobs.stored_at(neighbours.key) is None


def test_processes_of_one_host_may_fetch_at_once(neighbours: Neighbours, tmp_path: Path) -> None:
    neighbours.put()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: neighbours.fetch(tmp_path / "a1"), range(8)))
    assert found == [FILES] * 8
    assert [path.name for path in tmp_path.iterdir()] == ["a1"]


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(neighbours: Neighbours, tmp_path: Path) -> None:
    neighbours.put()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        neighbours.fetch(tmp_path / "file" / "a1")


def test_parts_whose_index_was_never_written_are_dropped(client: redis.Redis, keys: Keys) -> None:
    store = Blobs(client)
    store.put(lambda part: keys.knn("a", part), {"one": b"1", "two": b"2"})
    client.delete(keys.knn("a", 0))
    assert store.drop(lambda part: keys.knn("a", part)) == 2
    assert not list(client.scan_iter(f"{keys.prefix}*"))


def test_files_are_whole_while_their_index_and_every_part_are_there(
    neighbours: Neighbours, client: redis.Redis
) -> None:
    assert not neighbours.blobs.is_whole(neighbours.key)
    for part in range(5):
        neighbours.put()
        assert neighbours.blobs.is_whole(neighbours.key)
        client.delete(neighbours.key(part))
        assert not neighbours.blobs.is_whole(neighbours.key)
