"""Tells Sentry what failed and what was slow, by explicit capture.

Nothing is hooked into requests, so that nothing is paid for while all is well: Sentry's own integrations cost
50 to 900 µs a request. Events are sent by Sentry's thread; a server that is down is not noticed.
"""

import hmac
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from api.release import release
from topshelf.errors import SettingsError
from topshelf.settings import Settings

if TYPE_CHECKING:
    import sentry_sdk

FAILURES_A_MINUTE = 10
"""Of one kind on one route; what is beyond is counted in the next that is sent."""
STOP_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Reports:
    """Reports of one process; without a DSN it does nothing, and sentry-sdk is not imported.

    ``transport`` takes the place of Sentry's own.

    Raises:
        SettingsError: the DSN is none, or sentry-sdk is not installed.
    """

    def __init__(self, settings: Settings, transport: Any = None) -> None:
        self._settings = settings
        # Ids are short: of a hash without a key, trying them all would tell whose it is.
        self._hash_key = _hash_key(settings)
        self._client = _client(settings, transport) if settings.sentry_dsn.get_secret_value() else None
        self._minutes: dict[tuple[str, ...], tuple[float, int]] = {}

    def failed(self, error: BaseException, route: str, tags: Mapping[str, str], user: str = "") -> None:
        """Report an unexpected error; never raises."""
        self._send(("failed", route, type(error).__name__), FAILURES_A_MINUTE, route, tags, user, error)

    def slow(self, route: str, seconds: float, tags: Mapping[str, str]) -> None:
        """Report a slow request, one a minute of each route; never raises."""
        self._send(("slow", route), 1, route, tags, "", None, seconds)

    def close(self) -> None:
        """Send what waits, for a second at most."""
        if self._client is not None:
            self._client.close(timeout=STOP_SECONDS)

    def _send(
        self,
        kind: tuple[str, ...],
        most_a_minute: int,
        route: str,
        tags: Mapping[str, str],
        user: str,
        error: BaseException | None,
        seconds: float = 0,
    ) -> None:
        if self._client is None:
            return
        began, sent = self._minutes.get(kind, (0.0, 0))
        if time.monotonic() - began >= 60 or not sent:
            left_out, began, sent = max(0, sent - most_a_minute), time.monotonic(), 0
        else:
            left_out = 0
        self._minutes[kind] = (began, sent + 1)
        if sent >= most_a_minute:
            return
        try:
            event, hint = self._event(route, error, seconds)
            event["tags"] = {"route": route, **tags}
            event.setdefault("extra", {})["left_out_in_the_minute_before"] = left_out
            if user:
                event["user"] = {"id": hmac.digest(self._hash_key, user.encode(), "sha256").hex()[:16]}
            self._client.capture_event(event, hint)
        except Exception:
            logger.exception("an error could not be reported")

    def _event(self, route: str, error: BaseException | None, seconds: float) -> tuple[Any, Any]:
        if error is None or self._client is None:
            title = f"slow request: {route}"
            extra = {"milliseconds": round(seconds * 1000, 1)}
            return {"message": title, "level": "warning", "fingerprint": [title], "extra": extra}, None
        from sentry_sdk.utils import event_from_exception  # noqa: PLC0415

        event, hint = event_from_exception(error, client_options=self._client.options)
        for value in event["exception"]["values"]:
            value["value"] = self._settings.without_secrets(str(value["value"]))
        return event, hint


def _client(settings: Settings, transport: Any) -> "sentry_sdk.Client":
    try:
        import sentry_sdk  # noqa: PLC0415
        from sentry_sdk.utils import BadDsn  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SettingsError(
            "TOPSHELF_SENTRY_DSN is set and sentry-sdk is not installed; install topshelf[watch]"
        ) from error
    try:
        return sentry_sdk.Client(
            dsn=settings.sentry_dsn.get_secret_value(),
            environment=settings.sentry_environment,
            release=f"topshelf@{release()}",
            transport=transport,
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            shutdown_timeout=STOP_SECONDS,
        )
    except BadDsn as error:
        raise SettingsError(f"TOPSHELF_SENTRY_DSN: not a DSN ({error})") from error


def _hash_key(settings: Settings) -> bytes:
    """The same in every reader of a deployment, and known to nobody else."""
    tokens = (*settings.tokens_read, *settings.tokens_events, *settings.tokens_admin)
    return "\n".join(token.get_secret_value() for token in tokens).encode()
