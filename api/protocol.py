"""The reader's HTTP protocol: uvicorn's, with a short cut for the hot route.

A task, a coroutine and two messages for each request cost more than a list does. So the hot route is asked
first, and its response written straight to the socket. Everything else is uvicorn's: parsing, keep-alive,
pipelining, flow control, shutdown. Under another server, or a uvicorn without this seam, the same requests
are answered through ASGI.
"""

from typing import TYPE_CHECKING, Any, cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.hot_route import Response
from api.profiling import ShortCut
from api.tracing import REQUEST_ID, given_id

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

OK = b"HTTP/1.1 200 OK\r\n"


class ReaderProtocol(HttpToolsProtocol):
    """One connection of a client."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._short_cut: ShortCut | None = getattr(self.app, "short_cut", None)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        def respond(response: Response) -> None:
            self._write(cycle, response)

        def leave() -> None:
            super(ReaderProtocol, self)._start_asgi_task(cycle, app)

        if (
            self._short_cut is None
            or app is not self.app
            or self.flow.write_paused
            or not self._short_cut(cast("Scope", cycle.scope), respond, leave)
        ):
            leave()

    def _write(self, cycle: RequestResponseCycle, response: Response) -> None:
        cycle.response_started = cycle.response_complete = True
        if cycle.disconnected:
            return
        headers, age_seconds, body = response
        request_id = given_id(cycle.scope["headers"])
        self.transport.write(
            b"".join(
                [
                    OK,
                    *[b"%b: %b\r\n" % header for header in cycle.default_headers],
                    headers.lines(age_seconds, len(body)),
                    b"%b: %b\r\n" % (REQUEST_ID, request_id) if request_id else b"",
                    b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n",
                    body,
                ]
            )
        )
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()
