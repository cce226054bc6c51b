# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image and Skipped records as files, replaced only where they differ."""

from __future__ import annotations

import filecmp
import os
import shutil
import tempfile
import typing as t

from ..files import sync_folder, write_jsonl
from ..model import Image, J


def row(image: Image) -> J:
    """An Image as to_json gives it, without the deep copy that ten thousand of them would pay for."""
    return {**vars(image), "workloads": [vars(place) for place in image.workloads]}


def write_rows(path: str, rows: t.Iterable[J], dry_run: bool, same_as: str = "") -> bool:
    """Write JSON Lines whole; whether they are (or, in a dry run, would be) others than before.

    `same_as`: a file that holds these rows already.
    """
    folder = os.path.dirname(os.path.abspath(path))
    if not dry_run:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".rows-", dir=None if dry_run else folder) as beside:
        fresh = os.path.join(beside, "rows")
        if same_as:
            shutil.copyfile(same_as, fresh)
            os.chmod(fresh, 0o600)
        else:
            write_jsonl(fresh, rows)
        if os.path.isfile(path) and filecmp.cmp(fresh, path, shallow=False):
            return False
        if not dry_run:
            os.replace(fresh, path)
            sync_folder(folder)
    return True
