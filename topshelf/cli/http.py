"""Calls to a running reader."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from topshelf.errors import ReaderRefused, ServiceError

TIMEOUT_SECONDS = 10


class Answer:
    """What the reader said: the decoded body and the headers."""

    def __init__(self, body: Any, headers: Any) -> None:
        self.body = body
        self.headers = headers


def get(base: str, token: str, *path: str, **query: Any) -> Answer:
    """GET ``base/path…?query``.

    Raises:
        ServiceError: nobody answers there.
        ReaderRefused: the answer is an error.
    """
    asked = {name: value for name, value in query.items() if value is not None}
    url = f"{base}/{'/'.join(quote(part, safe='') for part in path)}{'?' + urlencode(asked) if asked else ''}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 -- http(s) only
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            return Answer(json.load(response), response.headers)
    except urllib.error.HTTPError as error:
        raise _refusal(error) from error
    except (OSError, ValueError) as error:
        raise _nobody(base, error) from error


class Raw(NamedTuple):
    """An answer of any status, as it came; ``headers`` whatever the case of their names."""

    status: int
    headers: Message
    body: bytes


def send(
    base: str,
    token: str,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Raw:
    """Send one request for a path, its query included; an error is an answer like any other.

    Raises:
        ServiceError: nobody answers there.
    """
    sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(base + quote(path, safe="/?&=%+,:;@~"), body, sent, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            return Raw(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Raw(error.code, error.headers, error.read())
    except (OSError, ValueError) as error:
        raise _nobody(base, error) from error


def _nobody(base: str, error: Exception) -> ServiceError:
    return ServiceError(f"no reader answers at {base}; start one with `topshelf up` ({error})")


def _refusal(error: urllib.error.HTTPError) -> ReaderRefused:
    try:
        first = json.load(error)["errors"][0]
        return ReaderRefused(first["error_message"], first["error_key"])
    except (ValueError, KeyError, IndexError, TypeError):
        return ReaderRefused(f"the reader answered {error.code} {error.reason}")
