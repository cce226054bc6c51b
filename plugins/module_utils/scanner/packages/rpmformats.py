# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The header blobs of rpm's older database formats: Berkeley DB (hash and btree) and NDB.

Each reader takes the file's bytes (or a map of them) and yields every header blob; it raises what `why` makes of a
sentence where the file does not hold what its own structure promises, or holds packages that nothing points at.
"""

from __future__ import annotations

import struct
import typing as t
import zlib

Why = t.Callable[[str], Exception]

_HASH_MAGIC, _BTREE_MAGIC = 0x00061561, 0x00053162
_PAGE_HEADER = 26
_OVERFLOW, _LEAF, _HASH, _HASH_UNSORTED = 7, 5, 13, 2
_KEYDATA, _OFFPAGE, _DELETED = 1, 3, 0x80
_LAST_NUMBER = b"\0\0\0\0"
"""The key of the entry that counts the headers; every other one is a header."""

_SLOT, _BLOB, _BLOB_END = b"Slot", b"BlbS", b"BlbE"


def ndb_headers(data: t.Any, why: Why) -> t.Iterator[bytes]:
    """Packages.db: slots of 16 bytes from offset 32, each pointing at a blob (librpm's backend/ndb/rpmpkg.c)."""
    if len(data) < 4096 or data[:4] != b"RpmP":
        raise why("it does not begin with RpmP")
    (pages,) = struct.unpack_from("<I", data, 12)
    end = pages * 4096
    if not 0 < end <= len(data):
        raise why(f"{pages} pages of slots in {len(data)} bytes")
    used: list[tuple[int, int]] = []
    seen: set[int] = set()
    for place in range(32, end, 16):
        magic, index, block, blocks = struct.unpack_from("<4sIII", data, place)
        if magic != _SLOT:
            raise why("a slot without its mark")
        if not index:
            continue
        if index in seen:
            raise why(f"package {index} has two slots")
        seen.add(index)
        used.append((block * 16, (block + blocks) * 16))
        yield _ndb_blob(data, index, block * 16, blocks * 16, why)
    for start, following in zip(
        [end, *(last for _first, last in sorted(used))], [*(pair[0] for pair in sorted(used)), len(data)]
    ):
        if data[start:following].find(_BLOB) >= 0:
            raise why("it holds a package that no slot points at")


def _ndb_blob(data: t.Any, index: int, start: int, size: int, why: Why) -> bytes:
    if size < 28 or start + size > len(data):
        raise why(f"the slot of package {index} points outside of the file")
    magic, owner, _generation, length = struct.unpack_from("<4sIII", data, start)
    if magic != _BLOB or owner != index:
        raise why(f"the slot of package {index} points at something else")
    if length + 28 > size:
        raise why(f"the blob of package {index} is longer than its slot")
    checksum, again, mark = struct.unpack_from("<II4s", data, start + size - 12)
    if mark != _BLOB_END or again != length or checksum != zlib.adler32(data[start : start + size - 12]):
        raise why(f"the checksum of package {index} is wrong")
    return bytes(data[start + 16 : start + 16 + length])


def bdb_headers(data: t.Any, why: Why) -> t.Iterator[bytes]:
    """Packages of Berkeley DB 4 to 6, hash or btree: every page is read, no index is needed."""
    reader = _Berkeley(data, why)
    try:
        yield from reader.headers()
    except struct.error as error:
        raise why(f"it breaks off ({error})") from error


class _Berkeley:
    """Pages of one database file (Berkeley DB's db_page.h)."""

    def __init__(self, data: t.Any, why: Why) -> None:
        self._data = data
        self._why = why
        self._order, self._kind, self._size = self._meta()
        self._chained: set[int] = set()

    def _meta(self) -> tuple[str, int, int]:
        for order in ("<", ">"):
            if len(self._data) < 512:
                break
            magic, _version, size = struct.unpack_from(f"{order}III", self._data, 12)
            if magic not in (_HASH_MAGIC, _BTREE_MAGIC):
                continue
            if size not in (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536):
                raise self._why(f"pages of {size} bytes")
            (last,) = struct.unpack_from(f"{order}I", self._data, 32)
            if (last + 1) * size > len(self._data):
                raise self._why(f"{last + 1} pages of {size} bytes are in a file of {len(self._data)}")
            return order, magic, size
        raise self._why("it is no Berkeley DB of type hash or btree")

    def headers(self) -> t.Iterator[bytes]:
        overflow: set[int] = set()
        for number in range(1, len(self._data) // self._size):
            start = number * self._size
            kind = self._data[start + 25]
            if kind and struct.unpack_from(f"{self._order}I", self._data, start + 8)[0] != number:
                raise self._why(f"page {number} has another number")
            if kind == _OVERFLOW:
                overflow.add(number)
            elif self._kind == _HASH_MAGIC and kind in (_HASH, _HASH_UNSORTED):
                yield from self._hash_page(start)
            elif self._kind == _BTREE_MAGIC and kind == _LEAF:
                yield from self._leaf_page(start)
        if overflow - self._chained:
            raise self._why("it holds a package that no entry points at")

    def _slots(self, start: int) -> list[int]:
        (entries,) = struct.unpack_from(f"{self._order}H", self._data, start + 20)
        if _PAGE_HEADER + 2 * entries > self._size or entries % 2:
            raise self._why(f"a page with {entries} entries")
        slots = list(struct.unpack_from(f"{self._order}{entries}H", self._data, start + _PAGE_HEADER))
        if any(not _PAGE_HEADER <= slot < self._size for slot in slots):
            raise self._why("an entry outside of its page")
        return slots

    def _hash_page(self, start: int) -> t.Iterator[bytes]:
        slots = self._slots(start)
        for number in range(1, len(slots), 2):
            place, end = start + slots[number], start + slots[number - 1]
            if not place < end:
                raise self._why("an entry that ends before it begins")
            kind = self._data[place]
            if kind == _OFFPAGE:
                yield self._chain(place)
            elif kind != _KEYDATA:
                raise self._why(f"an entry of kind {kind}")
            elif self._data[end + 1 : end + 5] != _LAST_NUMBER:
                yield bytes(self._data[place + 1 : end])

    def _leaf_page(self, start: int) -> t.Iterator[bytes]:
        slots = self._slots(start)
        for key, value in zip(slots[::2], slots[1::2]):
            place = start + value
            length, kind = struct.unpack_from(f"{self._order}HB", self._data, place)
            if kind & _DELETED:
                continue
            if kind == _OFFPAGE:
                yield self._chain(place)
            elif kind != _KEYDATA or value + 3 + length > self._size:
                raise self._why(f"an entry of kind {kind} and {length} bytes")
            elif self._data[start + key + 3 : start + key + 7] != _LAST_NUMBER:
                yield bytes(self._data[place + 3 : place + 3 + length])

    def _chain(self, place: int) -> bytes:
        page, length = struct.unpack_from(f"{self._order}II", self._data, place + 4)
        if length > len(self._data):
            raise self._why(f"a header of {length} bytes")
        found = bytearray()
        while page and len(found) < length:
            start = page * self._size
            if start + self._size > len(self._data) or self._data[start + 25] != _OVERFLOW or page in self._chained:
                raise self._why("a chain of overflow pages that breaks off")
            self._chained.add(page)
            (page,) = struct.unpack_from(f"{self._order}I", self._data, start + 16)
            (held,) = struct.unpack_from(f"{self._order}H", self._data, start + 22)
            if not 0 < held <= self._size - _PAGE_HEADER:
                raise self._why("an overflow page that claims more than it can hold")
            found += self._data[start + _PAGE_HEADER : start + _PAGE_HEADER + held]
        if len(found) != length:
            raise self._why(f"a header of {length} bytes of which {len(found)} are there")
        return bytes(found)
