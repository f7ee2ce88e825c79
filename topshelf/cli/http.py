"""Calls to a running reader."""

import json
import urllib.error
import urllib.request
from typing import Any
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
        raise ServiceError(f"no reader answers at {base}; start one with `topshelf up` ({error})") from error


def _refusal(error: urllib.error.HTTPError) -> ReaderRefused:
    try:
        first = json.load(error)["errors"][0]
        return ReaderRefused(first["error_message"], first["error_key"])
    except (ValueError, KeyError, IndexError, TypeError):
        return ReaderRefused(f"the reader answered {error.code} {error.reason}")
