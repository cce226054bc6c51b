# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fresh, indexed, writable sqlite rpm database, made of the headers that our own reader found.

What librpm cannot read, or would need an index or a journal for, it reads afterwards: WAL mode on read-only media, a
Berkeley DB without indexes, NDB, a database in another folder.
"""

from __future__ import annotations

import functools
import os
import shutil
import typing as t

from ...model import ScapError
from ...process import Completed
from ..rootpath import read_in_root, remove_in_root, resolve_in_root, write_in_root
from . import Inventory, rpm
from .database import damaged
from .rpmsqlite import sqlite_headers

_LEAD = bytes.fromhex("8eade80100000000")
"""Magic and reserved bytes in front of each header, as `rpmdb --exportdb` writes them."""
_NAME = "rpmdb.sqlite"
_PLACE = "var/lib/rpm"
_SYSIMAGE = "usr/lib/sysimage/rpm"

_OTHERS = ("rpmdb.sqlite-wal", "rpmdb.sqlite-shm", "Packages", "Packages.db", "Index.db", "Name", "Basenames")
"""What would make librpm look elsewhere than into the fresh database."""

Runner = t.Callable[[t.Sequence[str], bytes], Completed]
"""Runs a confined program with standard input."""


def rebuild(root: str, inventory: Inventory, target: str, target_inside: str, runner: Runner) -> None:
    """Make the database in the folder `target`, which confined programs know as `target_inside`.

    Raises ScapError package_database_rebuild_failed.
    """
    os.makedirs(target, mode=0o700)
    stream = bytearray()
    for blob in rpm.headers(root, inventory.path, inventory.format):
        stream += _LEAD
        stream += blob
    define = ["--define", "_db_backend sqlite"]
    done = runner(["rpmdb", "--dbpath", target_inside, *define, "--importdb"], bytes(stream))
    made = _fresh(target)
    if done.returncode != 0 or made is None:
        raise ScapError(
            "package_database_rebuild_failed",
            f"rpmdb --importdb could not make a fresh database of the image's {len(inventory.packages)} packages: "
            f"{done.error or done.returncode}; the scanner needs rpm 4.16 or newer",
        )
    count = sum(1 for _blob in sqlite_headers(made, b"", functools.partial(damaged, _NAME)))
    if count != len(inventory.packages):
        raise ScapError(
            "package_database_rebuild_failed",
            f"librpm took {count} of the image's {len(inventory.packages)} package headers (/{inventory.path}): the "
            "others are damaged or carry a wrong digest; build the image again",
        )


def _fresh(target: str) -> bytes | None:
    """The database that the confined program left; never through a link that it may have planted."""
    return read_in_root(target, _NAME, rpm.MAX_BYTES)


def install(root: str, target: str) -> None:
    """Put the fresh database into the throw-away root, where every oscap looks.

    oscap 1.4 prefers usr/lib/sysimage/rpm where that exists, 1.3 obeys %_dbpath, which is set to var/lib/rpm.
    """
    data = _fresh(target)
    if data is None:
        raise ScapError("package_database_rebuild_failed", "the fresh package database is gone; scan again")
    for place in (_PLACE, _SYSIMAGE) if resolve_in_root(root, _SYSIMAGE) is not None else (_PLACE,):
        for name in _OTHERS:
            remove_in_root(root, f"{place}/{name}")
        write_in_root(root, f"{place}/{_NAME}", data)
    shutil.rmtree(target)
