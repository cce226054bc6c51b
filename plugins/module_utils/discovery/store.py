# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A local containers storage, as podman, buildah and CRI-O fill it: its own index of images is read."""

from __future__ import annotations

import os
import typing as t

from ..files import read_json
from ..model import Image, ScapError, is_digest
from ..reference import normalise
from .interface import Finding, Option, Source

LIMIT = 256 * 1024 * 1024
"""Bytes of images.json."""


class Store(Source):
    """Images of one storage root (containers-storage.conf(5), graphroot), drivers' `*-images/images.json`."""

    type = "store"
    options: t.ClassVar[dict[str, Option]] = {"root": Option("str", "")}

    def find(self) -> t.Iterator[Finding]:
        root = os.path.expanduser(self.values["root"] or _default_root())
        indexes = []
        if os.path.isdir(root):
            folders = sorted(name for name in os.listdir(root) if name.endswith("-images"))
            indexes = [os.path.join(root, name, "images.json") for name in folders]
            indexes = [path for path in indexes if os.path.isfile(path)]
        if not indexes:
            raise ScapError("source_invalid", f"source store: {root} holds no containers storage; name its graphroot")
        for path in indexes:
            entries = read_json(path, LIMIT)
            for entry in entries if isinstance(entries, list) else []:
                if isinstance(entry, dict):
                    yield self._image(entry)

    def _image(self, entry: dict[str, t.Any]) -> Finding:
        names = [name for name in entry.get("names") or [] if isinstance(name, str) and name]
        known = str(entry.get("id") or "")
        reference = f"containers-storage:{names[0] if names else known}"
        digests = [digest for digest in (entry.get("digest"), *_big_digests(entry)) if isinstance(digest, str)]
        usable = [digest for digest in digests if is_digest(digest)]
        if not known or not usable:
            return self.skipped(reference, f"no digest: the storage knows image {known[:12] or '?'} without a manifest")
        references = [reference]
        for name in names:
            references += [f"containers-storage:{name}"]
            try:
                references.append(normalise(name))
            except ScapError:
                continue
        return Image(
            reference,
            usable[0],
            references=list(dict.fromkeys(references)),
            index_digests=[digest for digest in dict.fromkeys(usable[1:]) if digest != usable[0]],
            sources=[self.type],
            created=str(entry.get("created") or ""),
        )


def _big_digests(entry: dict[str, t.Any]) -> t.Iterator[t.Any]:
    """Digests of the manifests that the storage keeps for the image."""
    digests = entry.get("big-data-digests")
    for name, digest in digests.items() if isinstance(digests, dict) else ():
        if isinstance(name, str) and name.startswith("manifest"):
            yield digest


def _default_root() -> str:
    if os.getuid() == 0:
        return "/var/lib/containers/storage"
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(data, "containers", "storage")
