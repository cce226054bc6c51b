# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image's rpm database, wherever it lies and whatever its format, without librpm."""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import typing as t

from ...model import Package
from ..rootpath import exists_in_root, resolve_in_root
from .database import MAX_PACKAGES, damaged, open_database, read_database
from .rpmformats import bdb_headers, ndb_headers
from .rpmheader import Why, parse_header
from .rpmsqlite import sqlite_headers

FOLDERS = ("var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm")
FILES = {"rpmdb.sqlite": "sqlite", "Packages.db": "ndb", "Packages": "bdb"}
"""The file that each format keeps its headers in."""
MAX_BYTES = 1024 * 1024 * 1024
MAX_LOG = 256 * 1024 * 1024


def find(root: str) -> list[tuple[str, str]]:
    """(path in the root, format) of every database, links followed."""
    found: dict[str, str] = {}
    for folder in FOLDERS:
        for name, form in FILES.items():
            path = resolve_in_root(root, f"{folder}/{name}")
            if path is not None:
                found.setdefault(path, form)
            elif exists_in_root(root, f"{folder}/{name}"):
                raise damaged(f"{folder}/{name}", "its name is a link to nothing")
    return list(found.items())


def headers(root: str, path: str, form: str) -> t.Iterator[bytes]:
    """Every header blob of the database at `path`, one at a time; nothing is written anywhere.

    Raises ScapError package_database_damaged.
    """
    why: Why = functools.partial(damaged, path)
    with _mapped(root, path, why) as data:
        if form == "sqlite":
            blobs = sqlite_headers(data, read_database(root, f"{path}-wal", MAX_LOG) or b"", why)
        elif form == "ndb":
            blobs = ndb_headers(data, why)
        else:
            blobs = bdb_headers(data, why)
        for count, blob in enumerate(blobs):
            if count >= MAX_PACKAGES:
                raise why(f"it holds more than {MAX_PACKAGES} packages")
            yield blob


def read(root: str, path: str, form: str) -> list[Package]:
    """The packages of the database as `rpm -qa` lists them, imported public keys (gpg-pubkey) included."""
    why: Why = functools.partial(damaged, path)
    return [parse_header(blob, why) for blob in headers(root, path, form)]


@contextlib.contextmanager
def _mapped(root: str, path: str, why: Why) -> t.Iterator[mmap.mmap]:
    handle = open_database(root, path, MAX_BYTES)
    if handle is None:
        raise why("it is gone")
    try:
        try:
            data = mmap.mmap(handle, 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise why("it is empty") from error
    finally:
        os.close(handle)
    with data:
        yield data
