"""Column names, in one place."""

from typing import Final

USER: Final = "user_id"
"""External user id."""
ITEM: Final = "item_id"
"""External item id."""
TIMESTAMP: Final = "timestamp"
WEIGHT: Final = "weight"
EVENT: Final = "event_id"
USER_INDEX: Final = "user"
"""Dense user index, from 0."""
ITEM_INDEX: Final = "item"
"""Dense item index, from 0."""

TITLE: Final = "title"
CATEGORIES: Final = "categories"
"""A list of category names per item."""

ROW: Final = "row"
"""Line of a rejected row in its file, from 1."""
REASON: Final = "reason"
FILE: Final = "file"
