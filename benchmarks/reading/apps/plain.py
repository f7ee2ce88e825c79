"""A plain FastAPI reader over the same generation: ``redis.asyncio``, one HGET a request, a response model.

It follows no pointer, knows of no hidden item, and has no answer for who is not stocked.
"""

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import redis.asyncio
from fastapi import Depends, FastAPI, HTTPException

from benchmarks.reading.apps.answers import K, Recommendations, check_token
from benchmarks.reading.apps.serving import arguments, serve
from store.catalog import load_catalog
from store.connection import connect
from store.generations import Generations
from store.keys import Keys
from topshelf.errors import ServiceError


def plain_reader(url: str, model: str, cache_dir: Path) -> FastAPI:
    """The app, over the generation that is live now.

    Raises:
        ServiceError: none is, or its indices are not of two bytes.
    """
    keys = Keys()
    with connect(url) as store:
        generation = Generations(store, keys).live(model)
        if generation is None or generation.id_width != 2:
            raise ServiceError(f"a live generation of {model} with item indices of two bytes is wanted")
        items = list(load_catalog(store, keys, generation.dataset, cache_dir).item_ids)
    client = redis.asyncio.Redis.from_url(url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await client.aclose()

    app = FastAPI(lifespan=lifespan)

    @app.get(
        f"/reco/{model}/{{user_id}}", response_model=Recommendations, dependencies=[Depends(check_token)]
    )
    async def recommend(user_id: int) -> Recommendations:
        key = str(user_id).encode()
        bucket = zlib.crc32(key) % generation.n_buckets
        row = await client.hget(keys.bucket(model, generation.id, bucket), key)
        if not isinstance(row, bytes):
            raise HTTPException(404)
        indices = np.frombuffer(row, dtype="<u2")[:K].tolist()
        return Recommendations(user_id=user_id, items=[int(items[index]) for index in indices])

    return app


if __name__ == "__main__":
    given = arguments("redis", "model", "cache")
    serve(plain_reader(given.redis, given.model, Path(given.cache)), given.port)
