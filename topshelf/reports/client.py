"""Sentry's client, set up to do nothing of its own accord."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from topshelf.errors import SettingsError
from topshelf.release import release
from topshelf.settings import Settings

if TYPE_CHECKING:
    import sentry_sdk

STOP_SECONDS = 1.0

Event = dict[str, Any]


def client_of(settings: Settings, transport: Any = None) -> "sentry_sdk.Client":
    """A client for ``sentry_dsn``; ``transport`` takes the place of Sentry's own.

    Nothing is hooked in anywhere, and no secret of the settings leaves in any event.

    Raises:
        SettingsError: the DSN is none, or sentry-sdk is not installed.
    """
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
            before_send=_blotting(settings),  # type: ignore[arg-type]  # their TypedDict
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            include_local_variables=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            shutdown_timeout=STOP_SECONDS,
        )
    except BadDsn as error:
        raise SettingsError("TOPSHELF_SENTRY_DSN: not a DSN, as in https://key@host/1") from error


def _blotting(settings: Settings) -> Callable[[Event, Any], Event]:
    """Blots every secret out of whatever text an event holds."""

    def without(value: Any) -> Any:
        if isinstance(value, str):
            return settings.without_secrets(value)
        if isinstance(value, dict):
            return {without(key): without(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [without(part) for part in value]
        return value

    return lambda event, _: without(event)
