"""A service that holds an ``als`` model and scores in the request.

In a plain ``def`` route, as such services do, on a thread of the server's pool. The factors are random:
scoring takes as long as with trained ones. Items seen are not dropped.
"""

import numpy as np
from fastapi import Depends, FastAPI, HTTPException
from implicit.cpu.als import AlternatingLeastSquares

from benchmarks.reading.apps.answers import K, Recommendations, check_token
from benchmarks.reading.apps.serving import arguments, serve

FACTORS = 64


def in_process(n_users: int, n_items: int, first_item: int, model: str) -> FastAPI:
    """The app, for users 1 to n_users and items from ``first_item`` on."""
    rng = np.random.default_rng(0)
    als = AlternatingLeastSquares(factors=FACTORS, num_threads=1)
    als.user_factors = rng.standard_normal((n_users, FACTORS), dtype=np.float32)
    als.item_factors = rng.standard_normal((n_items, FACTORS), dtype=np.float32)
    app = FastAPI()

    @app.get(
        f"/reco/{model}/{{user_id}}", response_model=Recommendations, dependencies=[Depends(check_token)]
    )
    def recommend(user_id: int) -> Recommendations:
        if not 1 <= user_id <= n_users:
            raise HTTPException(404)
        found, _ = als.recommend(user_id - 1, None, N=K, filter_already_liked_items=False)
        return Recommendations(user_id=user_id, items=[first_item + index for index in found.tolist()])

    return app


if __name__ == "__main__":
    given = arguments("users", "items", "first-item", "model")
    serve(in_process(int(given.users), int(given.items), int(given.first_item), given.model), given.port)
