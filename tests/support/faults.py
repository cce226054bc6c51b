# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong with a cluster, done to the real one: components that stop, pods that halt, streams that are cut."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import socket
import threading
import typing as t

from tests.cluster.node import processes, up

from .kube import Cluster, until

J = t.Dict[str, t.Any]


def restart(cluster: Cluster, name: str) -> None:
    """Kill a component (`apiserver`, `kubelet` ...) and start it again; ready when this returns."""
    process = processes.Ledger(cluster.place.folder / "processes.json").get(name)
    assert process is not None, f"{name} does not run"
    processes.end([process])
    up.start(cluster.place.folder)


@contextlib.contextmanager
def stopped(cluster: Cluster, name: str) -> t.Iterator[None]:
    """A component that does nothing, and goes on afterwards."""
    process = processes.Ledger(cluster.place.folder / "processes.json").get(name)
    assert process is not None, f"{name} does not run"
    process.send(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send(signal.SIGCONT)


@contextlib.contextmanager
def halted(digest: str) -> t.Iterator[None]:
    """The scan of the image, halted in its pod as soon as it has begun."""
    pid = until(lambda: scanner(digest), "the scan has begun")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def scanner(digest: str) -> int:
    """The main program of the image's scan pod; 0 where there is none."""
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes()
            if b"scap_images.scanner.pod" in command and digest.encode() in command and command.startswith(b"python3"):
                return int(entry.name)
    return 0


def asked(cluster: Cluster, namespace: str, verb: str, resource: str, subresource: str = "") -> list[str]:
    """Names of what the API server's audit log says was done with success in a namespace."""
    return [
        str(event["objectRef"].get("name") or "")
        for event in audited(cluster, namespace)
        if (event["verb"], event["objectRef"].get("resource")) == (verb, resource)
        and (event["objectRef"].get("subresource") or "") == subresource
        and int((event.get("responseStatus") or {}).get("code") or 0) < 300
        and event["stage"] in ("ResponseComplete", "ResponseStarted")
    ]


def audited(cluster: Cluster, namespace: str) -> t.Iterator[J]:
    """What the API server's audit log says of a namespace (audit.k8s.io/v1 Event)."""
    for line in (cluster.place.logs / "audit.log").read_text(errors="replace").splitlines():
        if f'"namespace":"{namespace}"' in line:
            event = json.loads(line)
            if "objectRef" in event:
                yield event


class Cutter:
    """A way to a server that breaks off the first `times` connections on which more than `size` bytes came back."""

    def __init__(self, target: tuple[str, int], size: int, times: int) -> None:
        self.cut = 0
        self._target, self._size, self._times = target, size, times
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _peer = self._listener.accept()
                server = socket.create_connection(self._target)
                threading.Thread(target=self._carry, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._carry, args=(server, client, True), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, back: bool) -> None:
        carried = 0
        with contextlib.suppress(OSError):
            while data := source.recv(16384):
                carried += len(data)
                if back and carried > self._size and self.cut < self._times:
                    self.cut += 1
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
