from pathlib import Path
from typing import Any

import orjson
import pytest
import redis

from store.blobs import Blobs
from store.catalog import FILE, Catalog, load_catalog, write_catalog
from store.keys import Keys
from topshelf.errors import BlobNotFound, InvalidId


def stored(client: redis.Redis, keys: Keys, cache: Path, **changes: Any) -> Catalog:
    declared: dict[str, Any] = {
        "item_ids": [10, 20, 2**62],
        "user_id_type": "int64",
        "item_id_type": "int64",
        "user_id_max": 1_000,
        "categories": [["Comedy", "戏剧"], [], ["Drama"]],
    }
    write_catalog(client, keys, "d1", **declared | changes)
    return load_catalog(client, keys, "d1", cache)


def test_a_catalogue_comes_back_as_it_was_written(client: redis.Redis, keys: Keys, tmp_path: Path) -> None:
    catalog = stored(client, keys, tmp_path)
    assert list(catalog.item_ids) == [10, 20, 2**62]
    assert [list(labels) for labels in catalog.categories] == [["Comedy", "戏剧"], [], ["Drama"]]
    assert (catalog.user_id_type, catalog.item_id_type, catalog.user_id_max) == ("int64", "int64", 1_000)


def test_items_are_found_by_an_id_of_their_own_type(client: redis.Redis, keys: Keys, tmp_path: Path) -> None:
    catalog = stored(client, keys, tmp_path)
    assert [catalog.index_of(item) for item in (10, 2**62, 11, "10")] == [0, 2, None, None]


def test_string_ids_stay_strings(client: redis.Redis, keys: Keys, tmp_path: Path) -> None:
    catalog = stored(
        client, keys, tmp_path, item_ids=["1", "ümläut", ""], user_id_type="string", item_id_type="string"
    )
    assert [catalog.index_of(item) for item in ("1", "ümläut", 1)] == [0, 1, None]
    assert catalog.parse_user("007") == "007"


def test_a_catalogue_is_fetched_once_a_host(client: redis.Redis, keys: Keys, tmp_path: Path) -> None:
    stored(client, keys, tmp_path)
    client.delete(keys.catalog("d1", 0), keys.catalog("d1", 1))
    assert load_catalog(client, keys, "d1", tmp_path).index_of(20) == 1


def test_a_catalogue_that_is_not_there_is_an_error(client: redis.Redis, keys: Keys, tmp_path: Path) -> None:
    with pytest.raises(BlobNotFound):
        load_catalog(client, keys, "d1", tmp_path)


@pytest.mark.parametrize(("text", "user"), [("0", 0), ("1000", 1_000), ("007", 7)])
def test_user_ids_are_read_as_declared(
    client: redis.Redis, keys: Keys, tmp_path: Path, text: str, user: int
) -> None:
    assert stored(client, keys, tmp_path).parse_user(text) == user


@pytest.mark.parametrize(
    "text",
    ["", "x", "1.0", "1e3", " 1", "1_0", "\u0661", "\uff11", "--1", "-1", "1001", str(2**63), "9" * 5_000],
)
def test_what_cannot_be_a_user_is_refused(client: redis.Redis, keys: Keys, tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidId):
        stored(client, keys, tmp_path).parse_user(text)


def test_without_a_largest_id_64_bits_are_the_limit(client: redis.Redis, keys: Keys, tmp_path: Path) -> None:
    catalog = stored(client, keys, tmp_path, user_id_max=None)
    assert catalog.parse_user(str(2**63 - 1)) == 2**63 - 1
    with pytest.raises(InvalidId):
        catalog.parse_user(str(2**63))


def test_what_a_later_version_adds_to_a_catalogue_is_left_out(
    client: redis.Redis, keys: Keys, tmp_path: Path
) -> None:
    stored(client, keys, tmp_path)
    [file] = tmp_path.rglob(FILE)
    content = orjson.loads(file.read_bytes()) | {"prices": [1, 2, 3]}
    Blobs(client).put(lambda part: keys.catalog("d2", part), {FILE: orjson.dumps(content)})
    assert load_catalog(client, keys, "d2", tmp_path).index_of(20) == 1
    del content["item_ids"]
    Blobs(client).put(lambda part: keys.catalog("d3", part), {FILE: orjson.dumps(content)})
    with pytest.raises(BlobNotFound, match="cannot be read"):
        load_catalog(client, keys, "d3", tmp_path)
