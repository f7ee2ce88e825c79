"""One request to a running reader with the profiler on, and its profile fetched as files."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from topshelf.cli.http import Raw, get, send
from topshelf.errors import InvalidRequest, ProfileNotFound, ServiceError
from topshelf.profiling.files import PAGE, SPEEDSCOPE

ARMED = {"X-Topshelf-Profile": "1"}
ID_HEADER = "X-Topshelf-Profile-Id"
TRIES = 50
"""Each process of a reader keeps its own profiles, and the next connection may come to another one."""


@dataclass(frozen=True)
class ProfiledRequest:
    """What came of it: ``summary`` has status, route and milliseconds; ``text`` is the tree."""

    summary: dict[str, Any]
    text: str
    files: list[Path]


def ask_profiled(
    base: str, token: str, method: str, path: str, data: str | None, folder: Path
) -> ProfiledRequest:
    """Send one request and keep its profile in ``folder``.

    Raises:
        InvalidRequest: the path or the body is not what it should be.
        ServiceError: no reader answers, or another request is just being profiled.
        ReaderRefused: the token is not an admin's, or the reader cannot profile.
    """
    answer = send(base, token, method, _checked(path), headers=ARMED, body=_body(data))
    profile_id = answer.headers.get(ID_HEADER)
    if profile_id is None:
        get(base, token, "profiles")  # says why, where the token or the reader is the reason
        raise ServiceError("the request was answered, but another one was just being profiled; ask again")
    pages = {form: _fetched(base, token, profile_id, form) for form in ("html", "speedscope", "text")}
    summary = {"id": profile_id, "status": answer.status, "method": method, "path": path}
    return ProfiledRequest(
        summary | {"milliseconds": _milliseconds(pages["speedscope"])},
        pages["text"].decode(),
        _kept(folder, profile_id, pages),
    )


def _checked(path: str) -> str:
    if not path.startswith("/"):
        raise InvalidRequest(f"a path begins with a slash, as in /reco/als/42; {path!r} does not")
    return path


def _body(data: str | None) -> bytes | None:
    if data is None:
        return None
    try:
        json.loads(data)
    except ValueError as error:
        raise InvalidRequest(f"--data is not JSON: {error}") from error
    return data.encode()


def _fetched(base: str, token: str, profile_id: str, form: str) -> bytes:
    for _ in range(TRIES):
        answer: Raw = send(base, token, "GET", f"/profiles/{profile_id}?format={form}")
        if answer.status == 200:
            return answer.body
    raise ProfileNotFound(f"profile {profile_id} was pushed out by newer ones before it was fetched")


def _milliseconds(speedscope: bytes) -> float:
    profile = json.loads(speedscope)["profiles"][0]
    return 1e3 * float(profile["endValue"] - profile["startValue"])


def _kept(folder: Path, profile_id: str, pages: dict[str, bytes]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{profile_id}"
    files = [folder / f"{name}{PAGE}", folder / f"{name}{SPEEDSCOPE}"]
    for file, form in zip(files, ("html", "speedscope"), strict=True):
        file.write_bytes(pages[form])
    return files
