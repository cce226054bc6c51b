# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image and Skipped records as files, replaced only where they differ."""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
import typing as t

from ..files import dumps, whole
from ..model import Image, J


def row(image: Image) -> J:
    """An Image as to_json gives it, without the deep copy that ten thousand of them would pay for."""
    return {**vars(image), "workloads": [vars(place) for place in image.workloads]}


def write_rows(path: str, rows: t.Iterable[J], dry_run: bool) -> bool:
    """Write JSON Lines whole; whether they are (or, in a dry run, would be) others than before."""
    lines = (dumps(entry) + b"\n" for entry in rows)
    with contextlib.ExitStack() as stack:
        old: t.BinaryIO | None = stack.enter_context(open(path, "rb")) if os.path.isfile(path) else None
        same, different = 0, b""
        for line in lines:
            if old is None or old.read(len(line)) != line:
                different = line
                break
            same += len(line)
        if old is not None and not different and not old.read(1):
            return False
        if not dry_run:
            target = stack.enter_context(_replaced(path))
            if old is not None:
                old.seek(0)
                target.write(old.read(same))
            target.write(different)
            target.writelines(lines)
    return True


def copy_rows(source: str, path: str) -> bool:
    """Let `path` hold what `source` does; whether it held something else before."""
    if os.path.isfile(path) and filecmp.cmp(source, path, shallow=False):
        return False
    with open(source, "rb") as stream, _replaced(path) as target:
        shutil.copyfileobj(stream, target)
    return True


def are_rows(path: str, rows: t.Iterable[J]) -> bool:
    """Whether the file holds these rows and no others."""
    return os.path.isfile(path) and not write_rows(path, rows, dry_run=True)


def _replaced(path: str) -> t.ContextManager[t.BinaryIO]:
    os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
    return whole(path)
