"""What Redis allocates for a key, a string or a hash, byte for byte.

Sources: ``listpack.c``, ``ziplist.c``, ``sds.h``, ``dict.h`` and ``server.h`` of Redis 6.2 and 7.0; the size
classes of jemalloc (https://jemalloc.net/jemalloc.3.html#size_classes); the chunks of glibc's malloc.
``used_memory`` counts what was allocated, so what an allocator rounds up is counted, too.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from store.compactness import CompactLimits

POINTER_BYTES = 8
ENTRY_BYTES = 24
"""A dictEntry: key, value, next."""
OBJECT_BYTES = 16
"""A robj."""
DICT_BYTES = 96
"""The dict of a hash that is a hash table."""
LISTPACK_BYTES, ZIPLIST_BYTES = 7, 11
"""Head and end mark of one."""
NUMBER_ENTRIES = ((1 << 12, 3), (1 << 15, 4), (1 << 23, 5), (1 << 31, 6), (1 << 63, 10))
"""Numbers below which a listpack entry takes so many bytes, from 128 on; below that it takes 2."""

INT64_DIGITS = 20


@dataclass(frozen=True)
class Server:
    """The server's ways: ``allocator`` is ``jemalloc`` or ``libc``, as INFO has it."""

    allocator: str = "jemalloc"
    limits: CompactLimits = field(default_factory=CompactLimits)

    def allocated(self, size: int) -> int:
        """Bytes the allocator sets aside for a request of ``size``."""
        if not self.allocator.startswith("jemalloc"):
            return max(24, -(-(size + 8) // 16) * 16 - 8)
        if size <= 8:
            return 8
        if size <= 128:
            return -(-size // 16) * 16
        # Four classes for each power of two.
        spacing = 1 << ((size - 1).bit_length() - 3)
        return -(-size // spacing) * spacing

    def string(self, length: int) -> int:
        """Bytes of an sds."""
        head = 1 if length < 32 else 3 if length < 256 else 5 if length < 1 << 16 else 9
        return self.allocated(head + length + 1)

    def key(self, name_length: int) -> int:
        """Bytes of an entry of the main table, without its value and its slot."""
        return self.allocated(ENTRY_BYTES) + self.string(name_length) + self.allocated(OBJECT_BYTES)

    def hash(self, n_fields: int, user: "FieldBytes", value_length: int) -> int:
        """Bytes of a hash of so many fields, without its key."""
        limits = self.limits
        if n_fields > limits.entries or max(user.length, value_length) > limits.value_bytes:
            each = self.allocated(ENTRY_BYTES) + self.string(round(user.length)) + self.string(value_length)
            return self.allocated(DICT_BYTES) + n_fields * each + self.allocated(table_bytes(n_fields))
        head = LISTPACK_BYTES if limits.name == "listpack" else ZIPLIST_BYTES
        return self.allocated(head + round(n_fields * (user.packed + text_entry(value_length))))


@dataclass(frozen=True)
class FieldBytes:
    """A user id as the field of a hash, on average: characters, and bytes of its listpack entry."""

    length: float
    packed: float

    @classmethod
    def of(cls, keys: Iterable[bytes]) -> Self:
        """The mean of some keys."""
        found = [(len(key), key_entry(key)) for key in keys] or [(0, 0)]
        lengths, packed = zip(*found, strict=True)
        return cls(sum(lengths) / len(found), sum(packed) / len(found))

    @classmethod
    def numbers(cls, n: int) -> Self:
        """Ids that are the numbers 1 to ``n``."""
        powers = {10**digits for digits in range(1, 19)} | {128, *(bound for bound, _ in NUMBER_ENTRIES)}
        bounds = [1, *sorted(power for power in powers if power <= n), n + 1]
        ranges = [(low, high - low) for low, high in itertools.pairwise(bounds)]
        length = sum(count * len(str(low)) for low, count in ranges)
        packed = sum(count * number_entry(low) for low, count in ranges)
        return cls(length / max(n, 1), packed / max(n, 1))


def text_entry(length: int) -> int:
    """Bytes of a listpack entry that is no number; a ziplist entry takes as many up to 64."""
    head = 1 if length < 64 else 2 if length < 4096 else 5
    return head + length + (1 if head + length < 128 else 2)


def number_entry(number: int) -> int:
    """Bytes of a listpack entry that is a number."""
    if 0 <= number < 128:
        return 2
    return next(size for bound, size in NUMBER_ENTRIES if -bound <= number < bound)


def key_entry(key: bytes) -> int:
    """Bytes of the listpack entry of a user key; Redis keeps the text of a 64-bit number as a number."""
    digits = key.removeprefix(b"-")
    if len(key) <= INT64_DIGITS and digits.isdigit() and b"%d" % int(key) == key:
        number = int(key)
        if -(1 << 63) <= number < 1 << 63:
            return number_entry(number)
    return text_entry(len(key))


def table_bytes(n_entries: int) -> int:
    """Bytes of the slots of a hash table."""
    return POINTER_BYTES * max(4, 1 << max(0, n_entries - 1).bit_length()) if n_entries else 0
