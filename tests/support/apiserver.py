# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bare API server (etcd and kube-apiserver, no controllers, no nodes) for measurements with many objects."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import typing as t
import urllib.request

from ansible_collections.scap.images.plugins.module_utils.kube.client import connect
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError

TOOLS = pathlib.Path.home() / ".cache" / "scap-images" / "tools"
_TOKEN = "tests-admin-token"
_START_SECONDS = 120
_PAST = 20


def binary() -> str | None:
    """The kube-apiserver that `make cluster` has built, or one on the PATH."""
    named = os.environ.get("SCAP_TEST_APISERVER")
    found = [named] if named else [str(path) for path in sorted(TOOLS.rglob("kube-apiserver")) if path.is_file()]
    return found[-1] if found else shutil.which("kube-apiserver")


class Server:
    """An API server and its etcd, their data in `folder`; `arguments`: more of them for the API server."""

    def __init__(self, program: str, folder: pathlib.Path, arguments: t.Sequence[str] = ()) -> None:
        etcd, peer, port = (_port() for _number in range(3))
        (folder / "tokens.csv").write_text(f"{_TOKEN},admin,1,system:masters\n")
        key = folder / "key.pem"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        self.options = {"host": f"https://127.0.0.1:{port}", "api_key": _TOKEN, "validate_certs": False}
        self._etcd = f"http://127.0.0.1:{etcd}"
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands = {
            "etcd": [
                *("etcd", "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync"),
                *("--listen-client-urls", self._etcd, "--advertise-client-urls", self._etcd),
                *("--listen-peer-urls", f"http://127.0.0.1:{peer}"),
            ],
            "apiserver": [
                *(program, f"--etcd-servers={self._etcd}", "--service-cluster-ip-range=10.96.0.0/16"),
                *(f"--secure-port={port}", "--bind-address=127.0.0.1", f"--cert-dir={folder / 'certs'}"),
                *(f"--token-auth-file={folder / 'tokens.csv'}", f"--service-account-key-file={key}"),
                *(
                    f"--service-account-signing-key-file={key}",
                    "--service-account-issuer=https://kubernetes.default.svc",
                ),
                *("--authorization-mode=RBAC", "--endpoint-reconciler-type=none"),
                *arguments,
            ],
        }

    def start(self) -> None:
        """Both, ready for requests."""
        self._spawn("etcd")
        age(self._etcd)
        self._spawn("apiserver")
        _await(self.options)

    def restart(self) -> None:
        """Kill the API server as a crash does, and start it again; does not wait until it is ready."""
        self._processes["apiserver"].kill()
        self._processes["apiserver"].wait()
        self._spawn("apiserver")

    def stop(self) -> None:
        for process in reversed(self._processes.values()):
            process.terminate()
            process.wait()

    def _spawn(self, name: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                self._commands[name], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder
            )


@contextlib.contextmanager
def server(program: str, folder: pathlib.Path, *arguments: str) -> t.Iterator[Server]:
    """A server that runs."""
    one = Server(program, folder, arguments)
    try:
        one.start()
        yield one
    finally:
        one.stop()


@contextlib.contextmanager
def running(program: str, folder: pathlib.Path) -> t.Iterator[dict[str, t.Any]]:
    """The authentication options of a server that runs, its data in `folder`."""
    with server(program, folder) as one:
        yield one.options


def age(etcd: str) -> None:
    """Give the store a past, so that its first versions are too old to be watched, as they are on any real cluster."""
    body = json.dumps({"key": base64.b64encode(b"age").decode(), "value": ""}).encode()
    written, end = 0, time.monotonic() + _START_SECONDS
    while written < _PAST:
        try:
            urllib.request.urlopen(urllib.request.Request(f"{etcd}/v3/kv/put", body), timeout=5).close()
            written += 1
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def _await(options: dict[str, t.Any]) -> None:
    client = connect(options)
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            client.request("GET", "/readyz", patience=0)
            return
        except KubeError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
