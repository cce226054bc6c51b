"""The traps of package databases and probes: what bare oscap says (status 0 and clean), and what our checks say."""

from __future__ import annotations

import os
import pathlib
import sqlite3
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.scanner import confine
from ansible_collections.scap.images.plugins.module_utils.scanner.packages import read_inventory
from ansible_collections.scap.images.plugins.module_utils.scanner.questions import (
    INDEPENDENT,
    UNIX,
    Question,
    document,
)

from tests.integration.inventory.lab import TOOLS, Lab
from tests.support import package_databases as made

FAMILIES = ("file", "textfilecontent54", "symlink", "xmlfilecontent", "yamlfilecontent", "filehash58", "password")
FAMILIES += ("environmentvariable58", "rpminfo")
PASSWD = b"root:x:0:0:root:/root:/bin/bash\nbin:x:1:1:bin:/bin:/sbin/nologin\n"


def dpkg_status(*packages: tuple[str, str, str]) -> bytes:
    """A status file of (name, architecture, status)."""
    return "".join(
        f"Package: {name}\nStatus: {state}\nMaintainer: M <m@example.org>\nArchitecture: {arch}\nMulti-Arch: same\n"
        f"Version: 1:2.0-1\nDescription: d\n\n"
        for name, arch, state in packages
    ).encode()


INSTALLED = "install ok installed"


def text(name: str, path: str, pattern: str) -> Question:
    content = f'<filepath>{path}</filepath><pattern operation="pattern match">{pattern}</pattern>'
    return Question(name, "textfilecontent54", INDEPENDENT, content + '<instance datatype="int">1</instance>')


@pytest.mark.parametrize(("root", "count"), [("rhel9-ubi9.0", 181), ("rhel8-ubi8.0", 178), ("rhel8-ubi8.0-bdb", 178)])
def test_traps_1_2_and_3_every_package_is_seen(lab: Lab, root: str, count: int) -> None:
    """Another database path, WAL mode, Berkeley DB without indexes."""
    lab.unpack(root)
    for name in ("Name", "Basenames", "Providename"):
        (lab.root / "var/lib/rpm" / name).unlink(missing_ok=True)
    lab.write("etc/passwd", PASSWD)
    if lab.version == "1.3.7":
        assert lab.bare_roll_call() == (0, 0)
    checks = lab.prove(*FAMILIES)
    assert {check.check for check in checks.values() if not check.passed} == set()
    assert str(count) in checks["packages"].detail
    assert len(checks) == 2 + len(FAMILIES)  # packages, probes, texts; rpminfo has the roll call
    assert lab.stderr == ""


def test_a_roll_call_of_2000_packages(lab: Lab) -> None:
    """One object that finds so many ends oscap's probe: `Unable to receive a message from probe`."""
    lab.write(
        "var/lib/rpm/Packages.db", made.ndb_bytes([made.rpm_header(f"package-{number}") for number in range(2000)])
    )
    lab.write("etc/passwd", PASSWD)
    checks = lab.prove(*FAMILIES)
    assert {check.check for check in checks.values() if not check.passed} == set()
    assert "2000" in checks["packages"].detail


@pytest.mark.parametrize(
    ("source", "name", "place", "count"),
    [
        ("amazonlinux2023-sqlite", "rpmdb.sqlite", "usr/lib/sysimage/rpm", 103),
        ("amazonlinux2023-sqlite", "rpmdb.sqlite", "usr/share/rpm", 103),
        ("sle15-bci-ndb", "Packages.db", "usr/lib/sysimage/rpm", 35),
        ("sle15-bci-ndb", "Packages.db", "var/lib/rpm", 35),
        ("rhel8-libuuid-bdb", "Packages", "var/lib/rpm", 1),
    ],
)
def test_traps_4_and_5_formats_and_places(lab: Lab, source: str, name: str, place: str, count: int) -> None:
    lab.database(source, name, place)
    before = read_inventory(str(lab.root))
    assert len(before.packages) == count
    if lab.version == "1.3.7":
        assert lab.bare_roll_call() == (0, 0)
        for path in (lab.root / "var").glob("lib/rpm/rpmdb.sqlite*"):
            if place != "var/lib/rpm" or name != "rpmdb.sqlite":
                path.unlink()  # bare oscap made it
    checks = lab.prove("rpminfo")
    assert checks["packages"].passed, checks["packages"].detail
    if not (lab.root / place / name).exists() or name != "rpmdb.sqlite":
        return
    after = read_inventory(str(lab.root)) if place == "var/lib/rpm" else None
    assert after is None or sorted(after.packages, key=repr) == sorted(before.packages, key=repr)


def test_trap_6_signatures_survive_the_rebuild(lab: Lab) -> None:
    lab.database("sle15-bci-ndb", "Packages.db")
    before = lab.prepare()
    (lab.root / "var/lib/rpm/Packages.db").unlink(missing_ok=True)
    after = read_inventory(str(lab.root))
    assert after.format == "sqlite"
    assert {(one.name, one.key_id, one.digest) for one in after.packages} == {
        (one.name, one.key_id, one.digest) for one in before.packages
    }
    assert all(one.key_id for one in before.packages if one.name != "gpg-pubkey")


def test_a_header_that_librpm_refuses_is_no_package_less(lab: Lab) -> None:
    """Trap 6: librpm skips a header with a wrong digest, silently."""
    lab.database("amazonlinux2023-sqlite", "rpmdb.sqlite")
    with sqlite3.connect(lab.root / "var/lib/rpm/rpmdb.sqlite") as database:
        number, blob = database.execute("SELECT hnum, blob FROM Packages WHERE hnum = 5").fetchone()
        database.execute(
            "UPDATE Packages SET blob = ? WHERE hnum = ?", (blob.replace(b"amzn2023", b"amzn2099"), number)
        )
    database.close()
    check = lab.prove("rpminfo")["packages"]
    assert not check.passed
    assert "oscap sees 102 of 103 packages; it does not see basesystem" in check.detail


def test_trap_9_a_dpkg_root_is_seen_whole(lab: Lab) -> None:
    """Without dpkg's own tables in the image libapt sees no package; its binary cache would be believed."""
    lab.write("var/lib/dpkg/status", dpkg_status(("a", "amd64", INSTALLED), ("libc6", "amd64", INSTALLED)))
    lab.write("var/cache/apt/pkgcache.bin", b"stale")
    status, items = lab.bare_roll_call()
    assert status == 0
    if lab.version == "1.3.7":
        assert items == 0
    checks = lab.prove("dpkginfo")
    assert checks["packages"].passed, checks["packages"].detail
    assert lab.stderr == ""


def test_trap_9_every_state_of_dpkg(lab: Lab) -> None:
    states = ("install ok installed", "install ok unpacked", "install ok half-configured", "deinstall ok config-files")
    states += ("install ok triggers-pending", "install reinstreq half-installed", "purge ok not-installed")
    lab.write("var/lib/dpkg/status", dpkg_status(*((f"p{n}", "amd64", state) for n, state in enumerate(states))))
    assert len(read_inventory(str(lab.root)).packages) == 5
    assert lab.prove("dpkginfo")["packages"].passed


def test_a_package_on_hold_is_never_lost(lab: Lab) -> None:
    """oscap 1.4 does not see packages on hold or marked for removal; 1.3 does."""
    rows = (
        ("a", "amd64", INSTALLED),
        ("kept", "amd64", "hold ok installed"),
        ("old", "amd64", "deinstall ok installed"),
    )
    lab.write("var/lib/dpkg/status", dpkg_status(*rows))
    check = lab.prove("dpkginfo")["packages"]
    assert check.passed is (lab.version == "1.3.7")
    assert check.passed or "kept 1:2.0-1, old 1:2.0-1" in check.detail


def test_packages_of_several_architectures(lab: Lab) -> None:
    """oscap 1.3 does not see a package that is there for a foreign architecture alone; 1.4 does."""
    rows = (("libc6", "amd64", INSTALLED), ("libc6", "i386", INSTALLED), ("docs", "all", INSTALLED))
    lab.write("var/lib/dpkg/status", dpkg_status(*rows))
    assert lab.prove("dpkginfo")["packages"].passed
    lab.write("var/lib/dpkg/status", dpkg_status(*rows, ("wine32", "i386", INSTALLED)))
    check = lab.prove("dpkginfo")["packages"]
    assert check.passed is (lab.version == "1.4.2")
    assert check.passed or "wine32" in check.detail


@pytest.mark.parametrize("manager", ["", "apk", "dpkg"])
def test_trap_7_no_package_proves_nothing(lab: Lab, manager: str) -> None:
    if manager == "apk":
        lab.write("lib/apk/db/installed", b"P:musl\nV:1.2-r0\n\n")
    elif manager == "dpkg":
        lab.write("var/lib/dpkg/status", b"")
    checks = lab.prove("dpkginfo", "rpminfo")
    assert not checks["packages"].passed
    assert "prove nothing" in checks["packages"].detail
    assert lab.prove("file")["packages"].passed


def test_trap_13_a_missing_mount_table_is_noticed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recursion on local file systems finds nothing without /etc/mtab; bare oscap in a chroot says `true`."""
    content = (
        '<behaviors recurse="directories" recurse_direction="down" max_depth="-1" recurse_file_system="local"/>'
        '<path>/</path><filename operation="pattern match">^planted$</filename>'
    )
    lab.write("srv/deep/planted", b"")
    found = "true" if os.path.exists(os.path.join(TOOLS[lab.version], "etc/mtab")) else "false"
    assert lab.bare(document([Question("planted", "file", UNIX, content)]))[:2] == (0, {"planted": found})
    assert lab.prove("file")["probe_file"].passed
    whole = confine.Sandbox._bwrap

    def without(self: confine.Sandbox, environment: t.Mapping[str, str], readable: t.Sequence[str]) -> list[str]:
        argv = whole(self, environment, readable)
        place = argv.index("/etc/mtab")
        return argv[: place - 2] + argv[place + 1 :]

    monkeypatch.setattr(confine.Sandbox, "_bwrap", without)
    assert not lab.prove("file")["probe_file"].passed


@pytest.mark.parametrize(
    ("data", "pattern", "why"),
    [
        (b"harmless\n\0\nPermitRootLogin yes\n", "^PermitRootLogin", "NUL"),
        (b"\xef\xbb\xbfPermitRootLogin yes\n", "^PermitRootLogin", "byte order mark"),
        (None, "^PermitRootLogin", "FIFO"),
    ],
)
def test_trap_15_hidden_lines(lab: Lab, data: bytes | None, pattern: str, why: str) -> None:
    path = lab.root / "etc/ssh/sshd_config"
    path.parent.mkdir(parents=True)
    if data is None:
        os.mkfifo(path)
    else:
        path.write_bytes(data)
    status, answers, _items = lab.bare(document([text("root", "/etc/ssh/sshd_config", pattern)]))
    assert (status, answers["root"]) == (0, "false")
    check = lab.prove("textfilecontent54", texts=["/etc/ssh\nsshd_config"])["texts"]
    assert not check.passed
    assert "sshd_config" in check.detail
    assert why in check.detail
    assert not lab.prove("textfilecontent54", texts=["/etc/ssh\n^.*_config$"])["texts"].passed


def test_absolute_links_are_followed_inside_the_root(lab: Lab) -> None:
    """oscap takes the target of an absolute link for a path of the scanner's own root: the file is absent."""
    lab.write("etc/authselect/system-auth", b"nullok\n")
    lab.write("usr/etc/real", b"nullok\n")
    (lab.root / "etc/pam.d").mkdir()
    os.symlink("/etc/authselect/system-auth", lab.root / "etc/pam.d/system-auth")
    os.symlink("/usr/etc", lab.root / "conf")
    asked = [text("file", "/etc/pam.d/system-auth", "nullok"), text("folder", "/conf/real", "nullok")]
    assert lab.bare(document(asked))[:2] == (0, {"file": "false", "folder": "false"})
    assert lab.prove("textfilecontent54", texts=["/etc/pam.d\nsystem-auth", "/conf\nreal"])["texts"].passed
    assert lab.bare(document(asked))[:2] == (0, {"file": "true", "folder": "true"})
    os.symlink("../../../../etc/passwd", lab.root / "etc/astray")
    check = lab.prove("textfilecontent54", texts=["/etc\nastray"])["texts"]
    assert not check.passed
    assert "/etc/astray (its link leads out" in check.detail


def test_markers_do_not_answer_the_content(lab: Lab) -> None:
    """What SSG's searches look for (writable by all, without owner, setuid) finds no marker of ours."""
    lab.write("etc/passwd", PASSWD)
    lab.prove(*FAMILIES)
    for path in [*lab.root.glob(".scap-images-*"), *lab.root.glob(".scap-images-*/**/*")]:
        status = path.lstat()
        assert (status.st_uid, status.st_gid) == (0, 0)
        assert path.is_symlink() or status.st_mode & 0o7022 == 0


def test_a_root_without_users(lab: Lab) -> None:
    """The password probe breaks on it, in the content too."""
    check = lab.prove("password")["probe_password"]
    assert not check.passed
    assert "no /etc/passwd" in check.detail


def test_unproven_families_are_named(lab: Lab) -> None:
    detail = lab.prove("partition", "sysctl", "rpmverifyfile", "variable")["probes"].detail
    assert detail == "not proven: partition, rpmverifyfile; oscap refuses on images, and says so: sysctl"


def test_nothing_is_written_outside_the_root(lab: Lab, tmp_path: pathlib.Path) -> None:
    outside = tmp_path / "outside"
    (outside / "rpm").mkdir(parents=True)
    (lab.root / "var").mkdir()
    os.symlink(f"../../../..{outside}", lab.root / "var/lib")
    os.symlink(str(outside), lab.root / "usr")
    lab.database("amazonlinux2023-sqlite", "rpmdb.sqlite", "shared")
    (lab.root / str(outside).lstrip("/")).mkdir(parents=True)
    (lab.root / str(outside).lstrip("/") / "rpm").symlink_to("/shared")
    lab.prove("rpminfo")
    assert [path.name for path in outside.rglob("*")] == ["rpm"]
