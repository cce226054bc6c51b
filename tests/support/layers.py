# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers unpacked by the unpacker of the scanner."""

from __future__ import annotations

import gzip
import hashlib
import pathlib
import time
import typing as t

from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.records import Layer, Limits
from ansible_collections.scap.images.plugins.module_utils.scanner.unpack import Budget, unpack_layer

SMALL = Limits(bytes=64 << 20, files=5000, depth=64)


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def unpack(
    folder: pathlib.Path, *tars: bytes, limits: Limits = SMALL, pack: t.Callable[[bytes], bytes] = gzip.compress
) -> tuple[pathlib.Path, Budget]:
    """Unpack the tars, one layer each, into `folder`/root."""
    root = folder / "root"
    root.mkdir(mode=0o755)
    budget = Budget(limits, time.monotonic() + 60)
    for number, tar in enumerate(tars):
        packed = pack(tar)
        path = folder / f"layer-{number}"
        path.write_bytes(packed)
        layer = Layer(digest(packed), "application/vnd.oci.image.layer.v1.tar", len(packed), digest(tar))
        unpack_layer(str(path), layer, str(root), budget, "docker://registry.example/image:1")
    return root, budget
