"""Lists for users."""

import time
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response

from api.auth import Scope, requires
from api.errors import documented
from api.faults import check_faults
from api.fields import Label
from api.reader import Answer, reader_of
from api.route_names import LIST_ROUTE
from api.schemas import ManyRecommendations, ManyUsers, Recommendations
from api.shelf import Shelf
from api.snapshot import LiveModel
from api.users import typed_user, user_from_path
from api.wishes import split, wish_for
from topshelf.errors import UserNotFound

router = APIRouter(tags=["recommendations"], dependencies=[Depends(requires(Scope.read))])

HEADERS = {
    "X-Reco-Source": {
        "description": "where the first items came from: cache, knn, popular_in_category or popular",
        "schema": {"type": "string"},
    },
    "X-Reco-Generation": {
        "description": "generation that was live, base[:delta]",
        "schema": {"type": "string"},
    },
    "X-Reco-Age": {
        "description": "seconds since its base was published: a delta makes no list look younger",
        "schema": {"type": "integer"},
    },
    "X-Reco-Stale": {
        "description": "true when Redis was away or had lost the model",
        "schema": {"type": "string"},
    },
}


@router.get(
    LIST_ROUTE,
    summary="The list of one user",
    response_model=Recommendations,
    responses={**documented(404, 422, 503), 200: {"headers": HEADERS}},
)
async def recommend(
    request: Request,
    model_name: str,
    user_id: str,
    k: Annotated[
        int | None, Query(ge=1, description="items wanted, at most the k stored; 10 by default")
    ] = None,
    category: Annotated[Label | None, Query(description="only items of this category")] = None,
    exclude: Annotated[
        list[str] | None, Query(description="items left out; repeat it, or separate by commas")
    ] = None,
    scores: Annotated[bool, Query(description="whether each item's stored score is wanted")] = False,
) -> Response:
    """The user's stored list, without what the user has touched since and what is hidden.

    Topped up to k items by neighbours of recent items, then by what is popular. A user without a stored list
    gets neighbours of recent items; without those, what is popular in the user's category, or at all.
    """
    reader = reader_of(request)
    model = reader.model(model_name)
    user = user_from_path(model.assortment, user_id)
    check_faults(reader.settings, user)
    wish = wish_for(
        Shelf(reader.live.snapshot),
        model.assortment,
        "query",
        k=k,
        most=model.generation.k_store,
        category=category,
        exclude=split(exclude or ()),
    )
    answer = await reader.recommend(model, user, wish)
    body: dict[str, object] = {"user_id": user, "items": answer.served.items}
    if scores:
        body["scores"] = await reader.scores(model, user, answer.served.items)
    return Response(orjson.dumps(body), media_type="application/json", headers=_headers(model, answer))


@router.post(
    "/reco/{model_name}",
    summary="The lists of many users",
    response_model=ManyRecommendations,
    responses=documented(404, 413, 422, 503),
)
async def recommend_many(request: Request, model_name: str, body: ManyUsers) -> Response:
    """Up to 1,000 users in one call; a user id the dataset cannot have is an error of that user alone."""
    reader = reader_of(request)
    model = reader.model(model_name)
    wish = wish_for(
        Shelf(reader.live.snapshot),
        model.assortment,
        "body",
        k=body.k,
        most=model.generation.k_store,
        category=body.category,
        exclude=body.exclude,
    )
    results: list[dict[str, Any]] = []
    users: list[int | str] = []
    for given in body.user_ids:
        try:
            users.append(typed_user(model.assortment, given))
            results.append({"user_id": given})
        except UserNotFound as error:
            fault = {"error_key": error.key, "error_message": str(error)}
            results.append({"user_id": given, "items": [], "source": None, "error": fault})
    check_faults(reader.settings, *users)
    answers = iter(await reader.recommend_many(model, users, wish) if users else ())
    stale = False
    for result in results:
        if "error" not in result:
            answer = next(answers)
            result.update(items=answer.served.items, source=answer.served.source, error=None)
            stale = stale or answer.stale
    headers = _generation_headers(model, stale=stale)
    return Response(orjson.dumps({"results": results}), media_type="application/json", headers=headers)


def _headers(model: LiveModel, answer: Answer) -> dict[str, str]:
    return {"X-Reco-Source": answer.served.source, **_generation_headers(model, stale=answer.stale)}


def _generation_headers(model: LiveModel, *, stale: bool) -> dict[str, str]:
    headers = {
        "X-Reco-Generation": str(model.pointer),
        "X-Reco-Age": str(int(model.age_seconds(time.time()))),
    }
    if stale:
        headers["X-Reco-Stale"] = "true"
    return headers
