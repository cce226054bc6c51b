# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a layer's tar, streamed: ustar and pax (POSIX.1-2001, "pax Interchange Format"), GNU and star.

Where the formats leave room, entries mean what Go's archive/tar makes of them, because container runtimes read layers
with it: global headers mean nothing, the last extended header counts, a GNU long name goes before a pax path, the
archive ends at its first two zero blocks. What runtimes refuse, and what is ambiguous, is refused (TarError).
"""

from __future__ import annotations

import os
import typing as t

from .unpack_sparse import Extent, gnu_extents, pax_extents, realsize, text_extents
from .unpack_values import MAX_SPECIAL, TarError, number, records, text, time_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK = 512
_ZERO = bytes(BLOCK)
FILE, LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO, SPARSE = b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"S"
_PLAIN = frozenset((FILE, LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO, SPARSE))
_CAPABILITY = b"SCHILY.xattr.security.capability"


class Entry:
    """One entry; names are bytes, as the file system has them."""

    __slots__ = ("capability", "extents", "gid", "kind", "link", "mode", "mtime", "name", "size", "stored", "uid")

    kind: bytes
    name: bytes
    link: bytes
    mode: int
    uid: int
    gid: int
    mtime: int
    """Nanoseconds since 1970."""
    size: int
    """Bytes of the file as it is read; 0 for what is no file."""
    stored: int
    """Bytes of it in the archive."""
    extents: list[Extent] | None
    """Of a sparse file: where its data lies."""
    capability: bytes
    """The extended attribute security.capability, empty where there is none."""


class TarStream:
    """Iterate over it; `copy` writes the body of the present entry, what is not copied is skipped."""

    def __init__(self, chunk: Callable[[], bytes]) -> None:
        self._chunk = chunk
        self._data = b""
        self._at = 0
        self._left = 0
        self._padding = 0

    def __iter__(self) -> Iterator[Entry]:
        extended: dict[bytes, bytes] = {}
        name = link = b""
        while True:
            self._skip(self._left + self._padding)
            self._left = self._padding = 0
            block = self._header()
            if block is None:
                return
            kind = block[156:157]
            if kind in _PLAIN or kind == b"\0":
                entry = self._entry(block, extended, name, link)
                extended, name, link = {}, b"", b""
                yield entry
            elif kind == b"x":
                extended = records(self._special(block))
            elif kind == b"g":
                records(self._special(block))
                extended, name, link = {}, b"", b""
            elif kind == b"L":
                name = text(self._special(block))
            elif kind == b"K":
                link = text(self._special(block))
            else:
                raise TarError(f"an entry is of the unknown kind {kind!r}")

    def copy(self, handle: int) -> None:
        """Write the rest of the present entry's stored bytes to a file, at its offset."""
        while self._left:
            self._write(handle, self._left)

    def copy_extents(self, handle: int, extents: list[Extent]) -> None:
        """The same for a sparse file."""
        for offset, length in extents:
            os.lseek(handle, offset, os.SEEK_SET)
            end = self._left - length
            while self._left > end:
                self._write(handle, self._left - end)

    def _write(self, handle: int, size: int) -> None:
        if self._at >= len(self._data):
            self._refill()
        part = memoryview(self._data)[self._at : self._at + size]
        written = os.write(handle, part)
        self._at += written
        self._left -= written

    def _header(self) -> bytes | None:
        block = self._block()
        if block is None:
            return None
        if block == _ZERO:
            block = self._block()
            if block is None or block == _ZERO:
                return None
            raise TarError("it goes on behind a zero block")
        checksum = number(block[148:156])
        bare = block[:148] + block[156:]
        if sum(bare) + 256 != checksum and sum(bare) + 256 - 256 * sum(byte > 127 for byte in bare) != checksum:
            raise TarError("a header's checksum is wrong")
        return block

    def _block(self) -> bytes | None:
        """The next block; None where the archive ends in front of it."""
        at = self._at
        block = self._data[at : at + BLOCK]
        if len(block) == BLOCK:
            self._at = at + BLOCK
            return block
        if not block:
            self._data, self._at = self._chunk(), 0
            if not self._data:
                return None
        return self._take(BLOCK)

    def _take(self, size: int) -> bytes:
        parts = []
        while size:
            if self._at >= len(self._data):
                self._refill()
            part = self._data[self._at : self._at + size]
            self._at += len(part)
            size -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _refill(self) -> None:
        self._data, self._at = self._chunk(), 0
        if not self._data:
            raise TarError("it is cut off")

    def _skip(self, size: int) -> None:
        while size:
            if self._at >= len(self._data):
                self._refill()
            step = min(size, len(self._data) - self._at)
            self._at += step
            size -= step

    def _special(self, block: bytes) -> bytes:
        size = number(block[124:136])
        if not 0 <= size <= MAX_SPECIAL:
            raise TarError(f"an extended header is of {size} bytes")
        data = self._take(size)
        self._skip(-size % BLOCK)
        return data

    def _entry(self, block: bytes, extended: dict[bytes, bytes], name: bytes, link: bytes) -> Entry:
        entry = Entry()
        entry.kind = block[156:157]
        entry.name = _name(block)
        entry.link = text(block[157:257])
        entry.mode = number(block[100:108]) & 0o7777
        entry.uid = number(block[108:116])
        entry.gid = number(block[116:124])
        entry.size = number(block[124:136])
        entry.mtime = number(block[136:148]) * 1_000_000_000
        entry.capability = b""
        entry.extents = None
        if extended:
            _extend(entry, extended)
        entry.name = name or entry.name
        entry.link = link or entry.link
        if entry.kind == b"\0":
            entry.kind = DIRECTORY if entry.name.endswith(b"/") else FILE
        if entry.kind not in (FILE, SPARSE):
            entry.size = entry.stored = 0
            return entry
        if entry.size < 0:
            raise TarError("a file has a negative size")
        entry.stored = self._left = entry.size
        self._padding = -entry.size % BLOCK
        if entry.kind == SPARSE or b"GNU.sparse" in extended:
            self._sparse(entry, block, extended)
        return entry

    def _sparse(self, entry: Entry, block: bytes, extended: dict[bytes, bytes]) -> None:
        """The extents of a sparse file, old GNU and pax 0.0, 0.1, 1.0 (GNU tar manual, "Storing Sparse Files")."""
        if entry.kind == SPARSE:
            entry.kind, entry.size = FILE, number(block[483:495])
            extents = gnu_extents(block, lambda: self._take(BLOCK))
        else:
            entry.name = extended.get(b"GNU.sparse.name") or entry.name
            entry.size = realsize(extended, entry.size)
            if extended.get(b"GNU.sparse.major") == b"1":
                extents = text_extents(self._line_block)
            else:
                extents = pax_extents(extended)
        end = stored = 0
        for offset, length in extents:
            if offset < end or length < 0:
                raise TarError("the extents of a sparse file overlap")
            end = offset + length
            stored += length
        if end > entry.size or stored != self._left:
            raise TarError("the extents of a sparse file do not fit its size")
        entry.extents = extents
        entry.stored = stored

    def _line_block(self) -> bytes:
        """A block of a sparse map that stands in front of the data."""
        if self._left < BLOCK:
            raise TarError("the map of a sparse file is cut off")
        self._left -= BLOCK
        return self._take(BLOCK)


def _name(block: bytes) -> bytes:
    name = text(block[:100])
    if block[257:263] == b"ustar\0":
        prefix = text(block[345:476] if block[508:512] == b"tar\0" else block[345:500])
        return prefix + b"/" + name if prefix else name
    if block[257:265] == b"ustar  \0":
        for start in (345, 357):
            number(block[start : start + 12])
    return name


def _extend(entry: Entry, extended: dict[bytes, bytes]) -> None:
    """What an extended header says; an empty value leaves the header's own."""
    for key, value in extended.items():
        if not value:
            continue
        if key == b"path":
            entry.name = value
        elif key == b"linkpath":
            entry.link = value
        elif key == b"size":
            entry.size = _decimal(value)
        elif key == b"uid":
            entry.uid = _decimal(value)
        elif key == b"gid":
            entry.gid = _decimal(value)
        elif key == b"mtime":
            entry.mtime = time_of(value)
        elif key == _CAPABILITY:
            entry.capability = value


def _decimal(value: bytes) -> int:
    if len(value) > 20 or not value.lstrip(b"-").isdigit():
        raise TarError(f"{value[:40]!r} is no number")
    return int(value)
