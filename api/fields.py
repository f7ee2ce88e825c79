"""The types of single fields in requests: ids, labels, features, moments."""

from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Annotated, Any

from pydantic import Field, PlainValidator, StrictStr, WithJsonSchema

LONGEST_ID = 256
LATEST_SECONDS = 86_400
"""How far ahead of the reader's clock an event may be; one in 2099 would move every cut-off there."""

Label = Annotated[StrictStr, Field(min_length=1, max_length=128)]


def _id(value: Any) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, str) and 1 <= len(value) <= LONGEST_ID:
        return value
    raise ValueError(f"an id is an integer of 64 bits or a string of 1 to {LONGEST_ID} characters")


def _scalar(value: Any) -> str | float | bool | None:
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and isfinite(value)):
        return value
    raise ValueError("a feature is a string, a number, true, false or null")


def _moment(value: Any) -> datetime:
    """A time without a zone is UTC; a number is seconds since 1970."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else _from_seconds(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("a timestamp is ISO 8601, or seconds since 1970") from error
    latest = datetime.now(UTC) + timedelta(seconds=LATEST_SECONDS)
    if not datetime(1970, 1, 1, tzinfo=UTC) <= moment <= latest:
        raise ValueError("the timestamp is before 1970 or more than a day ahead")
    return moment


def _from_seconds(value: Any) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    return datetime.fromtimestamp(value, UTC)


Id = Annotated[
    int | str,
    PlainValidator(_id),
    WithJsonSchema(
        {"anyOf": [{"type": "integer"}, {"type": "string", "minLength": 1, "maxLength": LONGEST_ID}]}
    ),
]
"""An external id: a JSON number or a JSON string, as the dataset declares."""
Scalar = Annotated[
    str | float | bool | None,
    PlainValidator(_scalar),
    WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
]
Features = Annotated[dict[Label, Scalar], Field(max_length=100)]
Moment = Annotated[
    datetime,
    PlainValidator(_moment),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}]}),
]
