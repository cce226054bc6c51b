# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user's registries.conf says of short names, plain HTTP and blocked registries.

The file is that of containers-registries.conf(5).
"""

from __future__ import annotations

import importlib
import os
import typing as t

from ..files import read_bounded
from ..model import ScapError
from ..reference import Reference, parse

LIMIT = 1024 * 1024
"""Bytes of one file."""


class RegistriesConf:
    """The user's own words only: without a file no short name is expanded."""

    def __init__(self, path: str | None = None, environ: t.Mapping[str, str] | None = None) -> None:
        self.search: list[str] = []
        self.aliases: dict[str, str] = {}
        self.insecure: list[str] = []
        self.blocked: list[str] = []
        self.path = ""
        for file in _files(path, os.environ if environ is None else environ):
            self._read(file)

    def expand(self, reference: Reference) -> list[Reference]:
        """What a reference can mean, the most likely first; itself where it names its registry.

        ScapError `short_name` where nothing says what a short name means.
        """
        if not reference.is_short:
            return [reference]
        suffix = (f":{reference.tag}" if reference.tag else "") + (f"@{reference.digest}" if reference.digest else "")
        if reference.path in self.aliases:
            return [parse(f"{self.aliases[reference.path]}{suffix}")]
        if not self.search:
            where = (
                f"{self.path} names no unqualified-search-registries" if self.path else "there is no registries.conf"
            )
            raise ScapError(
                "short_name",
                f"{reference.path}{suffix} names no registry, and {where}: write the registry, or the alias",
            )
        return [parse(f"{host}/{_library(host, reference.path)}{suffix}") for host in self.search]

    def is_insecure(self, host: str, repository: str) -> bool:
        return any(_under(f"{host}/{repository}", prefix) for prefix in self.insecure)

    def is_blocked(self, host: str, repository: str) -> bool:
        return any(_under(f"{host}/{repository}", prefix) for prefix in self.blocked)

    def _read(self, path: str) -> None:
        data = _toml(path)
        self.path = path
        search = data.get("unqualified-search-registries")
        if isinstance(search, list):
            self.search = [host for host in search if isinstance(host, str)]
        aliases = data.get("aliases")
        if isinstance(aliases, dict):
            self.aliases.update({k: v for k, v in aliases.items() if isinstance(v, str)})
        registries = data.get("registry")
        for entry in registries if isinstance(registries, list) else []:
            prefix = entry.get("prefix") or entry.get("location") if isinstance(entry, dict) else None
            if isinstance(prefix, str):
                if entry.get("insecure") is True:
                    self.insecure.append(prefix)
                if entry.get("blocked") is True:
                    self.blocked.append(prefix)


def _files(path: str | None, environ: t.Mapping[str, str]) -> list[str]:
    named = path or environ.get("CONTAINERS_REGISTRIES_CONF")
    if named:
        file = os.path.expanduser(named)
        if not os.path.isfile(file):
            raise ScapError("registries_conf", f"the registries.conf {file} does not exist")
        return [file]
    home = environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    own = os.path.join(home, "containers", "registries.conf")
    main = own if os.path.isfile(own) else "/etc/containers/registries.conf"
    files = [main] if os.path.isfile(main) else []
    folder = f"{main}.d"
    if os.path.isdir(folder):
        files += sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".conf"))
    return files


def _toml(path: str) -> dict[str, t.Any]:
    text = read_bounded(path, LIMIT)
    for name in ("tomllib", "tomli"):
        try:
            library = importlib.import_module(name)
        except ImportError:
            continue
        try:
            data = library.loads(text.decode("utf-8"))
        except ValueError as error:
            raise ScapError("registries_conf", f"{path} is not TOML: {error}") from error
        return data if isinstance(data, dict) else {}
    if not any(line.strip() and not line.strip().startswith(b"#") for line in text.splitlines()):
        return {}
    raise ScapError("registries_conf", f"{path} cannot be read: Python 3.11 or the package tomli is needed for TOML")


def _library(host: str, path: str) -> str:
    return f"library/{path}" if host == "docker.io" and "/" not in path else path


def _under(name: str, prefix: str) -> bool:
    if prefix.startswith("*."):
        host = name.partition("/")[0]
        return host.partition(":")[0].endswith(prefix[1:])
    return name == prefix or name.startswith(f"{prefix}/")
