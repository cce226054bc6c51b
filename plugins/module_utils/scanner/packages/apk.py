# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apk's database of installed packages: lines of one letter, a colon and a value; a blank line ends a package."""

from __future__ import annotations

from ...model import Package
from ..rootpath import resolve_in_root
from .database import MAX_PACKAGES, damaged, read_database

PATHS = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
MAX_BYTES = 64 * 1024 * 1024


def read_installed(root: str) -> tuple[str, list[Package]] | None:
    """(path in the root, packages); None where the root has no such database. ScapError where it is damaged."""
    found: dict[str, bytes] = {}
    for path in PATHS:
        data = read_database(root, path, MAX_BYTES)
        if data is not None:
            found[resolve_in_root(root, path) or path] = data
    if len(found) > 1:
        raise damaged(PATHS[0], f"there is another one, /{PATHS[1]}")
    for path, data in found.items():
        return path, _parse(data, path)
    return None


def _parse(data: bytes, path: str) -> list[Package]:
    if data and not data.endswith(b"\n"):
        raise damaged(path, "it breaks off within a line")
    packages: dict[str, Package] = {}
    fields: dict[str, str] = {}
    for number, raw in enumerate([*data.decode("utf-8", "replace").split("\n"), ""], 1):
        if not raw:
            if fields:
                package = _package(fields, path)
                if package.name in packages:
                    raise damaged(path, f"{package.name} is in it twice")
                packages[package.name] = package
            fields = {}
            continue
        if raw[1:2] != ":" or "\0" in raw:
            raise damaged(path, f"line {number} is not a field")
        fields.setdefault(raw[0], raw[2:])
    if len(packages) > MAX_PACKAGES:
        raise damaged(path, f"it names more than {MAX_PACKAGES} packages")
    return list(packages.values())


def _package(fields: dict[str, str], path: str) -> Package:
    if not fields.get("P") or not fields.get("V"):
        raise damaged(path, f"a package has no name or version ({fields.get('P', '')!r})")
    return Package(
        name=fields["P"],
        version=fields["V"],
        arch=fields.get("A", ""),
        manager="apk",
        source=fields.get("o", ""),
        vendor=fields.get("m", "")[:200],
        installed_at=int(fields["t"]) if fields.get("t", "").isdecimal() else 0,
        digest=fields.get("C", ""),
    )
