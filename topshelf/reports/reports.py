"""Tells Sentry what failed, what was refused and what was slow, by explicit capture.

Nothing is hooked into requests or tasks, so that nothing is paid for while all is well: Sentry's own
integrations cost 50 to 900 µs a request. Events are sent by Sentry's thread; a server that is down is not
noticed.
"""

import hmac
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from topshelf.reports.client import STOP_SECONDS, client_of
from topshelf.reports.monitor import CheckInStatus, Monitor
from topshelf.reports.rate import OTHER, Rate
from topshelf.reports.titles import LONGEST_TITLE, without_user
from topshelf.settings import Settings

if TYPE_CHECKING:
    import sentry_sdk

FAILURES_A_MINUTE = 10
"""Of one kind in one place; what is beyond is counted in the next that is sent."""

EVENTS = uuid.UUID("0d8bb4c2-6d37-4d3b-8d0e-7b8a3d1f0c55")
"""Namespace of the ids of events that have a name."""

Level = Literal["error", "warning", "info"]
Event = dict[str, Any]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where something happened.

    Attributes:
        name: a route, ``GET /reco/{model_name}/{user_id}``, or a task, ``topshelf.train``.
        tags: what Sentry can search for: route or task, model, generation, job …
        contexts: more to read, by heading.
    """

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@contextmanager
def _logged() -> Iterator[None]:
    """Have what goes wrong logged and go no further: no report is worth what it reports on."""
    try:
        yield
    except Exception:
        logger.exception("an error could not be reported")


class Reports:
    """Reports of one process; without a DSN it does nothing, and sentry-sdk is not imported.

    No method that reports ever raises.

    Args:
        service: who reports: ``reader``, ``worker`` or ``beat``.
        transport: takes the place of Sentry's own.

    Raises:
        SettingsError: the DSN is none, or sentry-sdk is not installed.
    """

    def __init__(self, settings: Settings, service: str, transport: Any = None) -> None:
        self._service = service
        # Ids are short: of a hash without a key, trying them all would tell whose it is.
        self._hash_key = _hash_key(settings)
        self._client = client_of(settings, transport) if settings.sentry_dsn.get_secret_value() else None
        self._failures = Rate(FAILURES_A_MINUTE, 60)
        self._slow = Rate(1, 60)
        self._refusals = Rate(1, settings.sentry_refused_seconds)
        self.reports_refusals = self._client is not None and settings.sentry_refused_seconds > 0

    @_logged()
    def failed(
        self,
        error: BaseException,
        place: Place,
        *,
        user: str = "",
        level: Level = "error",
        group: Sequence[str] = (),
    ) -> None:
        """Report an error.

        Args:
            user: whom it concerns; hashed, and left out of the error's text.
            group: what makes another error the same; Sentry's own guess where empty.
        """
        kind = ("failed", place.name, type(error).__name__, *group)
        self._send(
            self._failures, kind, lambda client: _failure(client, error, user, level, group), place, user
        )

    @_logged()
    def refused(self, status: int, key: str, message: str, place: Place, *, user: str = "") -> None:
        """Report a request that was answered with an error anybody may expect.

        One every ``sentry_refused_seconds`` of each status, key and route, with the number of those between.
        """
        group = (str(status), key, place.name)

        def event_of(_: "sentry_sdk.Client") -> tuple[Event, None]:
            return _message(f"{_refusal(group)}: {without_user(message, user)}", group), None

        if self.reports_refusals:
            self._send(self._refusals, group, event_of, place, user)

    @_logged()
    def slow(self, place: Place, seconds: float, *, user: str = "") -> None:
        """Report a slow request, one a minute of each route."""
        title = f"slow request: {place.name}"
        event = _message(title, (title,)) | {"extra": {"milliseconds": round(seconds * 1000, 1)}}
        self._send(self._slow, title, lambda _: (event, None), place, user)

    @_logged()
    def say(
        self, title: str, place: Place, *, group: Sequence[str], once: str, level: Level = "error"
    ) -> None:
        """Report what is no exception; ``once`` names it, so that told twice it arrives once."""
        event = _message(title, group) | {"level": level, "event_id": uuid.uuid5(EVENTS, once).hex}
        self._send(self._failures, tuple(group), lambda _: (event, None), place, "")

    @_logged()
    def check_in(
        self, monitor: Monitor, run: str, status: CheckInStatus, seconds: float | None = None
    ) -> None:
        """Tell the monitor of a schedule how the run of this id stands; it took ``seconds``, once over."""
        if self._client is not None:
            self._capture(monitor.check_in(run, status, seconds) | self._origin(self._client), None)

    def close(self) -> None:
        """Say how many were held back, then send what waits, for a second at most."""
        if self._client is None:
            return
        for group, number in self._refusals.held_back():
            self._left_over(group, number)
        self._client.close(timeout=STOP_SECONDS)

    @_logged()
    def _left_over(self, group: Any, number: int) -> None:
        if group == OTHER:
            event = _message("requests of many more kinds were refused", (OTHER,))
        else:
            event = _message(f"{_refusal(group)}: {number} more since the last report", group)
            event |= {"transaction": group[2], "tags": {"service": self._service, "route": group[2]}}
        self._capture(event | {"extra": {"held_back_before": number}}, None)

    def _send(
        self,
        rate: Rate,
        kind: Any,
        event_of: "Callable[[sentry_sdk.Client], tuple[Event, Any]]",
        place: Place,
        user: str,
    ) -> None:
        held_back = None if self._client is None else rate.take(kind)
        if self._client is None or held_back is None:
            return
        event, hint = event_of(self._client)
        event["transaction"] = place.name
        event["tags"] = {"service": self._service, **place.tags}
        event["contexts"] = {name: dict(context) for name, context in place.contexts.items()}
        event["extra"] = {**event.get("extra", {}), "held_back_before": held_back}
        if user:
            event["user"] = {"id": hmac.digest(self._hash_key, user.encode(), "sha256").hex()[:16]}
        self._capture(event, hint)

    def _capture(self, event: Event, hint: Any) -> None:
        if self._client is not None:
            self._client.capture_event(event, hint)  # type: ignore[arg-type]  # their TypedDict

    def _origin(self, client: "sentry_sdk.Client") -> Event:
        """What Sentry's client adds to events, and not to check-ins."""
        return {name: client.options[name] for name in ("environment", "release")}


def check_reports(settings: Settings) -> None:
    """See at the start of a process, before anything is forked, that it could report.

    Raises:
        SettingsError: the DSN is none, or sentry-sdk is not installed.
    """
    Reports(settings, "").close()


def _failure(
    client: "sentry_sdk.Client", error: BaseException, user: str, level: Level, group: Sequence[str]
) -> tuple[Event, Any]:
    from sentry_sdk.utils import event_from_exception  # noqa: PLC0415

    mechanism = {"type": "topshelf", "handled": level != "error"}
    event, hint = event_from_exception(error, client_options=client.options, mechanism=mechanism)
    for value in event["exception"]["values"]:
        value["value"] = without_user(str(value["value"]), user)
    found: Event = {**event, "level": level}
    return (found | {"fingerprint": list(group)} if group else found), hint


def _message(title: str, group: Sequence[str]) -> Event:
    return {"message": title[:LONGEST_TITLE], "level": "warning", "fingerprint": list(group)}


def _refusal(group: Sequence[str]) -> str:
    status, key, route = group
    return f"{status} {key} on {route}"


def _hash_key(settings: Settings) -> bytes:
    """The same in every reader of a deployment, and known to nobody else."""
    tokens = (*settings.tokens_read, *settings.tokens_events, *settings.tokens_admin)
    return "\n".join(token.get_secret_value() for token in tokens).encode()
