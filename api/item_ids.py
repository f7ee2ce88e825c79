"""Item ids at the door: of the dataset's declared type."""

from collections.abc import Sequence

from api.assortment import Assortment, ItemId
from api.errors import Location, invalid
from api.fields import LONGEST_ID
from topshelf.errors import InvalidId, ItemNotFound


def item_from_path(assortment: Assortment | None, text: str) -> ItemId:
    """An item's id as the dataset types it; as it stands while nothing is live.

    Raises:
        ItemNotFound: the dataset cannot have such an item.
    """
    if not 0 < len(text) <= LONGEST_ID:
        raise ItemNotFound(f"an item id is 1 to {LONGEST_ID} characters long")
    try:
        return assortment.parse_item(text) if assortment else text
    except InvalidId as error:
        raise ItemNotFound(str(error)) from error


def typed_items(assortment: Assortment, items: Sequence[ItemId], where: Location) -> list[ItemId]:
    """Items out of a JSON body, where a number is a number and a string a string.

    Raises:
        RequestValidationError: naming every item that is of the wrong type.
    """
    faults = [
        ((*where, position), message)
        for position, item in enumerate(items)
        if (message := wrong_type("item", item, assortment.catalog.item_id_type))
    ]
    if faults:
        raise invalid(faults)
    return list(items)


def wrong_type(what: str, given: ItemId, id_type: str) -> str:
    """What is wrong with an id's JSON type; empty when it is right."""
    if isinstance(given, int) == (id_type == "int64"):
        return ""
    named = "integers" if id_type == "int64" else "strings"
    return f"the {what} ids of this dataset are {named}"
