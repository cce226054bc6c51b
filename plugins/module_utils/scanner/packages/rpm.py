# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image's rpm database, wherever it lies and whatever its format, without librpm."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import typing as t

from ...model import Package
from ..rootpath import open_in_root, resolve_in_root
from .rpmformats import MAX_PACKAGES, bdb_headers, damaged, ndb_headers, sqlite_headers
from .rpmheader import parse_header

FOLDERS = ("var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm")
MAX_BYTES = 1024 * 1024 * 1024

_FORMATS: t.Sequence[tuple[str, str, t.Callable[[str], t.Iterator[bytes]]]] = (
    ("rpmdb.sqlite", "sqlite", sqlite_headers),
    ("Packages.db", "ndb", ndb_headers),
    ("Packages", "bdb", bdb_headers),
)


def find(root: str) -> tuple[str, str] | None:
    """(path in the root, format) of the database; None where there is none. ScapError where there are two."""
    found: dict[str, str] = {}
    for folder in FOLDERS:
        for name, form, _unused in _FORMATS:
            path = resolve_in_root(root, f"{folder}/{name}")
            if path is not None:
                found.setdefault(path, form)
    if len(found) > 1:
        raise damaged(f"there are several, and which one counts cannot be told: /{', /'.join(found)}")
    for path, form in found.items():
        return path, form
    return None


def headers(root: str, path: str, form: str) -> t.Iterator[bytes]:
    """Every header blob of the database at `path`; it is read from a private copy, the root is not touched."""
    reader = next(entry[2] for entry in _FORMATS if entry[1] == form)
    with tempfile.TemporaryDirectory(prefix="rpmdb-") as folder:
        copy = os.path.join(folder, os.path.basename(path))
        _copy(root, path, copy)
        if form == "sqlite":
            with contextlib.suppress(FileNotFoundError):
                _copy(root, f"{path}-wal", f"{copy}-wal")
        for count, blob in enumerate(reader(copy)):
            if count >= MAX_PACKAGES:
                raise damaged(f"it holds more than {MAX_PACKAGES} packages")
            yield blob


def read(root: str, path: str, form: str) -> list[Package]:
    """The packages of the database as `rpm -qa` lists them, imported public keys (gpg-pubkey) included."""
    return [parse_header(blob) for blob in headers(root, path, form)]


def _copy(root: str, path: str, target: str) -> None:
    with os.fdopen(open_in_root(root, path), "rb") as source, open(target, "wb") as copy:
        if os.fstat(source.fileno()).st_size > MAX_BYTES:
            raise damaged(f"/{path} is larger than {MAX_BYTES} bytes")
        shutil.copyfileobj(source, copy, 1 << 20)
