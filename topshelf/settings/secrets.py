"""What must not be read in a log, an error or an answer: the secrets of the settings, and those in them."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

BLOT = "**********"
TELLING_PATH_CHARACTERS = 8
"""A path shorter than this names a database or a project, a longer one may be a key, as of a chat's hook."""


@lru_cache(maxsize=8)
def secrets_of(values: tuple[object, ...]) -> tuple[str, ...]:
    """Every text to blot out, the longest first, so that none is cut through by another."""
    flat = (part for value in values for part in (value if isinstance(value, tuple) else (value,)))
    found = {
        text for part in flat if isinstance(part, SecretStr) for text in _within(part.get_secret_value())
    }
    return tuple(sorted(found - {""}, key=len, reverse=True))


def blotted(text: str, secrets: Iterable[str]) -> str:
    """``text`` without any of the secrets."""
    for secret in secrets:
        text = text.replace(secret, BLOT)
    return text


def readable_url(text: str) -> bool:
    """Whether a URL can be taken apart; the error of one that cannot would hold a piece of its password."""
    try:
        _ = urlsplit(text).port
    except ValueError:
        return False
    return True


def _within(text: str) -> Iterator[str]:
    """A secret, or of an address the whole and what is secret in it; nothing of one that is known to all."""
    if "://" not in text or not readable_url(text):
        yield text
        return
    parts = urlsplit(text)
    key = parts.password or parts.username
    rest = text.partition("://")[2].partition("/")[2]
    if key:
        yield from (text, key, unquote(key), parts.netloc.rpartition("@")[0])
    if parts.query or (parts.scheme in {"http", "https"} and len(rest) >= TELLING_PATH_CHARACTERS):
        yield from (text, rest)
