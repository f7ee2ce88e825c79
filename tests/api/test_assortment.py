import pytest

from api.assortment import Assortment, Overlay, parse_id
from store.catalog import Catalog
from topshelf.errors import InvalidId


def assortment(*items: int | str) -> Assortment:
    kind = "int64" if isinstance(items[0], int) else "string"
    return Assortment("d", Catalog(items, [["a"], ["a", "b"], []][: len(items)], kind, kind, None))


@pytest.mark.parametrize(
    ("text", "value"), [("7", 7), ("007", 7), ("-3", -3), ("9223372036854775807", 2**63 - 1)]
)
def test_an_integer_id_is_read_as_one(text: str, value: int) -> None:
    assert parse_id(text, "int64") == value


@pytest.mark.parametrize(
    "text", ["", "x", "1.0", "1e3", "--1", "-", "+1", " 1", "٣", "9223372036854775808", "1" * 30]
)
def test_what_is_no_integer_is_refused(text: str) -> None:
    with pytest.raises(InvalidId):
        parse_id(text, "int64")


def test_a_string_id_stays_as_it_is() -> None:
    assert parse_id("007", "string") == "007"
    with pytest.raises(InvalidId):
        parse_id("", "string")


def test_items_are_found_by_the_text_of_their_id() -> None:
    shop = assortment(10, 20, 30)
    assert shop.indices_of(["20", "99", "x", "010"]) == [1, 0]
    assert assortment("10", "20").indices_of(["20", "010"]) == [1]


def test_items_stand_under_each_of_their_categories() -> None:
    shop = assortment(10, 20, 30)
    assert list(shop.in_category("a")) == [10, 20]
    assert list(shop.in_category("b")) == [20]
    assert list(shop.in_category("c")) == []
    assert set(shop.labels) == {"a", "b"}
    assert list(shop.categories_of(20)) == ["a", "b"]
    assert list(shop.categories_of(99)) == []


def test_an_overlay_knows_only_what_was_set() -> None:
    overlay = Overlay(
        1, frozenset(), {"10": {"categories": ["x"]}, "20": {"features": {}}, "30": {"categories": []}}
    )
    assert overlay.categories_of("10") == ["x"]
    assert overlay.categories_of("20") is None
    assert overlay.categories_of("30") == []
    assert list(overlay.in_category("x")) == ["10"]
    assert overlay.labels() == {"x"}
