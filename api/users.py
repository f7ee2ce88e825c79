"""User ids at the door: of the dataset's declared type and range, or nobody."""

from api.assortment import Assortment
from api.fields import LONGEST_ID
from topshelf.errors import InvalidId, UserNotFound


def user_from_path(assortment: Assortment | None, text: str) -> int | str:
    """A user's id as the dataset types it, as it stands while nothing is live; ``007`` is 7 among integers.

    Raises:
        UserNotFound: the dataset cannot have such a user.
    """
    if not 0 < len(text) <= LONGEST_ID:
        raise UserNotFound(f"a user id is 1 to {LONGEST_ID} characters long")
    try:
        return assortment.catalog.parse_user(text) if assortment else text
    except InvalidId as error:
        raise UserNotFound(str(error)) from error


def typed_user(assortment: Assortment, given: object) -> int | str:
    """A user's id out of a JSON body, where a number is a number and a string a string.

    Raises:
        UserNotFound: the dataset cannot have such a user.
    """
    wanted = int if assortment.catalog.user_id_type == "int64" else str
    if type(given) is not wanted:
        named = "integers" if wanted is int else "strings"
        raise UserNotFound(f"the user ids of this dataset are {named}")
    return user_from_path(assortment, str(given))
