# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of tar headers: numbers, texts, times and the records of extended headers."""

from __future__ import annotations

MAX_SPECIAL = 1 << 20
"""Bytes of an extended header or a long name; runtimes refuse larger ones."""
_SPARSE_PREFIX = b"GNU.sparse."


class TarError(ValueError):
    """The bytes are no tar that a container runtime would take."""


def text(field: bytes) -> bytes:
    """Up to the first NUL."""
    return field.partition(b"\0")[0]


def number(field: bytes) -> int:
    """Octal digits, or base 256 where the first bit is set (GNU tar manual, "Basic Tar Format")."""
    first = field[0]
    if first & 0x80:
        value = int.from_bytes(field, "big")
        if first & 0x40:
            return value - (1 << 8 * len(field))
        return value - (0x80 << 8 * (len(field) - 1))
    digits = field.strip(b" \0")
    if not digits:
        return 0
    try:
        return int(digits, 8)
    except ValueError:
        raise TarError(f"{field!r} is no octal number") from None


def records(data: bytes) -> dict[bytes, bytes]:
    """The records `LENGTH KEY=VALUE\\n` of an extended header; the last one of a key counts.

    The repeated offsets and lengths of a sparse file (pax 0.0) are joined as `GNU.sparse.map`, and `GNU.sparse` is
    there where the file is a sparse one.
    """
    found: dict[bytes, bytes] = {}
    pairs: list[bytes] = []
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 20)
        length = data[at:space]
        if space < 0 or not length.isdigit():
            raise TarError("a record of an extended header has no length")
        end = at + int(length)
        equals = data.find(b"=", space, end)
        if end > len(data) or equals <= space + 1 or data[end - 1 : end] != b"\n":
            raise TarError("a record of an extended header is malformed")
        key, value = data[space + 1 : equals], data[equals + 1 : end - 1]
        if b"\0" in key or (key in (b"path", b"linkpath", b"GNU.sparse.name") and b"\0" in value):
            raise TarError("a name in an extended header holds a NUL byte")
        if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            pairs.append(value)
        else:
            found[key] = value
        at = end
    if pairs:
        found[b"GNU.sparse.map"] = b",".join(pairs)
    _tell_sparse(found)
    return found


def _tell_sparse(found: dict[bytes, bytes]) -> None:
    version = (found.get(_SPARSE_PREFIX + b"major", b""), found.get(_SPARSE_PREFIX + b"minor", b""))
    if version in ((b"0", b"0"), (b"0", b"1"), (b"1", b"0")) or (
        version == (b"", b"") and found.get(_SPARSE_PREFIX + b"map")
    ):
        found[b"GNU.sparse"] = b"yes"
    elif version != (b"", b""):
        raise TarError("a sparse file is of an unknown version")


def time_of(value: bytes) -> int:
    """Nanoseconds of a decimal number of seconds."""
    sign = -1 if value.startswith(b"-") else 1
    whole, _dot, fraction = value.lstrip(b"-").partition(b".")
    if not whole.isdigit() or len(whole) > 20 or (fraction and not fraction.isdigit()):
        raise TarError(f"{value[:40]!r} is no time")
    return sign * (int(whole) * 1_000_000_000 + int(fraction[:9].ljust(9, b"0")))
