# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs inside pods: the exec subresource as frames of its WebSocket protocol (v4.channel.k8s.io).

A frame's first byte says which stream it belongs to: 0 standard input, 1 standard output, 2 standard error, 3 the
program's end as a Status object.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import socket
import typing as t
import urllib.parse

from .client import Client
from .errors import KubeError

_PROTOCOL = "v4.channel.k8s.io"
_STDIN, _STDOUT, _STDERR, _STATUS = range(4)
_STDERR_LIMIT = 4096
_CLOSE = 0x8


class Exec:
    """A program that runs in a container; `output` gives what it writes."""

    def __init__(self, connection: t.Any, what: str) -> None:
        self._socket = connection
        self._what = what
        self._stderr = b""

    def output(self) -> t.Iterator[bytes]:
        """Pieces of standard output, until the program ends with success; KubeError otherwise."""
        while True:
            try:
                opcode, frame = self._socket.recv_data()
            except Exception as error:  # websocket-client has no base class for what recv raises besides its own
                raise KubeError("kube_exec", f"{self._what}: the stream broke off: {error}", 0) from error
            if opcode == _CLOSE or not frame:
                raise KubeError("kube_exec", f"{self._what}: the stream ended before the program did", 0)
            channel, data = frame[0], bytes(frame[1:])
            if channel == _STDOUT and data:
                yield data
            elif channel == _STDERR:
                self._stderr = (self._stderr + data)[-_STDERR_LIMIT:]
            elif channel == _STATUS:
                self._end(data)
                return

    def _end(self, data: bytes) -> None:
        try:
            status = json.loads(data)
        except ValueError:
            status = {}
        if status.get("status") != "Success":
            said = self._stderr.decode("utf-8", "replace").strip() or str(status.get("message") or "no reason given")
            raise KubeError("kube_exec", f"{self._what}: the program failed: {said}", 0)

    def close(self) -> None:
        """End the stream, from any thread; the program's standard input ends with it."""
        with contextlib.suppress(Exception):
            self._socket.sock.shutdown(socket.SHUT_RDWR)
            self._socket.close()

    def write(self, data: bytes) -> None:
        """Standard input of the program."""
        try:
            self._socket.send_binary(bytes([_STDIN]) + data)
        except Exception as error:  # see above
            raise KubeError("kube_exec", f"{self._what}: the stream broke off: {error}", 0) from error


def _said(error: Exception) -> str:
    """What the API server gave as its reason for not opening the stream, without the headers around it."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(getattr(error, "resp_body", None) or "")["message"])
    return str(error)


@contextlib.contextmanager
def run(
    client: Client, namespace: str, pod: str, container: str, command: t.Sequence[str], timeout: float
) -> t.Iterator[Exec]:
    """Start `command` in the container; `timeout`: seconds without a byte."""
    streaming = importlib.import_module("kubernetes.stream.ws_client")
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
    query = [("container", container), ("stdin", "1"), ("stdout", "1"), ("stderr", "1")]
    query += [("command", word) for word in command]
    what = f"{client.host}: {command[0]} in pod {namespace}/{pod}"
    url = f"{client.host}{path}?{urllib.parse.urlencode(query)}"
    headers = {"sec-websocket-protocol": _PROTOCOL}
    headers.update({name.lower(): value for name, value in client.headers() if name.lower() == "authorization"})
    try:
        connection = streaming.create_websocket(client.configuration, streaming.get_websocket_url(url), headers)
    except Exception as error:  # every library below has its own
        status = int(getattr(error, "status_code", 0) or 0)
        code = "kube_forbidden" if status == 403 else "kube_exec"
        hint = "; the role needs the verbs create and get of pods/exec" if status == 403 else ""
        raise KubeError(code, f"{what}: cannot be started: {_said(error)}{hint}", status) from error
    try:
        connection.settimeout(timeout)
        yield Exec(connection, what)
    finally:
        with contextlib.suppress(Exception):
            connection.close()
