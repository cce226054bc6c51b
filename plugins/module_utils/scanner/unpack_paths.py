# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a layer has made so far: a set of paths of which only 64 bits each are kept."""

from __future__ import annotations

import array

_BITS = (1 << 64) - 1
_FIRST = 1 << 10


class Paths:
    """Open addressing in one array: 16 to 32 bytes a path, where a set of Python's takes three times that."""

    def __init__(self) -> None:
        self._slots = array.array("Q", bytes(8 * _FIRST))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, path: bytes) -> None:
        key = hash(path) & _BITS or 1
        place = self._find(key)
        if self._slots[place] == key:
            return
        self._slots[place] = key
        self._count += 1
        if 2 * self._count > len(self._slots):
            self._grow()

    def __contains__(self, path: bytes) -> bool:
        return self._slots[self._find(hash(path) & _BITS or 1)] != 0

    def _find(self, key: int) -> int:
        """The key's slot, or the empty one where it belongs."""
        slots, mask = self._slots, len(self._slots) - 1
        place = key & mask
        while slots[place] and slots[place] != key:
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        old = self._slots
        self._slots = array.array("Q", bytes(16 * len(old)))
        for key in old:
            if key:
                self._slots[self._find(key)] = key
