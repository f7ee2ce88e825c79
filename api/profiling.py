"""Profiles of single requests, taken with pyinstrument while they run and rendered when somebody looks.

A request is profiled when an admin asks for it, or by sampling. One at a time: pyinstrument watches a whole
thread, and one profiler for several requests at once fails them. Nothing here may fail or delay a request.
"""

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any, Literal

from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Request

from api.auth import Scope, Tokens
from topshelf.errors import ProfileNotFound, SettingsError

Format = Literal["html", "speedscope", "text"]

KEPT = 20
MOST_A_SECOND = 20
"""Requests sampled in a second, whatever the share: while one is watched, the whole process is slower."""
LONGEST_SECONDS = 30.0
"""A profile ends after so long; its request goes on."""
HEADER = b"x-topshelf-profile"
ANSWER_HEADER = b"x-topshelf-profile-id"
ARMED = "topshelf.profile"
"""Entry of a scope: who had the request profiled; empty for a request that is not."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Profile:
    """One request as it was seen; the session is rendered when somebody looks."""

    id: str
    at: datetime
    method: str
    route: str
    milliseconds: float
    armed_by: str
    session: Any


class Profiles:
    """The last profiles of this process."""

    def __init__(self) -> None:
        self._kept: deque[Profile] = deque(maxlen=KEPT)
        self._numbers = itertools.count(1)

    def next_id(self) -> str:
        """The id of the next profile."""
        return str(next(self._numbers))

    def keep(self, profile: Profile) -> None:
        """Keep a profile; the oldest makes room."""
        self._kept.append(profile)

    def newest_first(self) -> list[Profile]:
        """All that are kept."""
        return list(reversed(self._kept))

    def render(self, profile_id: str, form: Format) -> str:
        """A profile as HTML, as JSON for speedscope.app, or as text; takes a while.

        Raises:
            ProfileNotFound: it was never taken, or is not kept any more.
        """
        profile = next((one for one in self._kept if one.id == profile_id), None)
        if profile is None:
            raise ProfileNotFound(
                f"no profile {profile_id[:64]!r} is kept in this process; GET /profiles lists the last {KEPT}"
            )
        from pyinstrument import renderers  # noqa: PLC0415

        made: dict[Format, Callable[[], Any]] = {
            "html": renderers.HTMLRenderer,
            "speedscope": renderers.SpeedscopeRenderer,
            "text": lambda: renderers.ConsoleRenderer(unicode=True, color=False),
        }
        return str(made[form]().render(profile.session))


class ProfiledRequests:
    """ASGI callable in front of everything: profiles what is to be profiled, and hands all others on.

    Args:
        every: one request in so many is profiled; 0 for none.

    Raises:
        SettingsError: requests are to be sampled and pyinstrument is not installed.
    """

    def __init__(self, app: ASGIApp, profiles: Profiles, tokens: Tokens, every: int) -> None:
        self.installed = find_spec("pyinstrument") is not None
        if every and not self.installed:
            raise SettingsError(
                "TOPSHELF_PROFILE_EVERY is set and pyinstrument is not installed; install topshelf[watch]"
            )
        self._app = app
        self._profiles = profiles
        self._tokens = tokens
        self._every = every
        self._to_go = every
        self._sampled: deque[float] = deque([-1.0] * MOST_A_SECOND, maxlen=MOST_A_SECOND)
        self._busy = False

    def armed_by(self, request: Request) -> str:
        """Who wants a request profiled: ``admin``, ``sampling`` or nobody (empty). Asked again, the same."""
        armed: str | None = request.get(ARMED)
        if armed is None:
            armed = request[ARMED] = self._decide(request)
        return armed

    async def __call__(self, request: Request, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if request["type"] != "http" or not self.armed_by(request) or self._busy:
            await self._app(request, receive, send)
            return
        self._busy = True
        try:
            await self._profiled(request, receive, send)
        finally:
            self._busy = False

    def _decide(self, request: Request) -> str:
        if not self.installed:
            return ""
        if self._every:
            self._to_go -= 1
            if self._to_go <= 0:
                self._to_go = self._every
                now = time.monotonic()
                if not self._busy and now - self._sampled[0] >= 1:
                    self._sampled.append(now)
                    return "sampling"
        for name, _ in request["headers"]:
            if name == HEADER:
                return "admin" if self._is_admin(request) else ""
        return ""

    def _is_admin(self, request: Request) -> bool:
        sent = [value for name, value in request["headers"] if name == b"authorization"]
        return bool(sent) and self._tokens.scope_of_header(sent[0]) is Scope.admin

    async def _profiled(self, request: Request, receive: Receive, send: Send) -> None:
        from pyinstrument import Profiler  # noqa: PLC0415

        profile_id, armed_by = self._profiles.next_id(), self.armed_by(request)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start" and armed_by == "admin":
                headers = [*message.get("headers", ()), (ANSWER_HEADER, profile_id.encode())]
                message = {**message, "headers": headers}
            await send(message)

        began = time.perf_counter()
        profiler = Profiler(async_mode="enabled")
        try:
            profiler.start()
        except RuntimeError as error:  # somebody else profiles this thread
            logger.warning("a request could not be profiled: %s", error)
            await self._app(request, receive, send)
            return
        ending = asyncio.get_running_loop().call_later(LONGEST_SECONDS, _stop, profiler)
        try:
            await self._app(request, receive, send_with_id)
        finally:
            ending.cancel()
            _stop(profiler)
            if profiler.last_session is not None:
                self._profiles.keep(
                    Profile(
                        profile_id,
                        datetime.now(UTC),
                        request["method"],
                        getattr(request.get("route"), "path", "the hot route"),
                        (time.perf_counter() - began) * 1000,
                        armed_by,
                        profiler.last_session,
                    )
                )


def _stop(profiler: Any) -> None:
    if profiler.is_running:
        try:
            profiler.stop()
        except RuntimeError as error:
            logger.warning("a profile could not be ended: %s", error)
