"""The hot route: ``GET /reco/{model_name}/{user_id}`` as it is asked for all day long.

It stands in front of the application and answers what needs no explanation: a valid token, a live model, a
user the dataset can have, no parameters. Everything else, and so every error, goes the long way through
:mod:`api.routes.reco`, which gives the same lists and stands in ``/docs``.
"""

import asyncio
import logging
from collections.abc import Callable
from time import perf_counter, time

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth import Tokens
from api.faults import has_fault
from api.list_headers import ListHeaders
from api.reader import Reader
from api.reporting import place_of
from api.route_names import LIST_PREFIX, LIST_ROUTE, without_converters
from api.shelf import Wish
from api.snapshot import LiveModel
from api.tracing import REQUEST_ID, given_id
from api.users import user_from_path
from store.stock import UserRow
from topshelf.errors import StoreError, UserNotFound

TITLE = f"GET {without_converters(LIST_ROUTE)}"
FAILED = f"the hot route failed; {TITLE} goes the long way"

logger = logging.getLogger(__name__)

Asked = tuple[LiveModel, int | str, bytes, float]
"""A live model, a user, the user's key, and when the answer was begun."""

Response = tuple[ListHeaders, int, bytes]
"""A list as it goes out with status 200: headers, age in seconds, body."""


class HotRoute:
    """Answers plain requests for a list and hands all others on."""

    def __init__(self, app: ASGIApp, reader: Reader, tokens: Tokens) -> None:
        self._app = app
        self._reader = reader
        self._tokens = tokens
        self._slow_seconds = reader.settings.slow_request_seconds
        self._counts: dict[tuple[str, str, bool], Callable[[float], None]] = {}
        self._tasks: set[asyncio.Task[Response | None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, under any server."""
        asked = self._asked(scope)
        response = None if asked is None else await self._answer(asked)
        if response is None:
            await self._app(scope, receive, send)
            return
        headers, age_seconds, body = response
        pairs = headers.pairs(age_seconds, len(body))
        if request_id := given_id(scope["headers"]):
            pairs.append((REQUEST_ID, request_id))
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": body})

    def begin(self, scope: Scope, respond: Callable[[Response], None], leave: Callable[[], None]) -> bool:
        """Answer without a task of ASGI's: at once where that can be done, else when Redis has answered.

        Args:
            respond: called with the response.
            leave: called instead where that comes to nothing; the request is then handled as any other.

        Returns:
            Whether one of them is called; otherwise the request is to be handled as any other.
        """
        asked = self._asked(scope)
        if asked is None:
            return False
        model, _, user_key, _ = asked
        row = model.stock.held_row(user_key)
        if row is not None:
            self._finish(asked, UserRow(row), respond, leave)
            return True
        reading = model.stock.read_row(user_key)
        if reading is not None:
            reading.add_done_callback(lambda done: self._finish_reading(asked, done, respond, leave))
            return True
        task = asyncio.ensure_future(self._answer(asked))
        self._tasks.add(task)

        def answered(task: "asyncio.Task[Response | None]") -> None:
            self._tasks.discard(task)
            response = None if task.cancelled() else task.result()
            if response is None:
                leave()
            else:
                respond(response)

        task.add_done_callback(answered)
        return True

    def _finish_reading(
        self,
        asked: Asked,
        reading: "asyncio.Future[bytes | None]",
        respond: Callable[[Response], None],
        leave: Callable[[], None],
    ) -> None:
        if reading.cancelled() or reading.exception() is not None:
            leave()  # where there is another reading, or an answer without
        else:
            self._finish(asked, UserRow(reading.result()), respond, leave)

    def _finish(
        self, asked: Asked, row: UserRow, respond: Callable[[Response], None], leave: Callable[[], None]
    ) -> None:
        try:
            response = self._response(asked, row)
        except Exception as error:
            logger.exception(FAILED)
            self._report(asked, error)
            leave()
        else:
            respond(response)

    async def _answer(self, asked: Asked) -> Response | None:
        """The response; None where something failed, for the long way to say what."""
        try:
            row, stale = await self._reader.row(asked[0], asked[2])
            return self._response(asked, row, stale=stale)
        except StoreError:
            return None
        except Exception as error:
            logger.exception(FAILED)
            self._report(asked, error)
            return None

    def _report(self, asked: Asked, error: Exception) -> None:
        self._reader.reports.failed(error, place_of(TITLE, asked[0]), user=str(asked[1]))

    def _asked(self, scope: Scope) -> Asked | None:
        """What is asked for; None for what goes the long way."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"]:
            return None
        path: str = scope["path"]
        if not path.startswith(LIST_PREFIX):
            return None
        began = perf_counter()
        name, _, text = path[len(LIST_PREFIX) :].partition("/")
        model = self._reader.live.snapshot.models.get(name)
        if model is None or not self._may_read(scope):
            return None
        try:
            user = user_from_path(model.assortment, text)
        except UserNotFound:
            return None
        return model, user, str(user).encode(), began

    def _may_read(self, scope: Scope) -> bool:
        for name, value in scope["headers"]:
            if name == b"authorization":
                # Any scope includes reading.
                return self._tokens.scope_of_header(value) is not None
        return False

    def _response(self, asked: Asked, row: UserRow, *, stale: bool = False) -> Response:
        model, user, user_key, began = asked
        source, items = self._stored(model, row) or self._near(model, row) or self._made(model, row)
        # An integer is JSON as it stands.
        encoded = user_key if type(user) is int else orjson.dumps(user)
        body = b'{"user_id":%b,"items":[%b]}' % (encoded, items)
        count = self._counts.get((model.name, source, stale)) or self._count_of(model.name, source, stale)
        seconds = perf_counter() - began
        count(seconds)
        if seconds > self._slow_seconds:
            self._reader.reports.slow(place_of(TITLE, model), seconds, user=str(user))
        return model.headers(source, stale), int(model.age_seconds(time())), body

    def _count_of(self, model: str, source: str, stale: bool) -> Callable[[float], None]:
        """What counts lists of a model from a source."""
        count = self._reader.metrics.answered("GET", LIST_ROUTE, model, source, stale=stale)
        return self._counts.setdefault((model, source, stale), count)

    def _stored(self, model: LiveModel, row: UserRow) -> tuple[str, bytes] | None:
        """Source and encoded items of a row that is handed out as it stands; None where it is not."""
        if not row.row or row.recents or model.popularity:
            return None
        items = model.first_items(row.row)
        hidden = model.assortment.hidden(self._reader.live.snapshot.overlay)
        if not items or (hidden and not hidden.isdisjoint(items)):
            return None
        encoded = model.assortment.encoded
        return "cache", b",".join([encoded[item] for item in items])

    def _near(self, model: LiveModel, row: UserRow) -> tuple[str, bytes] | None:
        """The same for the neighbours of recent items, where there are enough of them."""
        snapshot = self._reader.live.snapshot
        neighbours = snapshot.neighbours
        if row.row or not row.recents or model.popularity or neighbours is None:
            return None
        assortment = neighbours.assortment
        session = assortment.indices_of(row.recents)
        items, _ = neighbours.index.recommend(session, model.k, exclude=assortment.hidden(snapshot.overlay))
        if len(items) < model.k:
            return None
        encoded = assortment.encoded
        return "knn", b",".join([encoded[item] for item in items.tolist()])

    def _made(self, model: LiveModel, row: UserRow) -> tuple[str, bytes]:
        """The same for a list that must be put together from several sources."""
        served = self._reader.served(model, row, Wish(model.k))
        return served.source, orjson.dumps(served.items)[1:-1]


class HotRouteWithFaults(HotRoute):
    """The hot route while ``TOPSHELF_FAULT_USERS`` is on: who is to fail does so on the long way."""

    def _asked(self, scope: Scope) -> Asked | None:
        asked = super()._asked(scope)
        return None if asked is None or has_fault(asked[1]) else asked
