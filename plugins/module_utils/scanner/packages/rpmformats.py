# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The header blobs of rpm's database formats: sqlite, Berkeley DB (hash and btree), NDB.

Each reader takes a file of its own (a private copy for sqlite) and yields every header blob; ScapError
package_database_damaged where the file does not hold what its own structure promises.
"""

from __future__ import annotations

import contextlib
import mmap
import sqlite3
import struct
import typing as t

from ...model import ScapError

MAX_PACKAGES = 100_000

_HASH_MAGIC, _BTREE_MAGIC = 0x00061561, 0x00053162
_PAGE_HEADER = 26
_OVERFLOW, _LEAF, _HASH, _HASH_UNSORTED = 7, 5, 13, 2
_KEYDATA, _OFFPAGE = 1, 3

_SLOT, _BLOB = b"Slot", b"BlbS"


def damaged(why: str) -> ScapError:
    return ScapError(
        "package_database_damaged", f"the rpm database of the image is damaged: {why}; build the image again"
    )


def sqlite_headers(path: str) -> t.Iterator[bytes]:
    """rpmdb.sqlite, with its -wal beside it; the file may be changed (a private copy)."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as database:
            problem = database.execute("PRAGMA quick_check(1)").fetchone()[0]
            if problem != "ok":
                raise damaged(str(problem))
            for (blob,) in database.execute("SELECT blob FROM Packages ORDER BY hnum"):
                if not isinstance(blob, bytes):
                    raise damaged("a row holds no header")
                yield blob
    except sqlite3.Error as error:
        raise damaged(str(error)) from error


def ndb_headers(path: str) -> t.Iterator[bytes]:
    """Packages.db: slots of 16 bytes from offset 32, each pointing at a blob (librpm's backend/ndb/rpmpkg.c)."""
    with _mapped(path) as data:
        if data[:4] != b"RpmP":
            raise damaged("Packages.db does not begin with RpmP")
        (pages,) = struct.unpack_from("<I", data, 12)
        end = pages * 4096
        if not 0 < end <= len(data):
            raise damaged(f"{pages} slot pages in {len(data)} bytes")
        for place in range(32, end, 16):
            magic, index, block, blocks = struct.unpack_from("<4sIII", data, place)
            if magic != _SLOT:
                raise damaged("a slot without its mark")
            if not index:
                continue
            yield _ndb_blob(data, index, block, blocks)


def _ndb_blob(data: mmap.mmap, index: int, block: int, blocks: int) -> bytes:
    start = block * 16
    if start + 16 > len(data):
        raise damaged(f"the slot of package {index} points outside of the file")
    magic, owner, _generation, length = struct.unpack_from("<4sIII", data, start)
    if magic != _BLOB or owner != index:
        raise damaged(f"the slot of package {index} points at something else")
    if length + 16 > blocks * 16 or start + 16 + length > len(data):
        raise damaged(f"the blob of package {index} is longer than its slot")
    return data[start + 16 : start + 16 + length]


def bdb_headers(path: str) -> t.Iterator[bytes]:
    """Packages of Berkeley DB 4 to 6, hash or btree: every page is read, no index is needed."""
    with _mapped(path) as data:
        order, kind, size, last = _bdb_meta(data)
        if (last + 1) * size > len(data):
            raise damaged(f"{last + 1} pages of {size} bytes are in a file of {len(data)}")
        for page in range(1, last + 1):
            start = page * size
            form = data[start + 25]
            if kind == _HASH_MAGIC and form in (_HASH, _HASH_UNSORTED):
                yield from _hash_page(data, order, start, size)
            elif kind == _BTREE_MAGIC and form == _LEAF:
                yield from _leaf_page(data, order, start, size)


def _bdb_meta(data: mmap.mmap) -> tuple[str, int, int, int]:
    for order in ("<", ">"):
        if len(data) < 512:
            break
        magic, _version, size = struct.unpack_from(f"{order}III", data, 12)
        if magic in (_HASH_MAGIC, _BTREE_MAGIC):
            if size not in (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536):
                raise damaged(f"pages of {size} bytes")
            return order, magic, size, struct.unpack_from(f"{order}I", data, 32)[0]
    raise damaged("Packages is no Berkeley DB of type hash or btree")


def _slots(data: mmap.mmap, order: str, start: int, size: int) -> list[int]:
    (entries,) = struct.unpack_from(f"{order}H", data, start + 20)
    if _PAGE_HEADER + 2 * entries > size or entries % 2:
        raise damaged(f"a page with {entries} entries")
    return list(struct.unpack_from(f"{order}{entries}H", data, start + _PAGE_HEADER))


def _hash_page(data: mmap.mmap, order: str, start: int, size: int) -> t.Iterator[bytes]:
    slots = _slots(data, order, start, size)
    for number in range(1, len(slots), 2):
        place, end = start + slots[number], start + (slots[number - 1])
        if not start < place < end <= start + size:
            raise damaged("an entry outside of its page")
        form = data[place]
        if form == _OFFPAGE:
            page, length = struct.unpack_from(f"{order}II", data, place + 4)
            yield _overflow(data, order, size, page, length)
        elif form == _KEYDATA and end - place > 17:
            yield data[place + 1 : end]


def _leaf_page(data: mmap.mmap, order: str, start: int, size: int) -> t.Iterator[bytes]:
    slots = _slots(data, order, start, size)
    for slot in slots[1::2]:
        place = start + slot
        if not start < place <= start + size - 12:
            raise damaged("an entry outside of its page")
        length, form = struct.unpack_from(f"{order}HB", data, place)
        if form & 0x80:
            continue
        if form == _OFFPAGE:
            page, length = struct.unpack_from(f"{order}II", data, place + 4)
            yield _overflow(data, order, size, page, length)
        elif form == _KEYDATA and length > 16:
            yield data[place + 3 : place + 3 + length]


def _overflow(data: mmap.mmap, order: str, size: int, page: int, length: int) -> bytes:
    if length > len(data):
        raise damaged(f"a header of {length} bytes")
    parts, count = [], 0
    while page and count < length:
        start = page * size
        if start + size > len(data) or data[start + 25] != _OVERFLOW:
            raise damaged("a chain of overflow pages that breaks off")
        (following,) = struct.unpack_from(f"{order}I", data, start + 16)
        (held,) = struct.unpack_from(f"{order}H", data, start + 22)
        if not 0 < held <= size - _PAGE_HEADER:
            raise damaged("an overflow page that claims more than it can hold")
        parts.append(data[start + _PAGE_HEADER : start + _PAGE_HEADER + held])
        count += held
        page = following
    if count != length:
        raise damaged(f"a header of {length} bytes of which {count} are there")
    return b"".join(parts)


@contextlib.contextmanager
def _mapped(path: str) -> t.Iterator[mmap.mmap]:
    with open(path, "rb") as stream:
        try:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise damaged("the file is empty") from error
        with data:
            try:
                yield data
            except struct.error as error:
                raise damaged(f"it breaks off ({error})") from error
