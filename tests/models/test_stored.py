import numpy as np
import pytest

from models.stored import pack_labels, take, take_finite, unpack_labels
from topshelf.errors import CorruptArtifact


def test_an_array_of_the_right_form_is_handed_over() -> None:
    array = np.zeros((3, 2), np.int32)
    assert take({"ids": array}, "ids", np.int32, (3, None)) is array


@pytest.mark.parametrize(
    ("dtype", "shape"), [(np.int64, (3, 2)), (np.int32, (2, 2)), (np.int32, (3,)), (np.int32, (3, 2, 1))]
)
def test_an_array_of_another_form_is_refused(dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    with pytest.raises(CorruptArtifact, match=r"array 'ids' is int32 \(3, 2\)"):
        take({"ids": np.zeros((3, 2), np.int32)}, "ids", dtype, shape)


def test_a_missing_array_is_named() -> None:
    with pytest.raises(CorruptArtifact, match="'ids' is missing"):
        take({}, "ids", np.int32, (1,))


def test_infinite_numbers_are_refused() -> None:
    with pytest.raises(CorruptArtifact, match="not finite"):
        take_finite({"a": np.array([np.inf], np.float32)}, "a", (1,))


def test_labels_come_back_as_they_were() -> None:
    assert unpack_labels(pack_labels(("", "Film-Noir", "мелодрамы"))) == ("", "Film-Noir", "мелодрамы")


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1}', b'["a", 1]', b"\xff"])
def test_bytes_that_are_no_labels_are_refused(content: bytes) -> None:
    with pytest.raises(CorruptArtifact, match="labels"):
        unpack_labels(np.frombuffer(content, np.uint8))
