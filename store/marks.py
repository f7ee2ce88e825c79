"""Which users have more in Redis than their row: a bitmap by crc32 of the id.

Most users touched nothing of late and have no profile. A reader that is sure of it need not look, and answers
them from the row alone, or from memory. A clear bit means nothing is there; a set one, that something may be.
"""

import time
import zlib
from collections.abc import Sequence

from store.keys import Keys

BITS = 2**23
WINDOW_SECONDS = 30 * 86_400
"""Bits of recent items are set in the bitmap of the month and go with it; those of profiles stay."""


def mark_of(user_key: bytes) -> int:
    """A user's bit."""
    return zlib.crc32(user_key) % BITS


def window_at(seconds: float) -> int:
    """Number of the window that a moment (epoch seconds) lies in."""
    return int(seconds // WINDOW_SECONDS)


def bitmap_names(keys: Keys, ttl_seconds: int) -> list[str]:
    """The bitmaps that tell of profiles and of every list of recent items that is still alive."""
    now = window_at(time.time())
    # One window ahead, for a writer whose clock is.
    windows = range(window_at(time.time() - ttl_seconds), now + 2)
    return [keys.profile_marks, *(keys.recent_marks(window) for window in windows)]


class UserMarks:
    """A reader's copy of the bitmaps, kept up to date by what Redis reports."""

    def __init__(self) -> None:
        self._bits = bytearray()
        self._meanwhile: list[bytes] | None = None

    @property
    def sure(self) -> bool:
        """Whether a clear bit means that nothing is there."""
        return bool(self._bits)

    @property
    def loading(self) -> bool:
        """Whether bitmaps are being read."""
        return self._meanwhile is not None

    def may_have_more(self, user_key: bytes) -> bool:
        """Whether a user may have recent items or a profile; True for all while not sure."""
        if not self._bits:
            return True
        bit = zlib.crc32(user_key) % BITS
        return bool(self._bits[bit >> 3] & (128 >> (bit & 7)))

    def mark(self, user_key: bytes) -> None:
        """Note that a user has more."""
        if self._meanwhile is not None:
            self._meanwhile.append(user_key)
        if self._bits:
            bit = mark_of(user_key)
            self._bits[bit >> 3] |= 128 >> (bit & 7)

    def begin(self) -> None:
        """From now on marks are remembered, for bitmaps that are being read."""
        self._meanwhile = []

    def load(self, bitmaps: Sequence[bytes | None]) -> None:
        """Take bitmaps as Redis has them, and what was marked since :meth:`begin`."""
        joined = 0
        for bitmap in bitmaps:
            if bitmap:
                joined |= int.from_bytes(bitmap[: BITS // 8].ljust(BITS // 8, b"\0"), "big")
        self._bits = bytearray(joined.to_bytes(BITS // 8, "big"))
        meanwhile, self._meanwhile = self._meanwhile or [], None
        for user_key in meanwhile:
            self.mark(user_key)

    def forget(self) -> None:
        """Be sure of nothing any more."""
        self._bits = bytearray()
        self._meanwhile = None
