"""Items: neighbours, availability, categories and features."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from api.assortment import Assortment
from api.auth import Scope, requires
from api.errors import documented
from api.item_ids import item_from_path
from api.reader import Reader, reader_of
from api.schemas import ItemBody, ItemState, SimilarItems
from api.shelf import Shelf
from topshelf.errors import ItemNotFound

router = APIRouter(tags=["items"])


@router.get(
    "/items/{item_id:path}/similar",
    summary="Neighbours of an item",
    dependencies=[Depends(requires(Scope.read))],
    responses=documented(404, 422, 503),
)
async def similar(
    request: Request, item_id: str, k: Annotated[int, Query(ge=1, le=200, description="items wanted")] = 10
) -> SimilarItems:
    """Nearest first, without hidden items; all there are where that is fewer than k."""
    snapshot = reader_of(request).live.snapshot
    if snapshot.neighbours is None:
        raise ItemNotFound("no neighbour index is live; publish item_knn first")
    assortment = snapshot.neighbours.assortment
    item = item_from_path(assortment, item_id)
    index = assortment.index_of(str(item))
    if index is None:
        raise ItemNotFound(f"item {item_id[:64]!r} is not in the catalogue")
    found = Shelf(snapshot).similar(index, k)
    return SimilarItems(item_id=item, items=[near for near, _ in found], scores=[score for _, score in found])


@router.put(
    "/items/{item_id:path}",
    summary="Set an item's categories, features and availability",
    dependencies=[Depends(requires(Scope.admin))],
    responses=documented(404, 413, 422, 503),
)
async def put_item(request: Request, item_id: str, body: ItemBody) -> ItemState:
    """Holds for the next answer of this process, within 250 ms in others; an unknown item is taken too."""
    reader = reader_of(request)
    item = item_from_path(_assortment(reader), item_id)
    await reader.change_item(
        str(item), hidden=body.hidden, categories=body.categories, features=body.features
    )
    return _state(reader, item)


@router.delete(
    "/items/{item_id:path}",
    summary="Hide an item",
    dependencies=[Depends(requires(Scope.admin))],
    responses=documented(404, 503),
)
async def hide_item(request: Request, item_id: str) -> ItemState:
    """The item is on nobody's next list, from any source; `PUT` shows it again."""
    reader = reader_of(request)
    item = item_from_path(_assortment(reader), item_id)
    await reader.change_item(str(item), hidden=True)
    return _state(reader, item)


def _assortment(reader: Reader) -> Assortment | None:
    return reader.live.snapshot.assortment


def _state(reader: Reader, item: int | str) -> ItemState:
    overlay = reader.live.snapshot.overlay
    known = overlay.meta.get(str(item), {})
    return ItemState(
        item_id=item,
        hidden=str(item) in overlay.hidden,
        categories=known.get("categories"),
        features=known.get("features"),
    )
