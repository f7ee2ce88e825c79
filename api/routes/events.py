"""Feedback: what users did."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from fastapi import APIRouter, Depends, Request

from api.assortment import Assortment
from api.auth import Scope, requires
from api.errors import Location, documented, invalid
from api.item_ids import wrong_type
from api.reader import Reader, reader_of
from api.schemas import EventBody, Events, EventsTaken, ManyEvents
from api.users import typed_user
from store.events import Event
from topshelf.errors import UserNotFound

router = APIRouter(tags=["events"], dependencies=[Depends(requires(Scope.events))])


@router.post(
    "/events",
    status_code=202,
    summary="Send feedback, one event or many",
    responses=documented(413, 422, 503),
)
def post_events(request: Request, body: Events) -> EventsTaken:
    """All events are taken, or none. An item touched is gone from its user's next list.

    Items may be new. After an answer of 503 send the same events again: those with an `event_id` count once.
    """
    reader = reader_of(request)
    many = isinstance(body, ManyEvents)
    bodies = body.events if isinstance(body, ManyEvents) else [body]
    assortment = reader.live.snapshot.assortment
    if assortment:
        _check_ids(assortment, bodies, many=many)
    events = [_event(one) for one in bodies]
    reader.events.append(events)
    _touch(reader, events)
    return EventsTaken(accepted=len(events), event_ids=[event.event_id for event in events])


def _check_ids(assortment: Assortment, bodies: Sequence[EventBody], *, many: bool) -> None:
    faults: list[tuple[Location, str]] = []
    for position, body in enumerate(bodies):
        where: Location = ("body", "events", position) if many else ("body",)
        try:
            typed_user(assortment, body.user_id)
        except UserNotFound as error:
            faults.append(((*where, "user_id"), str(error)))
        if message := wrong_type("item", body.item_id, assortment.catalog.item_id_type):
            faults.append(((*where, "item_id"), message))
    if faults:
        raise invalid(faults)


def _event(body: EventBody) -> Event:
    moment = body.timestamp or datetime.now(UTC)
    return Event(
        event_id=body.event_id or uuid.uuid4().hex,
        user_id=body.user_id,
        item_id=body.item_id,
        timestamp=moment.isoformat(),
        weight=body.weight,
    )


def _touch(reader: Reader, events: Sequence[Event]) -> None:
    items_of_user: dict[str, list[str]] = {}
    for event in sorted(events, key=lambda event: event.timestamp):
        items_of_user.setdefault(str(event.user_id), []).append(str(event.item_id))
    for user, items in items_of_user.items():
        reader.recents.touch(user, items)
    reader.touched(items_of_user)
