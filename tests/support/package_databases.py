"""Package databases made here, in every format, by the formats' own descriptions."""

from __future__ import annotations

import pathlib
import sqlite3
import struct
import zlib


def rpm_header(name: str, *, version: str = "1.0", release: str = "1", arch: str = "x86_64", filler: int = 0) -> bytes:
    """A header with the tags that every package has, and `filler` bytes of description."""
    entries: list[tuple[int, int, int, bytes]] = [
        (1000, 6, 1, name.encode() + b"\0"),
        (1001, 6, 1, version.encode() + b"\0"),
        (1002, 6, 1, release.encode() + b"\0"),
        (1005, 9, 1, b"d" * filler + b"\0"),
        (1008, 4, 1, struct.pack(">I", 1_700_000_000)),
        (1011, 6, 1, b"Vendor\0"),
        (1022, 6, 1, arch.encode() + b"\0"),
        (1044, 6, 1, name.encode() + b"-1.0-1.src.rpm\0"),
    ]
    index, store = b"", b""
    for tag, kind, count, data in entries:
        store += b"\0" * (-len(store) % 4 if kind == 4 else 0)
        index += struct.pack(">IIII", tag, kind, len(store), count)
        store += data
    return struct.pack(">II", len(entries), len(store)) + index + store


def sqlite_file(path: pathlib.Path, headers: list[bytes], *, wal: bool = False) -> None:
    """rpmdb.sqlite with the tables Packages and Name; `wal`: everything is still in the write-ahead log."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = path.with_name("source.sqlite")
    database = sqlite3.connect(source, isolation_level=None)
    if wal:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA wal_autocheckpoint = 0")
    database.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
    database.execute("CREATE TABLE Name (key TEXT NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL)")
    database.execute("BEGIN")
    for number, blob in enumerate(headers, 1):
        database.execute("INSERT INTO Packages VALUES (?, ?)", (number, blob))
        database.execute("INSERT INTO Name VALUES (?, ?, 0)", (f"p{number}", number))
    database.execute("COMMIT")
    log = source.with_name("source.sqlite-wal")
    path.write_bytes(source.read_bytes())
    if wal:
        path.with_name(f"{path.name}-wal").write_bytes(log.read_bytes())
    database.close()
    source.unlink()


def ndb_bytes(headers: list[bytes]) -> bytes:
    """Packages.db: a page or more of slots, then the blobs (librpm's rpmpkg.c)."""
    pages = (2 + len(headers)) // 256 + 1
    slots, blobs = b"", b""
    for index, blob in enumerate(headers, 1):
        head = b"BlbS" + struct.pack("<III", index, 1, len(blob)) + blob
        head += b"\0" * (-(len(head) + 12) % 16)
        data = head + struct.pack("<II", zlib.adler32(head), len(blob)) + b"BlbE"
        slots += b"Slot" + struct.pack("<III", index, (pages * 4096 + len(blobs)) // 16, len(data) // 16)
        blobs += data
    head = b"RpmP" + struct.pack("<IIII", 0, 1, pages, len(headers) + 1) + b"\0" * 12
    slots += (b"Slot" + b"\0" * 12) * (pages * 256 - 2 - len(headers))
    return head + slots + blobs


def bdb_bytes(headers: list[bytes], *, btree: bool = False, size: int = 4096) -> bytes:
    """Packages of Berkeley DB: a page for each header's entry, overflow pages for the header (db_page.h)."""
    pages: list[bytes] = []

    def page(number: int, following: int, entries: int, place: int, kind: int, body: bytes) -> bytes:
        head = struct.pack("<8sIIIHHBB", b"\0" * 8, number, 0, following, entries, place, 0, kind)
        return (head + body).ljust(size, b"\0")

    room = size - 26
    for index, blob in enumerate(headers, 1):
        number = len(pages) + 1
        off = struct.pack("<B3xII" if not btree else "<xxB xII", 3, number + 1, len(blob))
        key = struct.pack("<I", index)
        key = b"\1" + key if not btree else struct.pack("<HB", 4, 1) + key
        key_at, off_at = size - len(key), size - len(key) - len(off)
        body = struct.pack("<HH", key_at, off_at).ljust(off_at - 26, b"\0") + off + key
        pages.append(page(number, 0, 2, off_at, 5 if btree else 13, body))
        for start in range(0, len(blob), room):
            chunk = blob[start : start + room]
            here = len(pages) + 1
            pages.append(page(here, here + 1 if start + room < len(blob) else 0, 1, len(chunk), 7, chunk))
    magic = 0x00053162 if btree else 0x00061561
    meta = struct.pack("<8sIIII", b"\0" * 8, 0, magic, 9, size) + struct.pack(
        "<BBBBII", 0, 9 if btree else 8, 0, 0, 0, len(pages)
    )
    return meta.ljust(size, b"\0") + b"".join(pages)


def dpkg_status(names: list[str]) -> bytes:
    return "".join(
        f"Package: {name}\nStatus: install ok installed\nMaintainer: M <m@example.org>\nArchitecture: amd64\n"
        f"Version: 1:1.0-1\nDescription: {name}\n a longer text\n .\n of several lines\n\n"
        for name in names
    ).encode()


def apk_installed(names: list[str]) -> bytes:
    """lib/apk/db/installed, fields as apk's documentation of the format (apk-package(5), apk v2 index) lists them."""
    return "".join(
        f"C:Q1pSzrvGTbbHQtRTRtGzTWkfVHnMc=\nP:{name}\nV:1.2.3-r4\nA:x86_64\nS:100\nI:200\nT:text\nU:https://example.org\n"
        f"L:MIT\no:origin-{name}\nm:M <m@example.org>\nt:1700000000\nc:abcdef\nF:usr/bin\nR:{name}\na:0:0:755\n"
        f"Z:Q1pSzrvGTbbHQtRTRtGzTWkfVHnMc=\n\n"
        for name in names
    ).encode()
