"""Buckets kept in memory: a published generation never changes, so they stay true."""

import sys
from array import array
from collections import OrderedDict
from collections.abc import Mapping

SEPARATOR = b"\xff"
"""No UTF-8 text holds this byte."""
ENTRY_BYTES = 400
"""What an entry takes beside its texts, about."""


class Bucket:
    """The rows of a bucket's users in two byte strings: 50 bytes a user instead of a dict's 200."""

    __slots__ = ("_ends", "_rows", "_users", "_width")

    def __init__(self, row_of_user: Mapping[bytes, bytes]) -> None:
        rows = list(row_of_user.values())
        widths = set(map(len, rows))
        self._users = SEPARATOR + b"".join(user + SEPARATOR for user in row_of_user)
        self._rows = b"".join(rows)
        self._width = widths.pop() if len(widths) == 1 else 0
        self._ends = array("I")
        if not self._width:
            end = 0
            for row in rows:
                end += len(row)
                self._ends.append(end)

    @property
    def size_bytes(self) -> int:
        """Memory it takes, about."""
        return ENTRY_BYTES + sum(map(sys.getsizeof, (self._users, self._rows, self._ends)))

    def row(self, user_key: bytes) -> bytes | None:
        """A user's row; None for somebody who is not in the bucket."""
        found = self._users.find(b"\xff%b\xff" % user_key)
        if found < 0:
            return None
        place = self._users.count(SEPARATOR, 0, found)
        if width := self._width:
            return self._rows[place * width : place * width + width]
        return self._rows[self._ends[place - 1] if place else 0 : self._ends[place]]


class BucketCache:
    """The buckets asked for last, up to ``capacity_bytes``; by the name of their key in Redis.

    A bucket is worth keeping once it is asked for a second time: a crawl through all users pushes nothing out
    that is in use.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        self.size_bytes = 0
        self._buckets: OrderedDict[bytes, Bucket] = OrderedDict()
        self._asked_once: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._buckets)

    def get(self, name: bytes) -> Bucket | None:
        """A bucket that is kept, from then on the one asked for last."""
        bucket = self._buckets.get(name)
        if bucket is not None:
            self._buckets.move_to_end(name)
        return bucket

    def worth_keeping(self, name: bytes) -> bool:
        """Whether a bucket that is not kept should be; notes that it was asked for."""
        if not self.capacity_bytes:
            return False
        if name in self._asked_once:
            return True
        if len(self._asked_once) * ENTRY_BYTES > self.capacity_bytes:
            self._asked_once.clear()
        self._asked_once.add(name)
        return False

    def put(self, name: bytes, bucket: Bucket) -> None:
        """Keep a bucket; those asked for longest ago make room."""
        size = bucket.size_bytes
        if name in self._buckets or size > self.capacity_bytes:
            return
        self._asked_once.discard(name)
        self._buckets[name] = bucket
        self.size_bytes += size
        while self.size_bytes > self.capacity_bytes:
            _, oldest = self._buckets.popitem(last=False)
            self.size_bytes -= oldest.size_bytes
