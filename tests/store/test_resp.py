from collections.abc import Mapping

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from store.byte_strings import ByteStrings
from store.resp import hset_commands

NAMES = st.binary(min_size=1, max_size=12)
HASHES = st.lists(st.dictionaries(st.binary(max_size=20), st.binary(max_size=70), min_size=1), max_size=5)


def as_a_client_writes_it(name: bytes, content: Mapping[bytes, bytes]) -> bytes:
    words = [b"HSET", name, *(word for pair in content.items() for word in pair)]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


@given(HASHES, st.data())
def test_commands_are_those_of_any_other_client(
    hashes: list[dict[bytes, bytes]], data: st.DataObject
) -> None:
    names = data.draw(st.lists(NAMES, min_size=len(hashes), max_size=len(hashes)))
    commands = hset_commands(
        names,
        np.array([len(content) for content in hashes], dtype=np.int64),
        ByteStrings.of([field for content in hashes for field in content]),
        ByteStrings.of([value for content in hashes for value in content.values()]),
    )
    expected = [as_a_client_writes_it(*one) for one in zip(names, hashes, strict=True)]
    assert commands.tolist() == expected
