"""Lists for people without an account."""

import asyncio
import time

from fastapi import APIRouter, Depends, Request, Response

from api.auth import Scope, requires
from api.errors import documented
from api.item_ids import typed_items
from api.reader import reader_of
from api.schemas import SessionItems, SessionRecommendations
from api.shelf import Shelf, Taste
from api.wishes import wish_for

router = APIRouter(tags=["recommendations"], dependencies=[Depends(requires(Scope.read))])


@router.post(
    "/reco/{model_name}/session",
    summary="A list for the items somebody looked at",
    responses=documented(404, 413, 422, 503),
)
async def recommend_session(
    request: Request, response: Response, model_name: str, body: SessionItems
) -> SessionRecommendations:
    """Neighbours of the items sent, topped up by what is popular; unknown items count for nothing."""
    reader = reader_of(request)
    model = reader.model(model_name)
    shelf = Shelf(reader.live.snapshot)
    items = typed_items(model.assortment, body.items, ("body", "items"))
    wish = wish_for(
        shelf,
        model.assortment,
        "body",
        k=body.k,
        most=model.generation.k_store,
        category=body.category,
        exclude=body.exclude,
    )
    taste = Taste([str(item) for item in reversed(items)])
    if shelf.is_quick(len(items)):
        served = shelf.session(model.assortment, taste, wish)
    else:
        served = await asyncio.to_thread(shelf.session, model.assortment, taste, wish)
    reader.metrics.handed_out(model.name, served.source)
    response.headers["X-Reco-Source"] = served.source
    response.headers["X-Reco-Generation"] = str(model.pointer)
    response.headers["X-Reco-Age"] = str(int(model.age_seconds(time.time())))
    return SessionRecommendations(items=served.items, source=served.source)
