# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an image's layers: where a layout has them, or copied there by skopeo."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import typing as t

from ...model import ScapError
from .records import Layer, Limits, Resolved
from .tools import Tools


class Blobs:
    """A context: what was copied is removed in its end.

    `known` are layers that nobody will ask for: a registry is not asked for them either.
    """

    def __init__(self, resolved: Resolved, tools: Tools, limits: Limits, known: t.Sequence[Layer] = ()) -> None:
        self._resolved = resolved
        self._tools = tools
        self._limits = limits
        self._known = known
        self._copied = ""
        self._blobs = os.path.join(resolved.layout, "blobs", "sha256")

    def __enter__(self) -> Blobs:
        if self._resolved.layout:
            return self
        self._copied = self._tools.private("blobs")
        if self._resolved.source.startswith("docker://"):
            self._blobs = os.path.join(self._copied, "blobs", "sha256")
            self._pretend()
            target = [f"oci:{self._copied}:image", "--dest-oci-accept-uncompressed-layers"]
        else:
            self._blobs = self._copied
            target = [f"dir:{self._copied}"]
        self._tools.copy(self._resolved, target, watch=self._watch)
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._copied:
            shutil.rmtree(self._copied, ignore_errors=True)

    def find(self, layer: Layer) -> tuple[str, Layer]:
        """A layer's file; out of a local store it comes unpacked, under its diff id. ScapError image_incomplete."""
        path, plain = (os.path.join(self._blobs, digest.rpartition(":")[2]) for digest in (layer.digest, layer.diff_id))
        if os.path.exists(path):
            return path, layer
        if not os.path.exists(plain):
            raise ScapError(
                "image_incomplete", f"{self._resolved.reference}: its layer {layer.digest} is not there; copy it again"
            )
        return plain, dataclasses.replace(layer, digest=layer.diff_id)

    def _pretend(self) -> None:
        """skopeo takes a layer for copied where a file of its name is there; a hole of its size takes no room."""
        os.makedirs(self._blobs, mode=0o700)
        for layer in self._known:
            with open(os.path.join(self._blobs, layer.digest.rpartition(":")[2]), "wb") as stream:
                stream.truncate(layer.size)

    def _watch(self) -> None:
        """A registry may send more than the manifest says; a local store has the layers unpacked."""
        remote = self._resolved.source.startswith("docker://")
        bound = self._resolved.size + 4 * self._limits.manifest if remote else self._limits.bytes
        with contextlib.suppress(FileNotFoundError), os.scandir(self._blobs) as entries:
            if sum(entry.stat().st_size for entry in entries) > bound:
                raise ScapError(
                    "limit_bytes",
                    f"{self._resolved.reference}: more than the {bound} bytes came that it may have",
                )
