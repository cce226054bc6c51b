# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apk's database of installed packages: lines of one letter, a colon and a value; a blank line ends a package."""

from __future__ import annotations

from ...model import Package, ScapError
from ..rootpath import read_in_root

PATHS = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
MAX_BYTES = 64 * 1024 * 1024


def read_installed(root: str) -> tuple[str, list[Package]] | None:
    """(path, packages); None where the root has no such database. ScapError where it is damaged."""
    for path in PATHS:
        data = read_in_root(root, path, MAX_BYTES)
        if data is not None:
            return path, _parse(data, path)
    return None


def _parse(data: bytes, path: str) -> list[Package]:
    packages: list[Package] = []
    fields: dict[str, str] = {}
    for number, raw in enumerate([*data.decode("utf-8", "replace").split("\n"), ""], 1):
        if not raw:
            if fields:
                packages.append(_package(fields, path))
            fields = {}
            continue
        if raw[1:2] != ":" or "\0" in raw:
            raise _damaged(path, f"line {number} is not a field")
        fields.setdefault(raw[0], raw[2:])
    return packages


def _package(fields: dict[str, str], path: str) -> Package:
    if not fields.get("P") or not fields.get("V"):
        raise _damaged(path, f"a package has no name or version ({fields.get('P', '')!r})")
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


def _damaged(path: str, why: str) -> ScapError:
    return ScapError(
        "package_database_damaged",
        f"/{path} of the image is damaged: {why}; what is installed cannot be told, build the image again",
    )
