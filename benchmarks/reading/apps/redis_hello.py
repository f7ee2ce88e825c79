"""The least a FastAPI service over Redis is: one route, one GET. What a start costs without us."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis.asyncio
from fastapi import FastAPI

from benchmarks.reading.apps.serving import arguments, serve


def redis_hello(url: str) -> FastAPI:
    """The app."""
    client = redis.asyncio.Redis.from_url(url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await client.aclose()

    app = FastAPI(lifespan=lifespan)

    @app.get("/{path:path}")
    async def hello(path: str) -> dict[str, str]:
        found = await client.get("hello")
        return {"path": path, "hello": str(found)}

    return app


if __name__ == "__main__":
    given = arguments("redis")
    serve(redis_hello(given.redis), given.port)
