"""Checks what is asked of a list: how many items, of which category, without which."""

import difflib
from collections.abc import Iterable

from api.assortment import Assortment
from api.errors import Location, invalid
from api.shelf import Shelf, Wish
from api.snapshot import DEFAULT_K
from topshelf.errors import InvalidId


def wish_for(
    shelf: Shelf,
    assortment: Assortment,
    where: str,
    *,
    k: int | None,
    most: int,
    category: str | None,
    exclude: Iterable[object],
) -> Wish:
    """A wish that can be fulfilled; ``where`` is ``query`` or ``body``, ``most`` the largest k.

    Raises:
        RequestValidationError: k is too large, or no item has the category.
    """
    faults: list[tuple[Location, str]] = []
    if k is not None and k > most:
        faults.append(((where, "k"), f"k is at most {most} here"))
    if category is not None and not shelf.knows_category(assortment, category):
        faults.append(((where, "category"), _unknown_category(category, shelf.labels(assortment))))
    if faults:
        raise invalid(faults)
    return Wish(min(DEFAULT_K, most) if k is None else k, category, _as_texts(exclude, assortment))


def split(values: Iterable[str]) -> list[str]:
    """The parts of a parameter given several times or with commas."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def _as_texts(items: Iterable[object], assortment: Assortment) -> frozenset[str]:
    """Ids as the catalogue writes them; one it cannot have excludes nothing."""
    texts = set()
    for item in items:
        try:
            texts.add(str(assortment.parse_item(str(item))))
        except InvalidId:
            continue
    return frozenset(texts)


def _unknown_category(category: str, labels: set[str]) -> str:
    near = difflib.get_close_matches(category, labels, n=3, cutoff=0.4)
    known = near or sorted(labels)[:10]
    named = ", ".join(known) or "none"
    return (
        f"no item is of the category {category[:64]!r}; {'the nearest are' if near else 'there are'}: {named}"
    )
