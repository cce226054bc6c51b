# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way `unpack`: skopeo copies the image's blobs, our own unpacker makes the root of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import typing as t

from ..unpack import Budget, unpack_layer
from .blobs import Blobs
from .records import Limits, Resolved
from .tools import Tools


@contextlib.contextmanager
def unpacked(resolved: Resolved, tools: Tools, target: str, limits: Limits) -> t.Iterator[Budget]:
    """Makes the folder `target`, the image's root, and says what it took; removed in the end."""
    os.makedirs(target)
    os.chmod(target, 0o755)  # noqa: S103 the umask may be 077
    try:
        budget = Budget(limits, time.monotonic() + tools.timeout)
        with Blobs(resolved, tools, limits) as blobs:
            for layer in resolved.layers:
                unpack_layer(*blobs.find(layer), target, budget, resolved.reference)
        yield budget
    finally:
        shutil.rmtree(target, ignore_errors=True)
