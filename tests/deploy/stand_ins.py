"""What the front of the readers finds around it: a name server, and servers that say who they are."""

import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HEADER = struct.Struct(">6H")
A, IN = 1, 1
ANSWER_SECONDS_TO_LIVE = 1


class NameServer(threading.Thread):
    """Answers A questions over UDP out of ``names``, a mutable mapping of addresses."""

    def __init__(self, names: dict[str, list[str]]) -> None:
        super().__init__(daemon=True)
        self.names = names
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def run(self) -> None:
        """Answer until closed."""
        while True:
            try:
                asked, caller = self._socket.recvfrom(4096)
                self._socket.sendto(self._answer(asked), caller)
            except OSError:
                return

    def close(self) -> None:
        """Stop answering."""
        self._socket.close()

    def _answer(self, asked: bytes) -> bytes:
        identity, *_ = HEADER.unpack_from(asked)
        labels, place = [], HEADER.size
        while length := asked[place]:
            labels.append(asked[place + 1 : place + 1 + length].decode())
            place += 1 + length
        kind, _ = struct.unpack_from(">2H", asked, place + 1)
        question = asked[HEADER.size : place + 5]
        found = self.names.get(".".join(labels), []) if kind == A else []
        records = b"".join(
            struct.pack(">3HIH", 0xC00C, A, IN, ANSWER_SECONDS_TO_LIVE, 4) + socket.inet_aton(address)
            for address in found
        )
        return HEADER.pack(identity, 0x8580, 1, len(found), 0, 0) + question + records


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A caller that hangs up, as HAProxy does after a health check, is no error."""


class NamedServer:
    """An HTTP server that answers everything with its name, and ``/health/ready`` as told."""

    def __init__(self, name: str, address: str, port: int) -> None:
        self.name = name
        self.ready = True
        self._server = _Server((address, port), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = json.dumps({"name": owner.name}).encode()
                self.send_response(503 if self.path == "/health/ready" and not owner.ready else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing is said."""

        return Handler
