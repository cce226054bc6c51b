# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the examples' task files talk to: an HTTP server and a mail server that keep what they are sent."""

from __future__ import annotations

import contextlib
import http.server
import json
import socketserver
import threading
import typing as t


class Received(t.NamedTuple):
    """One request."""

    method: str
    path: str
    body: t.Any


@contextlib.contextmanager
def web() -> t.Iterator[tuple[str, list[Received]]]:
    """The address of a server that takes PUT and POST of JSON, and what came."""
    found: list[Received] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.append(Received(self.command, self.path, json.loads(body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_PUT = do_POST = _take  # noqa: N815 (the names that http.server looks for)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with _running(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as address:
        yield f"http://{address}", found


@contextlib.contextmanager
def mail() -> t.Iterator[tuple[str, list[str]]]:
    """host:port of a mail server (RFC 5321, without extensions), and the mails that came."""
    found: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 test")
            for line in iter(self.rfile.readline, b""):
                verb = line.split(None, 1)[0].upper() if line.strip() else b""
                if verb == b"QUIT":
                    self._say("221 bye")
                    return
                if verb == b"DATA":
                    self._say("354 go on")
                    lines = list(iter(self.rfile.readline, b".\r\n"))
                    found.append(b"".join(lines).decode())
                self._say("502 no" if verb == b"EHLO" else "250 ok")

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with _running(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as address:
        yield address, found


@contextlib.contextmanager
def _running(server: socketserver.TCPServer) -> t.Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
