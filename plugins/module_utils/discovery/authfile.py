# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials of registries, read from the files that podman, skopeo and docker share (containers-auth.json(5))."""

from __future__ import annotations

import base64
import os
import typing as t

from ..files import read_json
from ..model import ScapError

LIMIT = 16 * 1024 * 1024
"""Bytes of one file."""


class Credentials:
    """User and password by registry, namespace or repository, the most specific entry first."""

    def __init__(self, authfile: str | None = None, environ: t.Mapping[str, str] | None = None) -> None:
        self._entries: dict[str, tuple[str, str]] = {}
        self._load(_files(authfile, os.environ if environ is None else environ))

    def _load(self, paths: t.Iterable[str]) -> None:
        for path in paths:
            data = read_json(path, LIMIT)
            self._add(data.get("auths") if isinstance(data, dict) else None)

    @classmethod
    def of_auths(cls, auths: t.Any) -> Credentials:
        """Those of an `auths` mapping alone, whatever files there are."""
        credentials = cls.__new__(cls)
        credentials._entries = {}
        credentials._add(auths)
        return credentials

    def _add(self, auths: t.Any) -> None:
        for name, entry in auths.items() if isinstance(auths, dict) else ():
            pair = _pair(entry)
            if pair is not None:
                self._entries.setdefault(_host_path(name), pair)

    def of(self, host: str, repository: str) -> tuple[str, str] | None:
        """User and password for a repository, None where no entry matches."""
        name = f"{host}/{repository}"
        while name:
            if name in self._entries:
                return self._entries[name]
            name = name.rpartition("/")[0]
        return None


def _files(authfile: str | None, environ: t.Mapping[str, str]) -> list[str]:
    if authfile:
        path = os.path.expanduser(authfile)
        if not os.path.isfile(path):
            raise ScapError("authfile_missing", f"the authfile {path} does not exist")
        return [path]
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    docker = environ.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")
    candidates = [
        environ.get("REGISTRY_AUTH_FILE") or "",
        os.path.join(runtime, "containers", "auth.json"),
        f"/run/containers/{os.getuid()}/auth.json",
        os.path.join(config, "containers", "auth.json"),
        os.path.join(docker, "config.json"),
    ]
    return [path for path in candidates if path and os.path.isfile(path)]


def _pair(entry: t.Any) -> tuple[str, str] | None:
    if not isinstance(entry, dict):
        return None
    if isinstance(entry.get("username"), str) and isinstance(entry.get("password"), str):
        return entry["username"], entry["password"]
    try:
        text = base64.b64decode(str(entry.get("auth") or ""), validate=True).decode("utf-8")
    except ValueError:
        return None
    user, colon, password = text.partition(":")
    return (user, password.rstrip("\0")) if colon else None


def _host_path(name: str) -> str:
    """`https://index.docker.io/v1/` and `quay.io/team` as the names that references have."""
    bare = name.partition("://")[2] or name
    bare = bare.rstrip("/")
    for suffix in ("/v1", "/v2"):
        if bare.endswith(suffix):
            bare = bare[: -len(suffix)]
    return "docker.io" if bare in ("index.docker.io", "registry-1.docker.io") else bare
