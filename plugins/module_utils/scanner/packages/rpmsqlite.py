# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The header blobs of an rpmdb.sqlite, read from the file format itself (SQLite's "Database File Format").

No SQL and no native code: a hostile schema (views, triggers, virtual tables) is only bytes here, WAL mode needs no
writable folder, and nothing is written.
"""

from __future__ import annotations

import struct
import typing as t

Why = t.Callable[[str], Exception]
Value = t.Union[int, bytes, None]

_MAGIC = b"SQLite format 3\0"
_LEAF, _INTERIOR = 0x0D, 0x05
_MAX_DEPTH = 20
_WAL_MAGIC = (0x377F0682, 0x377F0683)
_MASK = 0xFFFFFFFF
_SMALL_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


def sqlite_headers(data: t.Any, wal: bytes, why: Why) -> t.Iterator[bytes]:
    """Every row of the table Packages; `data` is the file (bytes or mmap), `wal` the -wal file beside it or empty.

    Raises what `why` makes of a sentence where the file is not what it claims, or where the table Name speaks of
    other packages than the table Packages holds.
    """
    database = _Database(data, wal, why)
    tables = database.tables()
    if "Packages" not in tables:
        raise why("it has no table Packages")
    seen: set[int] = set()
    for number, values in database.rows(tables["Packages"]):
        blob = values[1] if len(values) == 2 else None
        if not isinstance(blob, bytes):
            raise why("a row of the table Packages holds no header")
        seen.add(number)
        yield blob
    index = [values for _number, values in database.rows(tables["Name"])] if "Name" in tables else []
    if any(len(values) < 2 for values in index):
        raise why("a row of the table Name names no package")
    named = {values[1] for values in index}
    if named and named != seen:
        raise why(
            f"its index names {len(named)} packages, of which {len(named & seen)} are there, and it holds {len(seen)}"
        )


class _Database:
    """The pages, the newest ones from the write-ahead log."""

    def __init__(self, data: t.Any, wal: bytes, why: Why) -> None:
        self._why = why
        self._data = data
        if len(data) < 512 or data[:16] != _MAGIC:
            raise why("it does not begin as SQLite files do")
        size = int.from_bytes(data[16:18], "big")
        self._size = 65536 if size == 1 else size
        if self._size < 512 or self._size & (self._size - 1):
            raise why(f"pages of {self._size} bytes")
        self._usable = self._size - data[20]
        if self._usable < 480:
            raise why(f"pages with {data[20]} reserved bytes")
        self._newer, pages = _log(wal, self._size, why)
        if not pages:
            pages = len(data) // self._size
            change, claimed, valid_for = data[24:28], int.from_bytes(data[28:32], "big"), data[92:96]
            if change == valid_for and claimed:
                if claimed > pages:
                    raise why(f"{claimed} pages of {self._size} bytes are in a file of {len(data)}")
                pages = claimed
        self._pages = pages

    def tables(self) -> dict[str, int]:
        """Root page of each ordinary table."""
        found = {}
        for _number, values in self.rows(1):
            if len(values) != 5 or values[0] != b"table":
                continue
            name, page = values[1], values[3]
            if isinstance(name, bytes) and isinstance(page, int) and page > 1:
                found[name.decode("utf-8", "replace")] = page
        return found

    def rows(self, root: int) -> t.Iterator[tuple[int, list[Value]]]:
        """(rowid, values) of a table in the order of its rowids."""
        last = None
        for number, payload in self._walk(root, 0, set()):
            if last is not None and number <= last:
                raise self._why("the rows of a table are out of order")
            last = number
            yield number, self._record(payload)

    def _page(self, number: int) -> bytes:
        if not 0 < number <= self._pages:
            raise self._why(f"it points at page {number} of {self._pages}")
        if number in self._newer:
            return self._newer[number]
        page = bytes(self._data[(number - 1) * self._size : number * self._size])
        if len(page) < self._size:
            raise self._why("it breaks off")
        return page

    def _walk(self, number: int, depth: int, seen: set[int]) -> t.Iterator[tuple[int, bytes]]:
        if depth > _MAX_DEPTH or number in seen:
            raise self._why("its tree of pages has a loop")
        seen.add(number)
        page = self._page(number)
        start = 100 if number == 1 else 0
        kind, cells = page[start], int.from_bytes(page[start + 3 : start + 5], "big")
        if kind not in (_LEAF, _INTERIOR):
            raise self._why(f"page {number} is no page of a table")
        first = start + (8 if kind == _LEAF else 12)
        if first + 2 * cells > self._usable:
            raise self._why(f"page {number} claims {cells} entries")
        for place in struct.unpack_from(f">{cells}H", page, first):
            if kind == _INTERIOR:
                yield from self._walk(int.from_bytes(page[place : place + 4], "big"), depth + 1, seen)
            else:
                yield self._cell(page, place)
        if kind == _INTERIOR:
            yield from self._walk(int.from_bytes(page[start + 8 : start + 12], "big"), depth + 1, seen)

    def _cell(self, page: bytes, place: int) -> tuple[int, bytes]:
        length, place = self._varint(page, place)
        number, place = self._varint(page, place)
        usable = self._usable
        if length > len(self._data) + len(self._newer) * self._size:
            raise self._why(f"an entry of {length} bytes")
        local = length
        if length > usable - 35:
            least = (usable - 12) * 32 // 255 - 23
            local = least + (length - least) % (usable - 4)
            if local > usable - 35:
                local = least
        if place + local + (4 if local < length else 0) > usable:
            raise self._why("an entry outside of its page")
        payload = bytearray(page[place : place + local])
        following = int.from_bytes(page[place + local : place + local + 4], "big") if local < length else 0
        while len(payload) < length:
            more = self._page(following)
            following = int.from_bytes(more[:4], "big")
            payload += more[4 : 4 + min(usable - 4, length - len(payload))]
        return number, bytes(payload)

    def _record(self, payload: bytes) -> list[Value]:
        end, place = self._varint(payload, 0)
        values: list[Value] = []
        start = end
        while place < end:
            kind, place = self._varint(payload, place)
            size = _SMALL_INTEGERS.get(kind, 8 if kind == 7 else (kind - 12) // 2 if kind >= 12 else 0)
            if start + size > len(payload):
                raise self._why("a row that is longer than its entry")
            raw = payload[start : start + size]
            start += size
            if kind >= 12:
                values.append(raw)
            elif kind in _SMALL_INTEGERS:
                values.append(int.from_bytes(raw, "big", signed=True))
            else:
                values.append({8: 0, 9: 1}.get(kind))
        return values

    def _varint(self, data: bytes, place: int) -> tuple[int, int]:
        value = 0
        for count in range(9):
            if place >= len(data):
                raise self._why("it breaks off")
            byte = data[place]
            place += 1
            if count == 8:
                return (value << 8) | byte, place
            value = (value << 7) | (byte & 0x7F)
            if not byte & 0x80:
                break
        return value, place


def _log(wal: bytes, size: int, why: Why) -> tuple[dict[int, bytes], int]:
    """The committed pages of a write-ahead log, and the database's size in pages after them (0: there are none).

    SQLite passes over a log, or an end of one, that is broken or was never committed; here that is damage. Frames of an
    earlier log, which have another salt, end it. Of each transaction the last frame's checksum is computed, which goes
    on from the one before: all of them would take a second, and a wrong page shows in its tree or its headers' digests.
    """
    if not wal:
        return {}, 0
    if len(wal) < 32 or (len(wal) - 32) % (24 + size):
        raise why("its write-ahead log breaks off")
    magic, _version, page_size = struct.unpack_from(">III", wal)
    order = ">" if magic & 1 else "<"
    checksum = _sum(wal[:24], order, (0, 0))
    if magic not in _WAL_MAGIC or page_size != size or checksum != struct.unpack_from(">II", wal, 24):
        raise why("its write-ahead log is of another file")
    committed: dict[int, bytes] = {}
    waiting: dict[int, bytes] = {}
    pages = 0
    for place in range(32, len(wal), 24 + size):
        number, after = struct.unpack_from(">II", wal, place)
        if wal[place + 8 : place + 16] != wal[16:24]:
            break
        page = wal[place + 24 : place + 24 + size]
        waiting[number] = page
        before, checksum = checksum, struct.unpack_from(">II", wal, place + 16)
        if after:
            if checksum != _sum(page, order, _sum(wal[place : place + 8], order, before)):
                raise why("a checksum of its write-ahead log is wrong")
            committed.update(waiting)
            waiting, pages = {}, after
    if waiting:
        raise why("its write-ahead log ends within a transaction")
    return committed, pages


def _sum(data: bytes, order: str, start: tuple[int, int]) -> tuple[int, int]:
    first, second = start
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for word in words:
        first = (first + word + second) & _MASK
        second = (second + next(words) + first) & _MASK
    return first, second
