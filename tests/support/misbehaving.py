# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that misbehaves as it is told: what no real server does when a test wants it to."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import threading
import typing as t


@dataclasses.dataclass
class Say:
    """One answer."""

    status: int = 200
    body: t.Any = b""
    """Bytes, or a JSON value."""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    cut: bool = False
    """Close the connection in the middle of the body."""
    middle: t.Callable[[], object] = bool
    """Called there."""


@dataclasses.dataclass
class Asked:
    """One request as it came in."""

    method: str
    path: str
    headers: t.Any
    body: bytes
    peer: tuple[str, int]


class Server:
    """Answers every request by `answer(asked)`; remembers them in `asked`."""

    def __init__(self, answer: t.Callable[[Asked], Say], host: str = "127.0.0.1", silent: bool = False) -> None:
        self.asked: list[Asked] = []
        self.ended = threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                asked = Asked(self.command, self.path, self.headers, self.rfile.read(length), self.client_address)
                server.asked.append(asked)
                if silent:
                    server.ended.wait()
                say = answer(asked)
                data = say.body if isinstance(say.body, bytes) else json.dumps(say.body).encode()
                self.send_response(say.status)
                for name, value in say.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    half = len(data) // 2
                    self.wfile.write(data[:half])
                    say.middle()
                    self.wfile.write(b"" if say.cut else data[half:])
                self.close_connection = say.cut

            do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = do_PUT = handle_one  # noqa: N815

            def log_message(self, *_unused: t.Any) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer((host, 0), Handler)
        self.http.daemon_threads = True

    @property
    def address(self) -> str:
        return f"{self.http.server_address[0]!s}:{self.http.server_address[1]}"


@contextlib.contextmanager
def serving(answer: t.Callable[[Asked], Say], host: str = "127.0.0.1", *, silent: bool = False) -> t.Iterator[Server]:
    """Until the end; one that is `silent` takes requests and never answers."""
    server = Server(answer, host, silent)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.http.shutdown()
        server.http.server_close()
        thread.join()
