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
from .records import Limits, Resolved
from .tools import Tools


@contextlib.contextmanager
def unpacked(resolved: Resolved, tools: Tools, target: str, limits: Limits) -> t.Iterator[Budget]:
    """Makes the folder `target`, the image's root, and says what it took; removed in the end."""
    blobs = os.path.join(resolved.layout, "blobs", "sha256")
    if not resolved.layout:
        blobs = tools.private("blobs")
        tools.skopeo(
            ["copy", "--quiet", *_source_options(tools), resolved.source, f"dir:{blobs}"],
            what="copying it",
            reference=resolved.reference,
            registry=False,
        )
    os.makedirs(target, mode=0o755)
    try:
        budget = Budget(limits, time.monotonic() + tools.timeout)
        for layer in resolved.layers:
            path = os.path.join(blobs, layer.digest.rpartition(":")[2])
            unpack_layer(path, layer, target, budget, resolved.reference)
        yield budget
    finally:
        shutil.rmtree(target, ignore_errors=True)


def _source_options(tools: Tools) -> list[str]:
    """skopeo copy has the options of its two sides apart."""
    options = tools.registry_options("--src-tls-verify")
    return ["--src-cert-dir" if option == "--cert-dir" else option for option in options]
