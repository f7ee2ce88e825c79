"""Arrays read back from an artifact, checked before a model trusts them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topshelf.errors import CorruptArtifact


def take(
    arrays: Mapping[str, NDArray[np.generic]], name: str, dtype: type[np.generic], shape: Sequence[int | None]
) -> NDArray[Any]:
    """The array called ``name``, of this dtype and shape (None: any length) and finite but for -inf padding.

    Raises:
        CorruptArtifact: it is missing or different.
    """
    array = arrays.get(name)
    if array is None:
        raise CorruptArtifact(f"array {name!r} is missing")
    fits = len(array.shape) == len(shape) and all(
        wanted in (None, length) for wanted, length in zip(shape, array.shape, strict=True)
    )
    if array.dtype != dtype or not fits:
        raise CorruptArtifact(
            f"array {name!r} is {array.dtype} {array.shape}, not {dtype.__name__} {tuple(shape)}"
        )
    return array


def take_finite(
    arrays: Mapping[str, NDArray[np.generic]], name: str, shape: Sequence[int | None]
) -> NDArray[np.float32]:
    """A float32 array without NaN or infinity.

    Raises:
        CorruptArtifact: it is missing or different.
    """
    array: NDArray[np.float32] = take(arrays, name, np.float32, shape)
    if not np.isfinite(array).all():
        raise CorruptArtifact(f"array {name!r} holds numbers that are not finite")
    return array


def pack_labels(labels: Sequence[str]) -> NDArray[np.uint8]:
    """Names as one array of bytes: safetensors knows no strings."""
    return np.frombuffer(json.dumps(list(labels)).encode(), np.uint8)


def unpack_labels(packed: NDArray[np.uint8]) -> tuple[str, ...]:
    """The names ``pack_labels`` packed.

    Raises:
        CorruptArtifact: the bytes are not a list of names.
    """
    try:
        labels = json.loads(packed.tobytes())
    except ValueError as exc:
        raise CorruptArtifact("the segment labels cannot be read") from exc
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise CorruptArtifact("the segment labels are not a list of names")
    return tuple(labels)
