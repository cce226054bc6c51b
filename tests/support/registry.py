# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real registry (docker-registry, the distribution project's) on 127.0.0.1."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import socket
import subprocess
import time
import typing as t
import urllib.error
import urllib.request

_START_SECONDS = 30


@dataclasses.dataclass(frozen=True)
class Registry:
    """A registry that runs."""

    address: str
    """host:port; plain HTTP."""

    def push(self, source: str, name: str) -> str:
        """Copy `source`, a reference as skopeo writes it, to `name:tag`; the reference that it then has here."""
        target = f"docker://{self.address}/{name}"
        argv = ["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", source, target]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
        return target


@contextlib.contextmanager
def running(folder: pathlib.Path) -> t.Iterator[Registry]:
    """A registry with its data in `folder`; on the port that it had there the last time, where that is free."""
    folder.mkdir(parents=True, exist_ok=True)
    address = f"127.0.0.1:{_port(folder / 'port')}"
    config = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": address},
    }
    (folder / "config.yml").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        argv = ["docker-registry", "serve", str(folder / "config.yml")]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _await(process, address, folder / "log")
        yield Registry(address)
    finally:
        process.terminate()
        process.wait()


def _port(memory: pathlib.Path) -> int:
    wanted = int(memory.read_text()) if memory.exists() else 0
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    memory.write_text(str(port))
    return port


def _await(process: subprocess.Popen[bytes], address: str, log: pathlib.Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"http://{address}/v2/", timeout=1).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"docker-registry does not answer on {address}:\n{log.read_text(errors='replace')}")
