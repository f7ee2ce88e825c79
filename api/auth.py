"""Bearer tokens and what they allow."""

import hashlib
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from topshelf.errors import NotAllowed, NotAuthenticated, SettingsError
from topshelf.settings import Settings

BEARER = HTTPBearer(
    auto_error=False,
    description="A token of scope `read`, `events` or `admin`; each includes those before it.",
)


class Scope(IntEnum):
    """What a token may do; each scope includes those below it."""

    read = 1
    events = 2
    admin = 3


class Tokens:
    """The tokens of one deployment, kept as digests.

    Raises:
        SettingsError: there are none, so that nobody could use the reader.
    """

    def __init__(self, settings: Settings) -> None:
        # From narrow to wide: a token in two lists has the wider scope.
        self._scope_of_digest = {
            _digest(token.get_secret_value().encode()): scope
            for scope, tokens in (
                (Scope.read, settings.tokens_read),
                (Scope.events, settings.tokens_events),
                (Scope.admin, settings.tokens_admin),
            )
            for token in tokens
            if token.get_secret_value()
        }
        if not self._scope_of_digest:
            raise SettingsError(
                "the reader has no tokens, so that nobody could use it; set TOPSHELF_TOKENS_READ, "
                "TOPSHELF_TOKENS_EVENTS or TOPSHELF_TOKENS_ADMIN (several are separated by commas)"
            )

    def scope_of(self, token: str) -> Scope | None:
        """The widest scope of ``token``, None for a wrong one.

        Digests are looked up, not tokens: how long it takes tells nothing about any token.
        """
        return self._scope_of_digest.get(_digest(token.encode()))

    def scope_of_header(self, value: bytes) -> Scope | None:
        """The scope of the token in an ``Authorization`` header; None where there is none, or a wrong one."""
        if value[:7].lower() != b"bearer ":
            return None
        return self._scope_of_digest.get(_digest(value[7:]))


def requires(scope: Scope) -> Callable[..., Awaitable[None]]:
    """A dependency that lets a request pass only with a token of ``scope`` or wider."""

    async def check(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]
    ) -> None:
        if credentials is None:
            raise NotAuthenticated("a token is wanted, as in: Authorization: Bearer <token>")
        tokens: Tokens = request.app.state.tokens
        held = tokens.scope_of(credentials.credentials)
        if held is None:
            raise NotAuthenticated("the token is not known")
        if held < scope:
            raise NotAllowed(f"this needs a token of scope {scope.name}; the one sent has scope {held.name}")

    return check


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
