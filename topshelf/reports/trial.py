"""One report on purpose, and what the server says to it: for whoever checks the wiring."""

import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from typing import Any

from topshelf.errors import ServiceError, SettingsError
from topshelf.reports.reports import Place, Reports, check_reports
from topshelf.settings import Settings

TITLE = "a report on purpose: whoever reads this is told of Topshelf's errors"
PLACE = Place("topshelf report-test", {"task": "report-test"})
ANSWER_SECONDS = 10.0
LONGEST_ANSWER = 500


@dataclass(frozen=True)
class Trial:
    """A report that was taken.

    Attributes:
        event: its id.
        address: where it was sent, without the key.
        answer: status and body of the answer.
    """

    event: str
    address: str
    environment: str
    answer: str


def report_on_purpose(settings: Settings) -> Trial:
    """Send one event and wait for the answer.

    Raises:
        SettingsError: there is no DSN, or sentry-sdk is not installed.
        ServiceError: nobody answers, or the server did not take it; the message has its answer.
    """
    dsn = settings.sentry_dsn.get_secret_value()
    if not dsn:
        raise SettingsError("TOPSHELF_SENTRY_DSN is not set: nothing is reported anywhere")
    kept: list[Any] = []
    check_reports(settings)
    reports = Reports(settings, "command", _keeping(kept))
    reports.say(TITLE, PLACE, group=("report-test",), once=uuid.uuid4().hex, level="info")
    return _posted(settings, dsn, kept[0])


def _keeping(kept: list[Any]) -> Any:
    """A transport that sends nothing: Sentry's own would not tell what the server says."""
    from sentry_sdk.transport import Transport  # noqa: PLC0415

    class Keeping(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            kept.append(envelope)

    return Keeping()


def _posted(settings: Settings, dsn: str, envelope: Any) -> Trial:
    from sentry_sdk.utils import Dsn  # noqa: PLC0415

    server = Dsn(dsn).to_auth("topshelf")
    address = server.get_api_url()
    request = urllib.request.Request(  # noqa: S310 -- http(s) only, the settings see to it
        address,
        envelope.serialize(),
        {"X-Sentry-Auth": server.to_header(), "Content-Type": "application/x-sentry-envelope"},
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
            said = _said(settings, answer.status, answer.read())
    except urllib.error.HTTPError as error:
        said = _said(settings, error.code, error.read())
        raise ServiceError(f"the report was not taken at {address}: {said}") from error
    except OSError as error:
        raise ServiceError(f"nobody takes reports at {address}: {error}") from error
    return Trial(envelope.headers["event_id"], address, settings.sentry_environment, said)


def _said(settings: Settings, status: int, body: bytes) -> str:
    text = settings.without_secrets(body.decode(errors="replace")).strip()
    return f"{status} {text[:LONGEST_ANSWER]}".strip()
