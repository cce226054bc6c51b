# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers onto a root: every format of tar, compression, whiteouts, links, owners, times."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import pathlib
import random
import shutil
import stat
import subprocess
import tarfile
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from ansible_collections.scap.images.plugins.module_utils.scanner.unpack_paths import Paths

from tests.support import shared_data
from tests.support.layers import unpack
from tests.support.tars import END, entry, folder, hardlink, pax, symlink
from tests.support.trees import difference, snapshot

ROOT = os.geteuid() == 0


def names(root: pathlib.Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-q"], input=data, stdout=subprocess.PIPE, check=True).stdout


def members(data: bytes) -> bytes:
    """gzip of many members, as pigz, bgzip and estargz write it."""
    return b"".join(gzip.compress(data[at : at + 700]) for at in range(0, len(data), 700))


def sample(folder: pathlib.Path) -> pathlib.Path:
    """A tree with everything that a layer can hold for an ordinary user, and owners where we are root."""
    tree = folder / "sample"
    (tree / "etc" / "deep" / ("long" * 20) / ("name" * 20)).mkdir(parents=True)
    (tree / "etc" / "deep" / ("long" * 20) / ("name" * 20) / ("file" * 20)).write_bytes(b"deep")
    (tree / "bin").symlink_to("usr/bin")
    (tree / "etc" / "link").symlink_to("/" + "target/" * 30)
    (tree / "etc" / "empty").write_bytes(b"")
    chance = random.Random(1)
    (tree / "etc" / "block").write_bytes(chance.randbytes(512))
    (tree / "etc" / "large").write_bytes(chance.randbytes(3_000_001))
    os.link(tree / "etc" / "block", tree / "etc" / "same")
    os.link(tree / "etc" / "link", tree / "etc" / "link-too", follow_symlinks=False)
    for name in (b"new\nline", b"invalid\xff\xfe", "für".encode(), b" space ", b"-", b"back\\slash"):
        pathlib.Path(os.fsdecode(os.fsencode(tree) + b"/etc/" + name)).write_bytes(name)
    (tree / "etc" / "setuid").write_bytes(b"#!")
    with (tree / "etc" / "sparse").open("wb") as sparse:
        for at in (0, 1 << 20, (3 << 20) + 777):
            sparse.seek(at)
            sparse.write(b"data" * 1000)
        sparse.truncate(5 << 20)
    if ROOT:
        for number, path in enumerate(sorted(tree.rglob("*"))):
            os.chown(path, 1000 + number, 70_000 + number, follow_symlinks=False)
        os.setxattr(
            tree / "etc" / "setuid", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000")
        )
    (tree / "etc" / "setuid").chmod(0o6755)
    for number, path in enumerate(sorted(tree.rglob("*"), key=lambda path: -len(path.parts))):
        os.utime(path, (0, 1_600_000_000 + number), follow_symlinks=False)
    (tree / "etc").chmod(0o2750)
    os.utime(tree, (0, 1_500_000_000))
    return tree


@pytest.mark.parametrize(
    "options",
    [
        ["--format=gnu"],
        ["--format=gnu", "--sparse"],
        ["--format=pax", "--xattrs", "--xattrs-include=*"],
        ["--format=pax", "--sparse", "--sparse-version=0.0"],
        ["--format=pax", "--sparse", "--sparse-version=0.1"],
        ["--format=pax", "--sparse", "--sparse-version=1.0"],
        ["--format=posix", "--numeric-owner"],
    ],
    ids=" ".join,
)
def test_the_tree_of_gnu_tar(tmp_path: pathlib.Path, options: list[str]) -> None:
    tree = sample(tmp_path)
    made = subprocess.run(["tar", *options, "-C", str(tree), "-cf", "-", "."], check=True, stdout=subprocess.PIPE)
    root, budget = unpack(tmp_path, made.stdout)
    wanted, found = snapshot(tree), snapshot(root)
    if "--xattrs" not in options:
        for node in wanted.values():
            node.pop("capability", None)
    for number in (wanted, found):
        for node in number.values():
            node["mtime"] //= 1_000_000_000
    assert difference(wanted, found) == {}
    assert budget.files == len(wanted)
    if "--sparse" in options:
        assert (root / "etc" / "sparse").stat().st_blocks * 512 < 1 << 20


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_python_writes(tmp_path: pathlib.Path, form: int) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as tar:
        for name, kind, link in (
            ("a", tarfile.DIRTYPE, ""),
            ("a/" + "n" * 90 + "/" + "f" * 60, tarfile.REGTYPE, ""),
            ("a/s", tarfile.SYMTYPE, "x" * 90),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mtime, info.mode = kind, link, 1_234_567_890, 0o751
            info.size = 5 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"12345"))
    root, _budget = unpack(tmp_path, stream.getvalue())
    assert (root / "a" / ("n" * 90) / ("f" * 60)).read_bytes() == b"12345"
    assert os.readlink(root / "a" / "s") == "x" * 90
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o751
    assert (root / "a").stat().st_mtime == 1_234_567_890


@pytest.mark.parametrize("pack", [bytes, gzip.compress, members, zstd], ids=["plain", "gzip", "gzip-members", "zstd"])
def test_compressions(tmp_path: pathlib.Path, pack: t.Callable[[bytes], bytes]) -> None:
    content = random.Random(1).randbytes(100_000) + bytes(1_000_000)
    root, budget = unpack(tmp_path, entry("f", content) + END, pack=pack)
    assert (root / "f").read_bytes() == content
    assert (budget.bytes, budget.files, budget.layers) == (1_100_000, 1, 1)


def test_another_compression_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ScapError, match="not a tar that can be read") as caught:
        unpack(tmp_path, entry("f", b"x") + END, pack=bz2.compress)
    assert caught.value.code == "layer_damaged"


BASE = (
    folder("d")
    + entry("d/old", b"old")
    + folder("d/sub")
    + entry("d/sub/old", b"old")
    + entry("f", b"f")
    + symlink("l", "d")
)

LAYERS: dict[str, tuple[bytes, list[str]]] = {
    "a file": (entry(".wh.f"), ["d", "d/old", "d/sub", "d/sub/old", "l"]),
    "a folder": (folder("d") + entry("d/.wh.sub"), ["d", "d/old", "f", "l"]),
    "a link, not what it leads to": (entry(".wh.l"), ["d", "d/old", "d/sub", "d/sub/old", "f"]),
    "what is not there": (entry(".wh.none") + entry("none/.wh.x"), ["d", "d/old", "d/sub", "d/sub/old", "f", "l"]),
    "opaque first": (folder("d") + entry("d/.wh..wh..opq") + entry("d/new"), ["d", "d/new", "f", "l"]),
    "opaque last": (folder("d") + entry("d/new") + entry("d/.wh..wh..opq"), ["d", "d/new", "f", "l"]),
    "opaque behind what is deep": (
        entry("d/sub/new") + entry("d/.wh..wh..opq"),
        ["d", "d/sub", "d/sub/new", "f", "l"],
    ),
    "opaque root": (entry("new") + entry(".wh..wh..opq"), ["new"]),
    "of what this layer makes": (entry("f", b"new") + entry(".wh.f"), ["d", "d/old", "d/sub", "d/sub/old", "f", "l"]),
    "of a folder made again": (folder("d") + entry("d/new") + entry(".wh.d"), ["d", "d/new", "f", "l"]),
    "of a folder named again": (folder("d/sub") + entry("d/.wh.sub"), ["d", "d/old", "d/sub", "f", "l"]),
    "through a link": (entry("l/.wh.old"), ["d", "d/sub", "d/sub/old", "f", "l"]),
    "of aufs": (
        entry(".wh..wh.aufs") + folder(".wh..wh.plnk") + entry(".wh..wh.plnk/1.2", b"x") + entry("d/.wh..wh.aufs"),
        ["d", "d/old", "d/sub", "d/sub/old", "f", "l"],
    ),
    "a file where a folder was": (entry("d", b"x"), ["d", "f", "l"]),
    "a folder where a file was": (folder("f") + entry("f/x"), ["d", "d/old", "d/sub", "d/sub/old", "f", "f/x", "l"]),
    "a folder where a link was": (folder("l") + entry("l/x"), ["d", "d/old", "d/sub", "d/sub/old", "f", "l", "l/x"]),
    "a device where a file was": (entry("f", kind=b"3"), ["d", "d/old", "d/sub", "d/sub/old", "l"]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_whiteouts_and_what_takes_a_place(tmp_path: pathlib.Path, name: str) -> None:
    upper, wanted = LAYERS[name]
    root, _budget = unpack(tmp_path, BASE + END, upper + END)
    assert names(root) == wanted
    if name == "of what this layer makes":
        assert (root / "f").read_bytes() == b"new"


def test_whiteouts_of_the_first_layer_mean_nothing(tmp_path: pathlib.Path) -> None:
    root, _budget = unpack(tmp_path, BASE + entry(".wh.f") + entry("d/.wh..wh..opq") + END)
    assert names(root) == ["d", "d/old", "d/sub", "d/sub/old", "f", "l"]


def test_real_layers_with_opaque_whiteouts(tmp_path: pathlib.Path) -> None:
    first = folder("etc") + folder("etc/test") + entry("etc/test/gone") + folder("var") + entry("var/foo") + END
    root, _budget = unpack(tmp_path, first, shared_data.path("images", "opq.tar").read_bytes())
    assert names(root) == ["etc", "etc/test", "etc/test/test2", "var"]
    shutil.rmtree(root)
    lower = folder("a") + entry("a/x") + folder("b") + entry("b/x") + END
    root, _budget = unpack(tmp_path, lower, shared_data.path("images", "whiteout_opaque.layer").read_bytes())
    assert names(root) == ["a", "b", "b/not.a.wh..wh..opq", "b/x"]


MEANINGS: dict[str, tuple[bytes, dict[str, bytes]]] = {
    "pax path and size": (
        pax({"path": b"right", "size": b"3"}) + entry("wrong", b"abc", size=0),
        {"right": b"abc"},
    ),
    "an empty pax value leaves the header's own": (pax({"path": b""}) + entry("own", b"x"), {"own": b"x"}),
    "the last extended header counts": (
        pax({"path": b"first"}) + pax({"mtime": b"5.25"}) + entry("own", b"x"),
        {"own": b"x"},
    ),
    "a global header means nothing": (pax({"path": b"all"}, kind=b"g") + entry("own", b"x"), {"own": b"x"}),
    "a global header ends what stands before it": (
        pax({"path": b"lost"}) + pax({}, kind=b"g") + entry("own", b"x"),
        {"own": b"x"},
    ),
    "a GNU long name goes before a pax path": (
        pax({"path": b"pax"}) + entry("L", b"gnu\0rest", kind=b"L") + entry("own", b"x"),
        {"gnu": b"x"},
    ),
    "ustar's prefix": (entry("n", b"x", fields={345: b"pre/fix"}), {"pre/fix/n": b"x"}),
    "ustar's prefix without a version": (
        entry("n", b"x", magic=b"ustar\0  ", fields={345: b"pre"}),
        {"pre/n": b"x"},
    ),
    "star's shorter prefix": (
        entry("n", b"x", fields={345: b"p" * 131 + b"no", 508: b"tar\0"}),
        {"p" * 131 + "/n": b"x"},
    ),
    "no prefix in GNU's format": (entry("n", b"x", magic=b"ustar  \0"), {"n": b"x"}),
    "no prefix in the oldest format": (entry("n", b"x", magic=b"", fields={345: b"pre"}), {"n": b"x"}),
    "an old folder": (entry("d/", kind=b"\0") + entry("d/f", b"x", kind=b"\0"), {"d/f": b"x"}),
    "a body behind a folder's size": (entry("d", kind=b"5", size=512) + entry("d/f", b"x"), {"d/f": b"x"}),
    "numbers in base 256": (entry("n", b"x", uid=3_000_000, fields={124: b"\x80" + bytes(10) + b"\x01"}), {"n": b"x"}),
    "duplicates: the last": (entry("n", b"one") + entry("n", b"two"), {"n": b"two"}),
    "the archive ends at two zero blocks": (entry("n", b"x") + END + entry("hidden", b"y"), {"n": b"x"}),
    "names that are the same": (entry("./a//b/./c", b"x") + entry("/abs", b"y"), {"a/b/c": b"x", "abs": b"y"}),
    "through a link inside": (symlink("l", "/d") + folder("d") + entry("l/f", b"x"), {"d/f": b"x"}),
    "through a link to what is not there yet": (symlink("l", "x/../d/e") + entry("l/f", b"x"), {"d/e/f": b"x"}),
    "a link that climbs stays in the root": (
        symlink("l", "../../../../d") + folder("d") + entry("l/f", b"x"),
        {"d/f": b"x"},
    ),
    "hard links": (
        entry("f", b"x") + hardlink("g", "/f") + symlink("s", "nowhere") + hardlink("h", "s"),
        {"f": b"x", "g": b"x"},
    ),
}


@pytest.mark.parametrize("name", MEANINGS)
def test_an_entry_means_what_runtimes_make_of_it(tmp_path: pathlib.Path, name: str) -> None:
    tar, wanted = MEANINGS[name]
    root, _budget = unpack(tmp_path, tar + END)
    found = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    assert found == wanted
    if name == "numbers in base 256" and ROOT:
        assert (root / "n").stat().st_uid == 3_000_000
    if name == "the last extended header counts":
        assert (root / "own").stat().st_mtime_ns == 5_250_000_000


def test_times(tmp_path: pathlib.Path) -> None:
    tar = (
        pax({"mtime": b"1234567890.123456789"})
        + entry("exact")
        + pax({"mtime": b"-5.5"})
        + entry("before")
        + pax({"mtime": b"99999999999999999999"})
        + entry("after")
        + folder("d", mtime=77)
        + entry("d/f")
        + END
    )
    root, _budget = unpack(tmp_path, tar)
    found = {name: (root / name).stat().st_mtime_ns for name in ("exact", "before", "after", "d")}
    assert found == {"exact": 1_234_567_890_123_456_789, "before": 0, "after": 0, "d": 77_000_000_000}


def test_devices_are_counted_and_not_made(tmp_path: pathlib.Path) -> None:
    tar = b"".join(entry(f"node-{kind.decode()}", kind=kind) for kind in (b"3", b"4", b"6")) + entry("f") + END
    root, budget = unpack(tmp_path, tar)
    assert names(root) == ["f"]
    assert (budget.skipped, budget.files) == (3, 4)


def test_the_header_of_a_hard_link_goes_for_the_file(tmp_path: pathlib.Path) -> None:
    tar = entry("f", b"x", mode=0o644) + entry("g", kind=b"1", link="f", mode=0o4755, mtime=5) + END
    root, _budget = unpack(tmp_path, tar)
    status = (root / "f").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_nlink, status.st_mtime) == (0o4755, 2, 5)


@pytest.mark.skipif(not ROOT, reason="capabilities need root")
@pytest.mark.parametrize("again", [True, False], ids=["named again", "not named"])
def test_a_hard_link_leaves_the_capability(tmp_path: pathlib.Path, again: bool) -> None:
    """As umoci and the containers storage have it, though the change of the owner takes it away."""
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    records = pax({"SCHILY.xattr.security.capability": capability})
    tar = records + entry("f", b"x", mode=0o755) + (records if again else b"") + hardlink("g", "f") + END
    root, _budget = unpack(tmp_path, tar)
    assert os.getxattr(root / "f", "security.capability") == capability
    assert (root / "g").samefile(root / "f")


def test_the_root_has_a_header_too(tmp_path: pathlib.Path) -> None:
    root, _budget = unpack(tmp_path, folder("./", mode=0o1751, mtime=99) + entry("./f") + END)
    assert (stat.S_IMODE(root.stat().st_mode), root.stat().st_mtime) == (0o1751, 99)


def test_paths_are_a_set() -> None:
    paths, wanted = Paths(), set()
    for number in range(5000):
        paths.add(b"%d" % (number % 3000))
        wanted.add(b"%d" % (number % 3000))
    assert len(paths) == len(wanted)
    assert all(path in paths for path in wanted)
    assert not any(b"%d" % number in paths for number in range(3000, 6000))
