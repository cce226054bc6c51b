# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a containers storage of our own holds, read from its own records (each is replaced whole by its writers)."""

from __future__ import annotations

import os
import typing as t

from ...files import read_json
from ...model import ScapError


class StoreRecords:
    """The records below the storage's root; a storage that is new has none."""

    def __init__(self, root: str) -> None:
        self._root = root

    def images(self) -> dict[str, str]:
        """Image id (hex digest of its config) to the id of its topmost layer, empty where it has none."""
        return {str(entry["id"]): str(entry.get("layer", "")) for entry in self._read("overlay-images/images.json")}

    def containers(self) -> list[str]:
        """The names of all containers."""
        entries = self._read("overlay-containers/containers.json")
        return [str(name) for entry in entries for name in entry.get("names") or ()]

    def size(self) -> int:
        """Bytes of all layers, as their tars have them; each counts once, however many images share it."""
        return sum(int(entry.get("diff-size") or 0) for entry in self._read("overlay-layers/layers.json"))

    def diff_ids(self, image: str) -> list[str] | None:
        """The diff ids of an image's layers, lowest first, as they were unpacked; None: no such image."""
        images = self.images()
        if image not in images:
            return None
        layers = {entry["id"]: entry for entry in self._read("overlay-layers/layers.json")}
        found: list[str] = []
        layer = images[image]
        while layer and len(found) <= len(layers):
            entry = layers.get(layer, {})
            found.append(str(entry.get("diff-digest", "")))
            layer = str(entry.get("parent", ""))
        return found[::-1]

    def _read(self, name: str) -> list[dict[str, t.Any]]:
        path = os.path.join(self._root, name)
        if not os.path.exists(path):
            return []
        entries = read_json(path)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) and "id" in entry for entry in entries):
            raise ScapError("storage_damaged", f"{path} is not what it should be; remove the storage folder")
        return entries
