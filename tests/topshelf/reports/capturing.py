"""Transports that take the place of Sentry's own."""

from typing import Any

from pydantic import SecretStr
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from topshelf.settings import Settings

DSN = "http://4b1cbc63e9a34cbe8f4d6c3f1a7f0f7a@127.0.0.1:9/1"


class Capturing(Transport):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []
        self.check_ins: list[dict[str, Any]] = []
        self.flushed_seconds: list[float] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        for item in envelope.items:
            kept = self.check_ins if item.type == "check_in" else self.events
            kept.append(dict(item.payload.json or {}))

    def flush(self, timeout: float, callback: object = None) -> None:
        self.flushed_seconds.append(timeout)

    @property
    def titles(self) -> list[str]:
        """What a server would call each event."""
        return [title_of(event) for event in self.events]


class Broken(Transport):
    """Fails whenever something is to be sent."""

    def capture_envelope(self, envelope: Envelope) -> None:
        raise OSError("no route to host")


def title_of(event: dict[str, Any]) -> str:
    """An event's message, or the kind and text of its last error."""
    if "exception" not in event:
        return str(event["message"])
    value = event["exception"]["values"][-1]
    return f"{value['type']}: {value['value']}"


def reporting(settings: Settings, dsn: str = DSN, **changes: object) -> Settings:
    """The same settings with reports on."""
    return settings.model_copy(update={"sentry_dsn": SecretStr(dsn), **changes})
