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
from api.list_headers import ListHeaders
from api.reader import Reader
from api.routes.reco import ROUTE
from api.shelf import Wish
from api.snapshot import LiveModel
from api.users import user_from_path
from store.stock import UserRow
from topshelf.errors import StoreError, UserNotFound

PREFIX = "/reco/"

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
        self._answered = reader.metrics.answered("GET", ROUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        asked = self._asked(scope)
        if asked is None:
            await self._app(scope, receive, send)
            return
        try:
            headers, age_seconds, body = await self._answer(asked)
        except Exception:
            logger.exception("the hot route failed; %s goes the long way", ROUTE)
            await self._app(scope, receive, send)
            return
        pairs = headers.pairs(age_seconds, len(body))
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": body})

    def begin(self, scope: Scope, respond: Callable[[Response], None], leave: Callable[[], None]) -> bool:
        """Answer without a task where the row is in memory, or is one read away.

        Args:
            respond: called with the response, now or when Redis has answered.
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
            response = self._stored(asked, row)
            if response is not None:
                respond(response)
            return response is not None
        reading = model.stock.read_row(user_key)
        if reading is None:
            return False

        def answered(reading: "asyncio.Future[bytes | None]") -> None:
            response = None
            try:
                response = self._stored(asked, reading.result())
            except StoreError:
                pass  # the other way there is another reading, or an answer without
            except Exception:
                logger.exception("the hot route failed; %s goes the long way", ROUTE)
            if response is None:
                leave()
            else:
                respond(response)

        reading.add_done_callback(answered)
        return True

    async def _answer(self, asked: Asked) -> Response:
        row, stale = await self._reader.row(asked[0], asked[2])
        stored = None if row.recents else self._stored(asked, row.row, stale=stale)
        return stored or self._made(asked, row, stale=stale)

    def _asked(self, scope: Scope) -> Asked | None:
        """What is asked for; None for what goes the long way."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"]:
            return None
        path: str = scope["path"]
        if not path.startswith(PREFIX):
            return None
        began = perf_counter()
        name, _, text = path[len(PREFIX) :].partition("/")
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

    def _stored(self, asked: Asked, row: bytes | None, *, stale: bool = False) -> Response | None:
        """The response from a row that is handed out as it stands; None where it is not."""
        model = asked[0]
        if not row or model.popularity:
            return None
        items = model.first_items(row)
        hidden = model.assortment.hidden(self._reader.live.snapshot.overlay)
        if not items or (hidden and not hidden.isdisjoint(items)):
            return None
        encoded = model.assortment.encoded
        self._reader.metrics.handed_out(model.name, "cache", stale=stale)
        return self._response(asked, "cache", b",".join([encoded[item] for item in items]), stale=stale)

    def _made(self, asked: Asked, row: UserRow, *, stale: bool) -> Response:
        """The response for a list that must be put together."""
        model = asked[0]
        served = self._reader.answer(model, row, Wish(model.k), stale=stale).served
        return self._response(asked, served.source, orjson.dumps(served.items)[1:-1], stale=stale)

    def _response(self, asked: Asked, source: str, items: bytes, *, stale: bool) -> Response:
        model, user, user_key, began = asked
        # An integer is JSON as it stands.
        encoded = user_key if type(user) is int else orjson.dumps(user)
        body = b'{"user_id":%b,"items":[%b]}' % (encoded, items)
        self._answered(perf_counter() - began)
        return model.headers(source, stale), int(model.age_seconds(time())), body
