"""Users: what is known about them."""

from fastapi import APIRouter, Depends, Request

from api.auth import Scope, requires
from api.errors import documented
from api.reader import reader_of
from api.schemas import UserBody, UserState
from api.users import user_from_path

router = APIRouter(tags=["users"], dependencies=[Depends(requires(Scope.events))])


@router.put(
    "/users/{user_id:path}",
    summary="Set what is known about a user",
    responses=documented(404, 413, 422, 503),
)
def put_user(request: Request, user_id: str, body: UserBody) -> UserState:
    """Replaces what was known; the first category decides what a user without a list and events gets."""
    reader = reader_of(request)
    assortment = reader.live.snapshot.assortment
    user = user_from_path(assortment, user_id)
    state = UserState(user_id=user, categories=body.categories or [], features=body.features or {})
    reader.recents.put_profile(str(user), state.model_dump(exclude={"user_id"}))
    reader.touched([str(user)])
    return state
