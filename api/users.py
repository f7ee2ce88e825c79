"""User ids at the door: of the dataset's declared type and range, or nobody."""

from api.assortment import Assortment
from topshelf.errors import InvalidId, UserNotFound

LONGEST_ID = 256


def user_from_path(assortment: Assortment, text: str) -> int | str:
    """A user's id as the dataset types it: ``007`` is 7 where ids are integers.

    Raises:
        UserNotFound: the dataset cannot have such a user.
    """
    if len(text) > LONGEST_ID:
        raise UserNotFound(f"a user id is at most {LONGEST_ID} characters long")
    try:
        return assortment.catalog.parse_user(text)
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
