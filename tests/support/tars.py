# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tar archives header by header, so that a test can write what no program writes."""

from __future__ import annotations

END = bytes(1024)


def entry(
    name: bytes | str,
    data: bytes = b"",
    *,
    kind: bytes = b"0",
    link: bytes | str = b"",
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    mtime: int = 1_000_000_000,
    size: int | None = None,
    magic: bytes = b"ustar\x0000",
    fields: dict[int, bytes] | None = None,
) -> bytes:
    """One header and its body; `size` where it shall not be the body's, `fields` are bytes at offsets of the header."""
    header = bytearray(512)
    name, link = _bytes(name), _bytes(link)
    header[: len(name)] = name
    for offset, width, number in (
        (100, 8, mode),
        (108, 8, uid),
        (116, 8, gid),
        (124, 12, len(data) if size is None else size),
        (136, 12, mtime),
    ):
        header[offset : offset + width] = _number(number, width)
    header[156:157] = kind
    header[157 : 157 + len(link)] = link
    header[257 : 257 + len(magic)] = magic
    for offset, value in (fields or {}).items():
        header[offset : offset + len(value)] = value
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    if len(header) != 512:
        raise ValueError("a name is too long for a header")
    return bytes(header) + padded(data)


def folder(name: bytes | str, mode: int = 0o755, **more: int) -> bytes:
    return entry(name, kind=b"5", mode=mode, **more)  # type: ignore[arg-type]


def symlink(name: bytes | str, target: bytes | str) -> bytes:
    return entry(name, kind=b"2", link=target, mode=0o777)


def hardlink(name: bytes | str, target: bytes | str) -> bytes:
    return entry(name, kind=b"1", link=target)


def pax(records: dict[str, bytes] | bytes, kind: bytes = b"x") -> bytes:
    """An extended header, of records or of the very bytes."""
    if isinstance(records, dict):
        records = b"".join(record(key.encode(), value) for key, value in records.items())
    return entry("pax", records, kind=kind)


def record(key: bytes, value: bytes) -> bytes:
    bare = len(key) + len(value) + 3
    length = bare + len(str(bare))
    if len(str(length)) != len(str(bare)):
        length += 1
    return b"%d %s=%s\n" % (length, key, value)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def _number(number: int, width: int) -> bytes:
    if 0 <= number < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, number)
    value = number & ((1 << 8 * width) - 1)
    return (value | 1 << (8 * width - 1)).to_bytes(width, "big")


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text
