# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""dpkg's status file and distroless' status.d (deb822(5), dpkg(1)); the same fields, other places."""

from __future__ import annotations

import re
import typing as t

from ...model import Package, ScapError
from ..rootpath import list_in_root, read_in_root

STATUS = "var/lib/dpkg/status"
STATUS_FOLDER = "var/lib/dpkg/status.d"
MAX_BYTES = 64 * 1024 * 1024
MAX_PACKAGES = 100_000

_FIELD = re.compile(rb"([!-9;-~][!-9;-~]*):[ \t]*(.*)")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*\Z")
_STATES = frozenset(
    (
        "not-installed",
        "config-files",
        "half-installed",
        "unpacked",
        "half-configured",
        "triggers-awaited",
        "triggers-pending",
        "installed",
    )
)
_ABSENT = ("not-installed", "config-files")
"""States in which none of the package's files are on disk."""


def read_status(root: str) -> list[Package] | None:
    """The packages of the status file; None where the root has none. ScapError where it is damaged."""
    data = read_in_root(root, STATUS, MAX_BYTES)
    if data is None:
        return None
    packages = [_package(fields, STATUS, with_status=True) for fields in stanzas(data, STATUS)]
    found = [package for package in packages if package is not None]
    _check_unique(found, STATUS)
    return found


def read_status_folder(root: str) -> list[Package] | None:
    """The packages of status.d, one file each; None where the root has no such folder."""
    names = [name for name in list_in_root(root, STATUS_FOLDER) if not name.endswith(".md5sums")]
    if not names:
        return None
    found: list[Package] = []
    for name in names[:MAX_PACKAGES]:
        path = f"{STATUS_FOLDER}/{name}"
        data = read_in_root(root, path, MAX_BYTES)
        if data is None:
            raise _damaged(path, "it is not a regular file")
        for fields in stanzas(data, path):
            package = _package(fields, path, with_status=False)
            if package is not None:
                found.append(package)
    _check_unique(found, STATUS_FOLDER)
    return found


def stanzas(data: bytes, path: str) -> t.Iterator[dict[str, str]]:
    """The paragraphs of deb822 text, field names in lower case; ScapError for a line that is none."""
    if b"\0" in data:
        raise _damaged(path, "it holds NUL bytes")
    fields: dict[str, str] = {}
    last = ""
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            if fields:
                yield fields
            fields, last = {}, ""
        elif line[:1] in b" \t":
            if not last:
                raise _damaged(path, f"line {number} continues nothing")
        else:
            match = _FIELD.match(line)
            if match is None:
                raise _damaged(path, f"line {number} is not a field")
            last = match[1].decode("ascii").lower()
            if last in fields:
                raise _damaged(path, f"line {number} repeats {last}")
            fields[last] = match[2].decode("utf-8", "replace").strip()
    if fields:
        yield fields


def _package(fields: dict[str, str], path: str, *, with_status: bool) -> Package | None:
    name, version, state = fields.get("package", ""), fields.get("version", ""), "installed"
    if not _NAME.match(name):
        raise _damaged(path, f"a paragraph names no package ({name!r})")
    if with_status:
        words = fields.get("status", "").split()
        if len(words) != 3 or words[2] not in _STATES:
            raise _damaged(path, f"{name} has the status {fields.get('status', '')!r}")
        state = words[2]
    if state in _ABSENT:
        return None
    if not version:
        raise _damaged(path, f"{name} has no version")
    return Package(
        name=name,
        version=version,
        arch=fields.get("architecture", ""),
        manager="dpkg",
        source=fields.get("source", name).split(" ")[0],
        vendor=fields.get("maintainer", "")[:200],
    )


def _check_unique(packages: t.Sequence[Package], path: str) -> None:
    seen = set()
    for package in packages:
        if (package.name, package.arch) in seen:
            raise _damaged(path, f"{package.name} ({package.arch}) is in it twice")
        seen.add((package.name, package.arch))
    if len(packages) > MAX_PACKAGES:
        raise _damaged(path, f"it names more than {MAX_PACKAGES} packages")


def _damaged(path: str, why: str) -> ScapError:
    return ScapError(
        "package_database_damaged",
        f"/{path} of the image is damaged: {why}; what is installed cannot be told, build the image again",
    )
