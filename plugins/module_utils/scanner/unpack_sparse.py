# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The maps of sparse files in tar archives (GNU tar manual, "Storing Sparse Files")."""

from __future__ import annotations

import typing as t

from .unpack_values import TarError, number

if t.TYPE_CHECKING:
    from collections.abc import Callable

Extent = t.Tuple[int, int]
"""Offset and length of a piece of data."""
MAX_EXTENTS = 1 << 16
_LONGEST_LINE = 512


def gnu_extents(header: bytes, block: Callable[[], bytes]) -> list[Extent]:
    """Old GNU format: four extents in the header, 21 in each block that follows it."""
    found = _table(header[386:482])
    more = header[482]
    while more:
        data = block()
        found += _table(data[:504])
        more = data[504]
        if len(found) > MAX_EXTENTS:
            raise TarError(f"a sparse file has more than {MAX_EXTENTS} pieces")
    return found


def _table(data: bytes) -> list[Extent]:
    found = []
    for at in range(0, len(data), 24):
        if data[at] == 0:
            break
        found.append((number(data[at : at + 12]), number(data[at + 12 : at + 24])))
    return found


def pax_extents(extended: dict[bytes, bytes]) -> list[Extent]:
    """pax 0.0 and 0.1: `GNU.sparse.map` holds offsets and lengths in turn."""
    values = extended.get(b"GNU.sparse.map", b"").split(b",")
    if values == [b""]:
        return []
    if len(values) % 2 or len(values) > 2 * MAX_EXTENTS:
        raise TarError("the map of a sparse file is malformed")
    return [(_decimal(values[at]), _decimal(values[at + 1])) for at in range(0, len(values), 2)]


def text_extents(block: Callable[[], bytes]) -> list[Extent]:
    """pax 1.0: the map stands in front of the data, a decimal number a line, filled up to whole blocks."""
    data = block()
    count = _decimal(data.partition(b"\n")[0])
    if count > MAX_EXTENTS:
        raise TarError(f"a sparse file has more than {MAX_EXTENTS} pieces")
    parts, lines = [data], data.count(b"\n")
    while lines < 1 + 2 * count:
        data = block()
        parts.append(data)
        lines += data.count(b"\n")
        if len(parts) * len(data) > (2 + 2 * count) * _LONGEST_LINE:
            raise TarError("the map of a sparse file is malformed")
    values = [_decimal(line) for line in b"".join(parts).split(b"\n")[1 : 1 + 2 * count]]
    return list(zip(values[::2], values[1::2]))


def realsize(extended: dict[bytes, bytes], size: int) -> int:
    """Bytes of the whole file."""
    value = extended.get(b"GNU.sparse.size") or extended.get(b"GNU.sparse.realsize")
    return _decimal(value) if value else size


def _decimal(value: bytes) -> int:
    if len(value) > 19 or not value.isdigit():
        raise TarError(f"{value[:40]!r} in the map of a sparse file is no number")
    return int(value)
