# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real registry (docker-registry, the distribution project's) on 127.0.0.1."""

from __future__ import annotations

import base64
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


@dataclasses.dataclass(frozen=True)
class Guarded:
    """A registry that wants a password and has a certificate of an authority of its own."""

    address: str
    authority: pathlib.Path
    """PEM file of the authority."""
    authfile: pathlib.Path
    """A containers-auth.json(5) with the right password."""

    def push(self, source: str, name: str) -> str:
        target = f"docker://{self.address}/{name}"
        folder = str(self.authority.parent)
        argv = [
            "skopeo",
            "--insecure-policy",
            "copy",
            "-q",
            "--dest-cert-dir",
            folder,
            "--dest-authfile",
            str(self.authfile),
        ]
        subprocess.run([*argv, source, target], check=True, stdin=subprocess.DEVNULL)
        return target


@contextlib.contextmanager
def guarded(folder: pathlib.Path, user: str, password: str, host: str = "127.0.0.1") -> t.Iterator[Guarded]:
    """The same with basic authentication over TLS."""
    (folder / "authority").mkdir(parents=True)
    authority, key, certificate = _certificates(folder, host)
    address = f"{host}:{_port(folder / 'port')}"
    users = subprocess.run(["htpasswd", "-niB", user], input=password, check=True, capture_output=True, text=True)
    (folder / "users").write_text(users.stdout)
    config = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": address, "tls": {"certificate": str(certificate), "key": str(key)}},
        "auth": {"htpasswd": {"realm": "tests", "path": str(folder / "users")}},
    }
    (folder / "config.yml").write_text(json.dumps(config))
    authfile = folder / "auth.json"
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    authfile.write_text(json.dumps({"auths": {address: {"auth": token}}}))
    authfile.chmod(0o600)
    with (folder / "log").open("wb") as log:
        argv = ["docker-registry", "serve", str(folder / "config.yml")]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _await_port(process, address, folder / "log")
        yield Guarded(address, authority, authfile)
    finally:
        process.terminate()
        process.wait()


def _certificates(folder: pathlib.Path, host: str) -> tuple[pathlib.Path, pathlib.Path, pathlib.Path]:
    """(authority, key, certificate) for an address, made by openssl."""
    authority, root = folder / "authority" / "ca.crt", folder / "ca.key"
    key, certificate, request = folder / "key.pem", folder / "certificate.pem", folder / "request.pem"
    (folder / "names").write_text(f"subjectAltName=IP:{host}\n")
    make = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj"]
    for argv in (
        [*make, "/CN=tests", "-x509", "-days", "2", "-keyout", str(root), "-out", str(authority)],
        [*make, f"/CN={host}", "-keyout", str(key), "-out", str(request)],
        [
            *("openssl", "x509", "-req", "-days", "2", "-in", str(request), "-CA", str(authority), "-CAkey", str(root)),
            *("-CAcreateserial", "-extfile", str(folder / "names"), "-out", str(certificate)),
        ],
    ):
        subprocess.run(argv, check=True, capture_output=True)
    return authority, key, certificate


def _await_port(process: subprocess.Popen[bytes], address: str, log: pathlib.Path) -> None:
    end = time.monotonic() + _START_SECONDS
    host, _colon, port = address.rpartition(":")
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"docker-registry does not answer on {address}:\n{log.read_text(errors='replace')}")


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
