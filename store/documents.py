"""JSON as it stands in Redis values."""

from typing import Any

import orjson

from topshelf.errors import StoreError


def dump(value: object) -> bytes:
    """Compact UTF-8 JSON; NumPy numbers are numbers, NaN is null.

    Raises:
        StoreError: the value holds something that JSON cannot, such as an integer beyond 64 bits.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as error:
        raise StoreError(f"this cannot be stored as JSON: {error}") from error


def load(text: bytes | str) -> Any:
    """What a text written by ``dump`` holds.

    Raises:
        StoreError: it is not JSON.
    """
    try:
        return orjson.loads(text)
    except ValueError as error:
        raise StoreError(f"a value in Redis is not the JSON it should be: {error}") from error
