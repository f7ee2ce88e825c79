"""Nightly runs told to web addresses: a POST of JSON, signed as standardwebhooks.com has it."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import httpx

from store.job import Job
from store.night import NightlyRun
from topshelf.errors import NoticeUndelivered
from topshelf.settings import Settings
from topshelf.settings.kinds import BASE64_PREFIX
from workers.hooks.hook import RunHook
from workers.night_outcomes import seconds_of
from workers.runtime import Runtime

for _library in ("httpx", "httpcore"):
    # They log whole addresses, which may hold a token.
    logging.getLogger(_library).setLevel(logging.WARNING)


class WebHook(RunHook):
    """Posts every event of a run to one address.

    A receiver tells a repeat by the header ``webhook-id``. It has taken the notice where it answers with a
    status of 200 to 299; a redirect is not followed, for it would hand on what the body says.
    """

    def __init__(self, url: str, settings: Settings) -> None:
        self.name = f"webhook-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
        self._url = url
        self._settings = settings

    def started(self, run: NightlyRun) -> None:
        self._post("started", run)

    def succeeded(self, run: NightlyRun) -> None:
        self._post("succeeded", run)

    def failed(self, run: NightlyRun) -> None:
        self._post("failed", run)

    def refused(self, run: NightlyRun, job: Job) -> None:
        self._post("refused", run, model=job.model)

    def skipped(self, run: NightlyRun) -> None:
        self._post("skipped", run)

    def _post(self, event: str, run: NightlyRun, model: str = "") -> None:
        body = json.dumps(notice_of(event, run, model)).encode()
        notice_id = ".".join(part for part in (run.id, event, model) if part)
        headers = {
            "content-type": "application/json",
            "user-agent": "topshelf",
            **signed_headers(notice_id, body, self._settings.webhook_secret.get_secret_value()),
        }
        try:
            status = asyncio.run(self._status_of(body, headers))
        except TimeoutError:
            within = f"{self._settings.webhook_timeout_seconds:g} s"
            raise NoticeUndelivered(f"the receiver did not answer within {within}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            said = self._settings.without_secrets(str(error)) or type(error).__name__
            raise NoticeUndelivered(f"the receiver cannot be reached: {said}") from None
        if not httpx.codes.is_success(status):
            raise NoticeUndelivered(f"the receiver answered with status {status}")

    async def _status_of(self, body: bytes, headers: dict[str, str]) -> int:
        """The status of the answer, whose body is left unread; httpx alone limits each read, not all."""
        async with (
            asyncio.timeout(self._settings.webhook_timeout_seconds),
            httpx.AsyncClient(timeout=None) as client,  # noqa: S113 -- the limit is that of the whole
            client.stream("POST", self._url, content=body, headers=headers) as answer,
        ):
            return answer.status_code


def webhooks(runtime: Runtime) -> Iterable[WebHook]:
    """A hook for each address in the settings."""
    return [WebHook(url.get_secret_value(), runtime.settings) for url in runtime.settings.webhook_urls]


def notice_of(event: str, run: NightlyRun, model: str = "") -> dict[str, Any]:
    """What an address is sent; ``model`` is the one refused."""
    return {
        "event": event,
        "model": model or None,
        "run": run.id,
        "schedule": run.schedule,
        "date": run.date,
        "due": run.due,
        "trigger": run.trigger,
        "state": run.state,
        "reason": run.reason,
        "dataset": run.dataset,
        "started": run.started,
        "finished": run.finished,
        "duration_seconds": seconds_of(run),
        "models": [asdict(outcome) for outcome in run.models.values()],
    }


def signed_headers(notice_id: str, body: bytes, secret: str) -> dict[str, str]:
    """The headers of Standard Webhooks: an id, the time, with a key the signature of both and the body."""
    moment = str(int(time.time()))
    headers = {"webhook-id": notice_id, "webhook-timestamp": moment}
    if secret:
        signed = f"{notice_id}.{moment}.".encode() + body
        digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def _key(secret: str) -> bytes:
    """The bytes of a key: behind ``whsec_`` they are in base64, otherwise the text itself is the key."""
    if secret.startswith(BASE64_PREFIX):
        return base64.b64decode(secret.removeprefix(BASE64_PREFIX), validate=True)
    return secret.encode()
