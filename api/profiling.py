"""Profiles single requests: those an admin marks, and one in so many.

Nothing is imported, counted or looked at beyond that while nobody asks. Recording never changes an answer;
it is made readable only when somebody looks, off the event loop.
"""

import asyncio
import math
import secrets
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import Scope as TokenScope
from api.auth import Tokens
from api.route_names import route_of
from topshelf.errors import ProfileNotFound, SettingsError
from topshelf.profiling.files import INSTALL, check_installed, is_installed
from topshelf.settings import Settings

if TYPE_CHECKING:
    from api.recording import Format, Recording

ARMED = (b"x-topshelf-profile", b"1")
ID_HEADER = b"x-topshelf-profile-id"
DUE = "topshelf.profile_due"
"""In a request's scope: whether it is the one in so many."""
KEPT = 20
SAMPLE_EVERY_SECONDS = 0.05
"""A profile costs as much as three lists or more: sampling takes 20 a second at most."""
LONGEST_SECONDS = 10.0
"""A request that takes longer no longer keeps others from being profiled."""

ArmedBy = Literal["admin", "sampling"]
Leave = Callable[[], None]


class ShortCut(Protocol):
    """What :meth:`api.hot_route.HotRoute.begin` does."""

    def __call__(self, scope: Scope, respond: Callable[[Any], None], leave: Leave) -> bool: ...


def check_profiling(settings: Settings) -> None:
    """See that what the settings ask for can be done.

    Raises:
        SettingsError: requests are to be profiled and pyinstrument is not installed.
    """
    if settings.profile_every and not is_installed():
        raise SettingsError(f"TOPSHELF_PROFILE_EVERY is set and {INSTALL}")


@dataclass(frozen=True)
class Profile:
    """One request that was profiled."""

    id: str
    at: datetime
    method: str
    route: str
    milliseconds: float
    armed_by: ArmedBy
    recording: "Recording" = field(repr=False)

    def render(self, form: "Format") -> str:
        """The profile as HTML, as JSON for speedscope or as text; takes a while."""
        return self.recording.render(form, f"{self.method} {self.route}", self.at.timestamp())


class Profiles:
    """The last profiles of this process."""

    def __init__(self) -> None:
        self.installed = is_installed()
        self._kept: deque[Profile] = deque(maxlen=KEPT)

    def add(self, profile: Profile) -> None:
        """Keep a profile in place of the oldest."""
        self._kept.append(profile)

    def newest_first(self) -> list[Profile]:
        """What is kept.

        Raises:
            ProfilingNotInstalled: there is no profiler.
        """
        check_installed()
        return list(reversed(self._kept))

    def get(self, profile_id: str) -> Profile:
        """One profile.

        Raises:
            ProfileNotFound: none kept has this id.
            ProfilingNotInstalled: there is no profiler.
        """
        check_installed()
        for profile in self._kept:
            if profile.id == profile_id:
                return profile
        raise ProfileNotFound(
            f"no profile {profile_id[:64]!r} is kept here; each process of the reader keeps its last {KEPT}"
        )


class ProfiledRequests:
    """ASGI, in front of everything: records requests that are to be profiled, one at a time.

    Args:
        short_cut: what may answer a request before it gets here; see :meth:`begin`.
        every: one in so many is profiled, but 20 a second at most; 0 for none but those an admin marks.
    """

    def __init__(
        self,
        app: ASGIApp,
        short_cut: ShortCut,
        tokens: Tokens,
        profiles: Profiles,
        every: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._short_cut = short_cut
        self._tokens = tokens
        self._profiles = profiles
        self._every = every
        self._left = every
        self._clock = clock
        self._next_sample_at = self._taken_until = -math.inf
        self._recording: type[Recording] | None = _recording_class() if every else None

    def begin(self, scope: Scope, respond: Callable[[Any], None], leave: Leave) -> bool:
        """The short cut, for all but the requests that are to be profiled: a short cut has no coroutine."""
        due = self._is_due()
        scope[DUE] = due
        if due or ARMED in scope["headers"]:
            return False
        return self._short_cut(scope, respond, leave)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        armed_by = self._armed_by(scope) if scope["type"] == "http" else None
        if armed_by is None or self._clock() < self._taken_until:
            await self._app(scope, receive, send)
            return
        self._taken_until = self._clock() + LONGEST_SECONDS
        try:
            await self._profiled(scope, receive, send, armed_by)
        finally:
            self._taken_until = -math.inf

    def _is_due(self) -> bool:
        # With none to be profiled it starts at 0 and never comes back there.
        self._left -= 1
        if self._left:
            return False
        self._left = self._every
        now = self._clock()
        if now < self._next_sample_at:
            return False
        self._next_sample_at = now + SAMPLE_EVERY_SECONDS
        return True

    def _armed_by(self, scope: Scope) -> ArmedBy | None:
        # Whoever came by the short cut was counted there.
        due = scope[DUE] if DUE in scope else self._is_due()
        if ARMED in scope["headers"] and self._is_admin(scope):
            return "admin"
        return "sampling" if due else None

    def _is_admin(self, scope: Scope) -> bool:
        header = dict(scope["headers"]).get(b"authorization", b"")
        return self._tokens.scope_of_header(header) is TokenScope.admin

    async def _profiled(self, scope: Scope, receive: Receive, send: Send, armed_by: ArmedBy) -> None:
        if self._recording is None:
            self._recording = await asyncio.to_thread(_recording_class)
        recording = self._recording()
        profile_id, at = secrets.token_hex(8), datetime.now(UTC)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (ID_HEADER, profile_id.encode())]
                message = {**message, "headers": headers}
            await send(message)

        told = send_with_id if armed_by == "admin" else send
        handling = cast("Coroutine[Any, Any, None]", self._app(scope, receive, told))
        try:
            await recording.of(handling)
        finally:
            route, milliseconds = route_of(scope), recording.seconds * 1e3
            self._profiles.add(
                Profile(profile_id, at, scope["method"], route, milliseconds, armed_by, recording)
            )


def _recording_class() -> "type[Recording]":
    """The class, with pyinstrument behind it: a tenth of a second the first time."""
    from api.recording import Recording  # noqa: PLC0415 -- not before somebody profiles

    return Recording
