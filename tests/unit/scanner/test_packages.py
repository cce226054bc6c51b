"""Package databases: every format read whole, and nothing that is damaged read as less."""

from __future__ import annotations

import os
import pathlib
import shutil
import sqlite3
import struct
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from ansible_collections.scap.images.plugins.module_utils.scanner.packages import read_inventory
from ansible_collections.scap.images.plugins.module_utils.scanner.packages.rpm import headers
from ansible_collections.scap.images.plugins.module_utils.scanner.packages.rpmheader import signature_key_id

from tests.support import package_databases as made
from tests.support import shared_data

HEADERS = [made.rpm_header(f"p{number}", filler=3000 * number) for number in range(1, 30)]


def put(root: pathlib.Path, path: str, data: bytes) -> pathlib.Path:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return target


def damaged(root: pathlib.Path) -> str:
    with pytest.raises(ScapError) as caught:
        read_inventory(str(root))
    assert caught.value.code == "package_database_damaged"
    return caught.value.message


FORMATS: dict[str, t.Callable[[pathlib.Path], None]] = {
    "sqlite": lambda root: made.sqlite_file(root / "var/lib/rpm/rpmdb.sqlite", HEADERS),
    "sqlite in its log": lambda root: made.sqlite_file(root / "var/lib/rpm/rpmdb.sqlite", HEADERS, wal=True),
    "ndb": lambda root: t.cast(None, put(root, "usr/lib/sysimage/rpm/Packages.db", made.ndb_bytes(HEADERS))),
    "bdb hash": lambda root: t.cast(None, put(root, "var/lib/rpm/Packages", made.bdb_bytes(HEADERS))),
    "bdb btree": lambda root: t.cast(None, put(root, "usr/share/rpm/Packages", made.bdb_bytes(HEADERS, btree=True))),
}


@pytest.mark.parametrize("form", FORMATS)
def test_every_rpm_format(tmp_path: pathlib.Path, form: str) -> None:
    FORMATS[form](tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    inventory = read_inventory(str(tmp_path))
    assert inventory.format == form.partition(" ")[0]
    assert sorted(package.name for package in inventory.packages) == sorted(f"p{n}" for n in range(1, 30))
    one = next(package for package in inventory.packages if package.name == "p7")
    assert (one.evr, one.arch, one.source, one.vendor) == ("1.0-1", "x86_64", "p7-1.0-1.src.rpm", "Vendor")
    assert one.installed_at == 1_700_000_000
    assert sorted(headers(str(tmp_path), inventory.path, inventory.format)) == sorted(HEADERS)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("form", FORMATS)
def test_truncated_anywhere_is_never_less(tmp_path: pathlib.Path, form: str) -> None:
    """Cut at any place, a database is damaged or (a log's last, uncommitted part) whole."""
    FORMATS[form](tmp_path)
    path = next(path for path in tmp_path.rglob("*") if path.is_file() and not path.name.endswith("-wal"))
    if form == "sqlite in its log":
        path = path.with_name(f"{path.name}-wal")
    data = path.read_bytes()
    for cut in (0, 1, 31, 100, 511, 4096, len(data) // 3, len(data) // 2, len(data) - 4096, len(data) - 1):
        path.write_bytes(data[:cut])
        assert damaged(tmp_path)


@pytest.mark.parametrize("form", ["sqlite", "ndb", "bdb hash", "bdb btree"])
def test_an_entry_that_was_dropped(tmp_path: pathlib.Path, form: str) -> None:
    FORMATS[form](tmp_path)
    path = next(path for path in tmp_path.rglob("*") if path.is_file())
    data = bytearray(path.read_bytes())
    if form == "sqlite":
        made.sqlite_file(path, HEADERS)
        with sqlite3.connect(path) as database:
            database.execute("DELETE FROM Packages WHERE hnum = 5")
        database.close()
    elif form == "ndb":
        place = 32 + 16 * 4
        data[place + 4 : place + 16] = b"\0" * 12
        path.write_bytes(bytes(data))
    else:
        struct.pack_into("<H", data, 4096 + 20, 0)
        path.write_bytes(bytes(data))
    damaged(tmp_path)


def test_loops_and_lies_in_sqlite(tmp_path: pathlib.Path) -> None:
    FORMATS["sqlite"](tmp_path)
    path = tmp_path / "var/lib/rpm/rpmdb.sqlite"
    data = path.read_bytes()
    for place, value in ((16, b"\0\3"), (20, b"\xff"), (100, b"\2"), (103, b"\xff\xff"), (28, b"\xff\xff\xff\xff")):
        path.write_bytes(data[:place] + value + data[place + len(value) :])
        damaged(tmp_path)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\0" * 16,
        struct.pack(">II", 0x7FFFFFFF, 16) + b"\0" * 64,
        struct.pack(">II", 1, 0x7FFFFFFF) + b"\0" * 64,
        struct.pack(">IIIIII", 1, 4, 1000, 6, 900, 1) + b"name",
        struct.pack(">IIIIII", 1, 4, 1000, 6, 0, 1) + b"name",
        struct.pack(">IIIIII", 1, 5, 1000, 6, 0, 1) + b"name\0",
    ],
)
def test_a_header_that_is_none(tmp_path: pathlib.Path, blob: bytes) -> None:
    put(tmp_path, "var/lib/rpm/Packages.db", made.ndb_bytes([HEADERS[0], blob]))
    damaged(tmp_path)


@pytest.mark.parametrize(
    ("source", "name", "count", "keys"),
    [
        ("amazonlinux2023-sqlite", "rpmdb.sqlite", 103, {"e951904ad832c631", ""}),
        ("sle15-bci-ndb", "Packages.db", 35, {"70af9e8139db7c82", ""}),
        ("rhel8-libuuid-bdb", "Packages", 1, {"199e2f91fd431d51"}),
    ],
)
def test_known_answers(tmp_path: pathlib.Path, source: str, name: str, count: int, keys: set[str]) -> None:
    place = tmp_path / "usr/lib/sysimage/rpm"
    place.mkdir(parents=True)
    shutil.copy(shared_data.path("rpmdb", source, name), place / name)
    (tmp_path / "var/lib").mkdir(parents=True)
    os.symlink("/usr/lib/sysimage/rpm", tmp_path / "var/lib/rpm")
    inventory = read_inventory(str(tmp_path))
    assert (len(inventory.packages), inventory.path) == (count, f"usr/lib/sysimage/rpm/{name}")
    assert {package.key_id for package in inventory.packages} <= keys
    assert all(package.key_id or package.name == "gpg-pubkey" for package in inventory.packages)


def test_dpkg_states_and_problems(tmp_path: pathlib.Path) -> None:
    text = made.dpkg_status(["a", "b", "c"]).replace(
        b"Package: b\nStatus: install ok installed", b"Package: b\nStatus: x"
    )
    path = put(tmp_path, "var/lib/dpkg/status", text.replace(b"Status: x", b"Status: deinstall ok config-files"))
    assert [package.name for package in read_inventory(str(tmp_path)).packages] == ["a", "c"]
    path.write_bytes(text.replace(b"Status: x", b"Status: install ok half-configured"))
    inventory = read_inventory(str(tmp_path))
    assert [package.version for package in inventory.packages] == ["1:1.0-1"] * 3
    assert inventory.problems == ["b is half-configured"]
    path.write_bytes(text)
    assert "the status 'x'" in damaged(tmp_path)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data[:-40], "breaks off"),
        (lambda data: data.replace(b"Version: 1:1.0-1\n", b"", 1), "no version"),
        (lambda data: data + data, "twice"),
        (lambda data: data.replace(b"Maintainer", b"\0Maintainer", 1), "NUL"),
        (lambda data: b"garbage\n" + data, "not a field"),
        (lambda data: b" garbage\n" + data, "continues nothing"),
        (lambda data: data.replace(b"Package: b", b"Package: ../b"), "names no package"),
        (lambda data: data.replace(b"Status: install ok installed\n", b"", 1), "status"),
        (lambda data: data.replace(b"Version: 1:1.0-1\n", b"Version: 1\nVersion: 2\n", 1), "repeats version"),
    ],
)
def test_damaged_dpkg_status(tmp_path: pathlib.Path, change: t.Callable[[bytes], bytes], why: str) -> None:
    put(tmp_path, "var/lib/dpkg/status", change(made.dpkg_status(["a", "b"])))
    assert why in damaged(tmp_path)


def test_dpkg_entries_that_were_dropped(tmp_path: pathlib.Path) -> None:
    """dpkg's file lists tell of packages that the status file forgot; its journal of changes not yet in it."""
    status = put(tmp_path, "var/lib/dpkg/status", made.dpkg_status(["a", "b"]))
    put(tmp_path, "var/lib/dpkg/info/a.list", b"")
    put(tmp_path, "var/lib/dpkg/info/b:amd64.list", b"")
    assert len(read_inventory(str(tmp_path)).packages) == 2
    journal = put(tmp_path, "var/lib/dpkg/updates/0001", b"")
    assert "interrupted" in damaged(tmp_path)
    journal.unlink()
    put(tmp_path, "var/lib/dpkg/info/c.list", b"")
    assert "that it does not: c" in damaged(tmp_path)
    status.unlink()
    assert "names 3 packages" in damaged(tmp_path)


def test_distroless(tmp_path: pathlib.Path) -> None:
    put(tmp_path, "var/lib/dpkg/status.d/libc6", b"Package: libc6\nVersion: 2.36-9\nArchitecture: amd64\n")
    put(tmp_path, "var/lib/dpkg/status.d/libc6.md5sums", b"0  usr/lib/libc.so.6\n")
    inventory = read_inventory(str(tmp_path))
    assert (inventory.format, [package.evr for package in inventory.packages]) == ("status.d", ["2.36-9"])
    put(tmp_path, "var/lib/dpkg/status.d/empty", b"")
    damaged(tmp_path)


@pytest.mark.parametrize("place", ["lib/apk/db/installed", "usr/lib/apk/db/installed"])
def test_apk(tmp_path: pathlib.Path, place: str) -> None:
    path = put(tmp_path, place, made.apk_installed(["musl", "busybox"]))
    inventory = read_inventory(str(tmp_path))
    assert (inventory.manager, inventory.path) == ("apk", place)
    first = inventory.packages[0]
    assert (first.name, first.version, first.source, first.arch) == ("musl", "1.2.3-r4", "origin-musl", "x86_64")
    assert first.installed_at == 1_700_000_000
    assert first.digest.startswith("Q1")
    for broken in (b"P:a\n", b"garbage\n", b"P:a\nV:1\n\nP:a\nV:1\n\n", b"P:a\nV:1\n\nP:b\nV:", b"P:a\0\nV:1\n\n"):
        path.write_bytes(broken)
        damaged(tmp_path)


def test_no_database_says_where_it_was_looked_for(tmp_path: pathlib.Path) -> None:
    inventory = read_inventory(str(tmp_path))
    assert (inventory.manager, inventory.packages) == ("", [])
    assert "/var/lib/dpkg/status.d" in inventory.problems[0]


@pytest.mark.parametrize("path", ["var/lib/dpkg/status", "var/lib/rpm/rpmdb.sqlite", "lib/apk/db/installed"])
@pytest.mark.parametrize("kind", ["fifo", "folder", "dangling", "loop"])
def test_what_cannot_be_read_is_not_none(tmp_path: pathlib.Path, path: str, kind: str) -> None:
    target = tmp_path / path
    target.parent.mkdir(parents=True)
    if kind == "fifo":
        os.mkfifo(target)
    elif kind == "folder":
        target.mkdir()
    else:
        os.symlink("/nowhere" if kind == "dangling" else target.name, target)
    damaged(tmp_path)


def test_two_databases(tmp_path: pathlib.Path) -> None:
    put(tmp_path, "var/lib/dpkg/status", made.dpkg_status(["a"]))
    made.sqlite_file(tmp_path / "var/lib/rpm/rpmdb.sqlite", [])
    inventory = read_inventory(str(tmp_path))
    assert (inventory.manager, inventory.problems) == (
        "dpkg",
        ["/var/lib/rpm/rpmdb.sqlite is there too and names no package"],
    )
    put(tmp_path, "usr/lib/sysimage/rpm/Packages.db", made.ndb_bytes(HEADERS))
    assert "several" in damaged(tmp_path)


@pytest.mark.parametrize(
    ("packet", "key"),
    [
        ("88" + "15" + "0305" + "00" * 5 + "0123456789abcdef" + "00" * 6, "0123456789abcdef"),
        ("89" + "0015" + "04000108" + "0000" + "000a" + "0910" + "0123456789abcdef" + "00", "0123456789abcdef"),
        (
            "c2" + "22" + "04000108" + "0017" + "1621" + "04" + "11" * 12 + "0123456789abcdef" + "0000",
            "0123456789abcdef",
        ),
        ("", ""),
        ("c6" + "0100", ""),
        ("88" + "03" + "040001", ""),
    ],
)
def test_keys_of_signatures(packet: str, key: str) -> None:
    """RFC 4880, 5.2: version 3, version 4 with the issuer's id, version 4 with its fingerprint; broken ones."""
    assert signature_key_id(bytes.fromhex(packet)) == key
