# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""dpkg's status file and distroless' status.d (deb822(5), dpkg(1)); the same fields, other places."""

from __future__ import annotations

import re
import typing as t

from ...model import Package
from ..rootpath import list_in_root
from .database import MAX_PACKAGES, damaged, read_database

STATUS = "var/lib/dpkg/status"
STATUS_FOLDER = "var/lib/dpkg/status.d"
MAX_BYTES = 64 * 1024 * 1024
_INFO = "var/lib/dpkg/info"
_JOURNAL = "var/lib/dpkg/updates"

_FIELD = re.compile(rb"([!-9;-~][!-9;-~]*):[ \t]*(.*)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*\Z")
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


def read_status(root: str) -> tuple[list[Package], list[str]] | None:
    """(packages, problems) of the status file; None where the root has no dpkg database of that kind.

    A package counts in every state in which its files are, perhaps in part, on disk; what is not plainly installed is
    a problem. Raises ScapError package_database_damaged, also where dpkg's own file lists name packages that the
    status file does not, or where dpkg was interrupted and its journal not yet merged.
    """
    listed = {name[: -len(".list")] for name in list_in_root(root, _INFO) if name.endswith(".list")}
    data = read_database(root, STATUS, MAX_BYTES)
    if data is None:
        if listed:
            raise damaged(STATUS, f"it is not there, though /{_INFO} names {len(listed)} packages")
        return None
    if data and not data.endswith(b"\n"):
        raise damaged(STATUS, "it breaks off within a line")
    if any(name.isdecimal() for name in list_in_root(root, _JOURNAL)):
        raise damaged(STATUS, f"dpkg was interrupted: /{_JOURNAL} holds changes that are not in it")
    known: set[str] = set()
    found: list[Package] = []
    problems: list[str] = []
    for fields in stanzas(data, STATUS):
        package, state = _package(fields, STATUS, with_status=True)
        known |= {package.name, f"{package.name}:{package.arch}"}
        if state not in _ABSENT:
            found.append(package)
            if state != "installed":
                problems.append(f"{package.name} is {state}")
    _check_unique(found, STATUS)
    lost = sorted(listed - known)
    if lost:
        raise damaged(STATUS, f"/{_INFO} names packages that it does not: {', '.join(lost[:10])}")
    return found, problems


def status_names(root: str) -> set[str]:
    """Every name that the status file gives a package by, in whatever state, or says that it provides."""
    names: set[str] = set()
    for fields in stanzas(read_database(root, STATUS, MAX_BYTES) or b"", STATUS):
        names.add(fields.get("package", ""))
        names.update(entry.split("(")[0].strip() for entry in fields.get("provides", "").split(","))
    return names


def read_status_folder(root: str) -> list[Package] | None:
    """The packages of status.d, one file each; None where the root has no such folder."""
    names = [name for name in list_in_root(root, STATUS_FOLDER) if not name.endswith(".md5sums")]
    if not names:
        return None
    found: list[Package] = []
    for name in names[: MAX_PACKAGES + 1]:
        path = f"{STATUS_FOLDER}/{name}"
        data = read_database(root, path, MAX_BYTES)
        before = len(found)
        found += [_package(fields, path, with_status=False)[0] for fields in stanzas(data or b"", path)]
        if len(found) == before:
            raise damaged(path, "it names no package")
    _check_unique(found, STATUS_FOLDER)
    return found


def stanzas(data: bytes, path: str) -> t.Iterator[dict[str, str]]:
    """The paragraphs of deb822 text, field names in lower case; ScapError for a line that is none."""
    if b"\0" in data:
        raise damaged(path, "it holds NUL bytes")
    fields: dict[str, str] = {}
    last = ""
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            if fields:
                yield fields
            fields, last = {}, ""
        elif line[:1] in b" \t":
            if not last:
                raise damaged(path, f"line {number} continues nothing")
        else:
            match = _FIELD.match(line)
            if match is None:
                raise damaged(path, f"line {number} is not a field")
            last = match[1].decode("ascii").lower()
            if last in fields:
                raise damaged(path, f"line {number} repeats {last}")
            fields[last] = match[2].decode("utf-8", "replace").strip()
    if fields:
        yield fields


def _package(fields: dict[str, str], path: str, *, with_status: bool) -> tuple[Package, str]:
    name, version, state = fields.get("package", ""), fields.get("version", ""), "installed"
    if not _NAME.match(name):
        raise damaged(path, f"a paragraph names no package ({name[:80]!r})")
    if with_status:
        words = fields.get("status", "").split()
        if len(words) != 3 or words[2] not in _STATES:
            raise damaged(path, f"{name} has the status {fields.get('status', '')[:80]!r}")
        state = words[2]
    if not version and state not in _ABSENT:
        raise damaged(path, f"{name} has no version")
    package = Package(
        name=name,
        version=version,
        arch=fields.get("architecture", ""),
        manager="dpkg",
        source=fields.get("source", name).split(" ")[0],
        vendor=fields.get("maintainer", "")[:200],
    )
    return package, state


def _check_unique(packages: t.Sequence[Package], path: str) -> None:
    seen = set()
    for package in packages:
        if (package.name, package.arch) in seen:
            raise damaged(path, f"{package.name} ({package.arch}) is in it twice")
        seen.add((package.name, package.arch))
    if len(packages) > MAX_PACKAGES:
        raise damaged(path, f"it names more than {MAX_PACKAGES} packages")
