# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way `unpack`: skopeo copies the image's blobs, our own unpacker makes the root of them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import shutil
import time
import typing as t

from ...model import ScapError
from ..unpack import Budget, unpack_layer
from .records import Layer, Limits, Resolved
from .tools import Tools


@contextlib.contextmanager
def unpacked(resolved: Resolved, tools: Tools, target: str, limits: Limits) -> t.Iterator[Budget]:
    """Makes the folder `target`, the image's root, and says what it took; removed in the end."""
    blobs = os.path.join(resolved.layout, "blobs", "sha256")
    if not resolved.layout:
        blobs = tools.private("blobs")
        tools.copy(resolved, f"dir:{blobs}", watch=functools.partial(_bounded, blobs, resolved, limits))
    os.makedirs(target)
    os.chmod(target, 0o755)  # noqa: S103 the umask may be 077
    try:
        budget = Budget(limits, time.monotonic() + tools.timeout)
        for layer in resolved.layers:
            unpack_layer(*_found(blobs, layer), target, budget, resolved.reference)
        yield budget
    finally:
        shutil.rmtree(target, ignore_errors=True)


def _bounded(blobs: str, resolved: Resolved, limits: Limits) -> None:
    """A registry may send more than the manifest says; a local store has the layers unpacked."""
    remote = resolved.source.startswith("docker://")
    bound = resolved.size + 4 * limits.manifest if remote else limits.bytes
    with contextlib.suppress(FileNotFoundError), os.scandir(blobs) as entries:
        if sum(entry.stat().st_size for entry in entries) > bound:
            raise ScapError(
                "limit_bytes",
                f"{resolved.reference}: more than the {bound} bytes came that it may have",
            )


def _found(blobs: str, layer: Layer) -> tuple[str, Layer]:
    """A layer's file; out of a local store it comes unpacked, under its diff id."""
    path, plain = (os.path.join(blobs, digest.rpartition(":")[2]) for digest in (layer.digest, layer.diff_id))
    if os.path.exists(path) or not os.path.exists(plain):
        return path, layer
    return plain, dataclasses.replace(layer, digest=layer.diff_id)
