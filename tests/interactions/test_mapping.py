import pytest

from interactions.mapping import (
    ColumnMapping,
    ItemMapping,
    UserMapping,
    guess_item_mapping,
    guess_mapping,
    guess_user_mapping,
)
from topshelf.errors import MissingColumn


@pytest.mark.parametrize(
    ("columns", "mapping"),
    [
        (["userId", "movieId", "rating", "timestamp"], ("userId", "movieId", "timestamp", "rating")),
        (["user_id", "item_id"], ("user_id", "item_id", None, None)),
        (["USER", "Item", "Date"], ("USER", "Item", "Date", None)),
        (
            ["user_id", "item_id", "last_watch_dt", "total_dur", "watched_pct"],
            ("user_id", "item_id", "last_watch_dt", "watched_pct"),
        ),
    ],
)
def test_usual_names_are_recognised(columns: list[str], mapping: tuple[str, ...]) -> None:
    assert guess_mapping(columns) == ColumnMapping(*mapping)


def test_an_unknown_header_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MissingColumn, match="user id; there are who, what"):
        guess_mapping(["who", "what"])
    with pytest.raises(MissingColumn, match="item id; there are user, what"):
        guess_mapping(["user", "what"])


def test_items_and_users_are_recognised() -> None:
    assert guess_item_mapping(["id", "Title", "genres"]) == ItemMapping("id", "Title", "genres")
    assert guess_user_mapping(["uid", "age"]) == UserMapping("uid")
    with pytest.raises(MissingColumn):
        guess_item_mapping(["colour"])
    with pytest.raises(MissingColumn):
        guess_user_mapping(["colour"])
