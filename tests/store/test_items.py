from functools import partial

import pytest
import redis

from store.items import ItemOverlay
from store.keys import Keys


@pytest.fixture
def overlay(client: redis.Redis, keys: Keys) -> ItemOverlay:
    return ItemOverlay(client, keys)


def test_nothing_is_hidden_at_first(overlay: ItemOverlay) -> None:
    assert overlay.snapshot() == (0, set(), {})


def test_hidden_items_are_in_the_snapshot_until_they_are_shown_again(overlay: ItemOverlay) -> None:
    overlay.hide("1")
    overlay.hide("фильм")
    overlay.unhide("1")
    assert overlay.snapshot()[1] == {"фильм"}


def test_every_change_raises_the_version(overlay: ItemOverlay) -> None:
    versions = []
    for change in (
        partial(overlay.hide, "1"),
        partial(overlay.put_categories, "1", ["Comedy"]),
        partial(overlay.put_features, "1", {"year": 1995}),
        partial(overlay.unhide, "1"),
    ):
        change()
        versions.append(overlay.snapshot()[0])
    assert versions == [1, 2, 3, 4]


def test_a_change_told_again_raises_the_version_again(overlay: ItemOverlay) -> None:
    """The first telling may have died between the change and the version."""
    for _ in range(2):
        overlay.unhide("1")
    assert overlay.snapshot()[0] == 2


def test_categories_and_features_are_replaced_one_by_one(overlay: ItemOverlay) -> None:
    overlay.put_categories("1", ["Comedy", "戏剧"])
    overlay.put_features("1", {"year": 1995})
    overlay.put_categories("c:odd id", [])
    overlay.put_features("1", {"year": 1996})
    assert overlay.snapshot()[2] == {
        "1": {"categories": ["Comedy", "戏剧"], "features": {"year": 1996}},
        "c:odd id": {"categories": []},
    }
