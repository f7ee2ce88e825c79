import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.body_limit import BodyLimit

LIMIT = 100
REFUSED: list[tuple[int, str]] = []


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await Response(body)(scope, receive, send)


def note(scope: Scope, status: int, key: str, message: str) -> None:
    REFUSED.append((status, key))


def post(content: bytes | AsyncIterator[bytes]) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(BodyLimit(echo, max_bytes=LIMIT, refused=note))
        async with httpx.AsyncClient(transport=transport, base_url="http://reader") as client:
            return await client.post("/", content=content)

    return asyncio.run(send())


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def test_a_body_at_the_limit_passes() -> None:
    assert post(b"x" * LIMIT).content == b"x" * LIMIT


def test_a_body_with_a_length_over_the_limit_is_refused() -> None:
    REFUSED.clear()
    answer = post(b"x" * (LIMIT + 1))
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["error_key"] == "body_too_large"
    assert REFUSED == [(413, "body_too_large")]


def test_a_chunked_body_within_the_limit_arrives_whole() -> None:
    assert post(chunks(b"a" * 40, b"b" * 60)).content == b"a" * 40 + b"b" * 60


@pytest.mark.parametrize("parts", [(b"x" * 101,), (b"x" * 60, b"y" * 41), (b"x",) * 101])
def test_a_chunked_body_over_the_limit_is_refused(parts: tuple[bytes, ...]) -> None:
    assert post(chunks(*parts)).status_code == 413
