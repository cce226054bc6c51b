# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every reader of a package database shares: the file itself, and the error where it is damaged."""

from __future__ import annotations

import os

from ...model import ScapError
from ..rootpath import exists_in_root, open_in_root

MAX_PACKAGES = 100_000


def damaged(path: str, why: str) -> ScapError:
    return ScapError(
        "package_database_damaged",
        f"the image's package database /{path} is damaged: {why}; what is installed cannot be told, "
        "build the image again",
    )


def open_database(root: str, path: str, limit: int) -> int | None:
    """A descriptor of the file `path`; None where nothing has that name.

    Raises ScapError package_database_damaged for what is there and is no regular file, cannot be opened, or is larger
    than `limit` bytes: a database that cannot be read is never taken for none.
    """
    try:
        handle = open_in_root(root, path)
    except OSError as error:
        if exists_in_root(root, path):
            raise damaged(path, f"it cannot be opened ({error})") from error
        return None
    if os.fstat(handle).st_size > limit:
        os.close(handle)
        raise damaged(path, f"it is larger than {limit} bytes")
    return handle


def read_database(root: str, path: str, limit: int) -> bytes | None:
    """The bytes of the file `path`, on the terms of `open_database`."""
    handle = open_database(root, path, limit)
    if handle is None:
        return None
    with os.fdopen(handle, "rb") as stream:
        return stream.read(limit)
