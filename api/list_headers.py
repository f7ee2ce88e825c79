"""The headers of a list: where it came from, of which generation, how old."""

from functools import cached_property

AGE, LENGTH, SOURCE = b"x-reco-age", b"content-length", b"x-reco-source"


class ListHeaders:
    """The headers that all lists of one generation and source share; age and length are put in for each."""

    def __init__(self, source: str, generation: str, *, stale: bool = False) -> None:
        self._shared = [
            (b"content-type", b"application/json"),
            (SOURCE, source.encode()),
            (b"x-reco-generation", generation.encode()),
            *([(b"x-reco-stale", b"true")] if stale else []),
        ]

    def pairs(self, age_seconds: int, body_bytes: int) -> list[tuple[bytes, bytes]]:
        """As ASGI wants them."""
        return [*self._shared, (AGE, b"%d" % age_seconds), (LENGTH, b"%d" % body_bytes)]

    def lines(self, age_seconds: int, body_bytes: int) -> bytes:
        """As HTTP/1.1 has them."""
        return b"%bx-reco-age: %d\r\ncontent-length: %d\r\n" % (self._lines, age_seconds, body_bytes)

    @cached_property
    def _lines(self) -> bytes:
        return b"".join(b"%b: %b\r\n" % pair for pair in self._shared)
