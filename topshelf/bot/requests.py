"""Whom a bot asks for: users out of a range or a file, models in turn, as HTTP requests ready to be sent."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from topshelf.errors import InvalidRequest


@dataclass(frozen=True)
class Target:
    """Where a reader is."""

    host: str
    port: int
    secure: bool
    prefix: str

    @classmethod
    def of(cls, url: str) -> "Target":
        """Read ``http://host:port/prefix``.

        Raises:
            InvalidRequest: it is not a URL of that kind.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise InvalidRequest(f"{url!r} is not a URL: {error}") from error
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InvalidRequest(f"a URL like http://127.0.0.1:8000 is wanted, not {url!r}")
        secure = parts.scheme == "https"
        return cls(parts.hostname, port or (443 if secure else 80), secure, parts.path.rstrip("/"))

    @property
    def name(self) -> str:
        """As the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def users_in(text: str) -> Sequence[Any]:
    """Users of a range like ``1-943``, or the one user named.

    Raises:
        InvalidRequest: it is neither.
    """
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise InvalidRequest(f"users are written as a range of numbers, as in 1-943, not {text!r}")
    users = range(int(first), int(last or first) + 1)
    if not users:
        raise InvalidRequest(f"there are no users in {text!r}")
    return users


def users_of(file: Path) -> Sequence[Any]:
    """Users of a file, an id a line; empty lines are passed over.

    Raises:
        InvalidRequest: there is no such file, it is not text, or it names nobody.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{file} cannot be read: {error}") from error
    users = [line.strip() for line in lines if line.strip()]
    if not users:
        raise InvalidRequest(f"{file} names no users; one id a line is wanted")
    return users


def requests_for(
    target: Target,
    token: str,
    users: Sequence[Any],
    models: Sequence[str],
    *,
    k: int | None = None,
    profile_every: int = 0,
    seed: int = 0,
) -> Iterator[bytes]:
    """Requests without end: users by chance, models in turn, every so-manieth with the profiler armed."""
    rng = random.Random(seed)
    query = f"?k={k}" if k else ""
    tail = f"{query} HTTP/1.1\r\nHost: {target.name}\r\nAuthorization: Bearer {token}\r\n"
    plain = f"{tail}\r\n".encode()
    armed = f"{tail}X-Topshelf-Profile: 1\r\n\r\n".encode()
    heads = [f"GET {target.prefix}/reco/{quote(model, safe='')}/".encode() for model in models]
    number = 0
    while True:
        user = str(users[rng.randrange(len(users))])
        due = profile_every and number % profile_every == 0
        yield heads[number % len(heads)] + quote(user, safe="").encode() + (armed if due else plain)
        number += 1
