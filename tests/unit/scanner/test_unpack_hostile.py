# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers that want to hurt: each is refused with its code, or harmless; nothing outside of the root ever changes."""

from __future__ import annotations

import gzip
import os
import pathlib
import random
import resource
import subprocess
import time
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.records import Layer, Limits
from ansible_collections.scap.images.plugins.module_utils.scanner.unpack import Budget, unpack_layer

from tests.support import shared_data
from tests.support.layers import SMALL, digest, unpack
from tests.support.outside import unchanged
from tests.support.tars import END, entry, folder, hardlink, pax, record, symlink

UP = "../" * 12
OLD_SPARSE = {483: b"%011o\0" % (1 << 40), 386: b"%011o\0%011o\0" % (0, 1)}


def loop(count: int) -> bytes:
    return b"".join(symlink(f"l{number}", f"l{number + 1}") for number in range(count))


def deep(count: int) -> bytes:
    return entry("/".join(["d"] * count)) if count < 40 else pax({"path": b"d/" * count + b"f"}) + entry("x")


REFUSED: dict[str, tuple[str, bytes]] = {
    "a name that leads upwards": ("layer_unsafe", entry(UP + "outside/secret", b"evil")),
    "a name that leads upwards in its middle": ("layer_unsafe", entry("a/" + UP + "outside/secret", b"evil")),
    "a pax path that leads upwards": ("layer_unsafe", pax({"path": UP.encode() + b"outside/x"}) + entry("x", b"evil")),
    "a GNU long name that leads upwards": ("layer_unsafe", entry("L", b"../outside/x\0", kind=b"L") + entry("x")),
    "a prefix that leads upwards": ("layer_unsafe", entry("x", fields={345: b"../outside"})),
    "a sparse name that leads upwards": (
        "layer_unsafe",
        pax({"GNU.sparse.map": b"0,1", "GNU.sparse.name": b"../outside/x", "GNU.sparse.size": b"1"}) + entry("x", b"y"),
    ),
    "a hard link to the outside": ("layer_unsafe", hardlink("leak", UP + "outside/secret")),
    "an absolute hard link to the outside": ("layer_unsafe", hardlink("leak", "/outside/secret")),
    "a hard link through a link to the outside": (
        "layer_unsafe",
        symlink("l", "/../outside") + hardlink("x", "l/secret"),
    ),
    "a hard link to a folder": ("layer_unsafe", folder("d") + hardlink("x", "d")),
    "a hard link to itself": ("layer_unsafe", entry("x", b"y") + hardlink("x", "x")),
    "a hard link to what comes later": ("layer_unsafe", hardlink("x", "y") + entry("y")),
    "a hard link to nothing": ("layer_unsafe", hardlink("x", "")),
    "a link to nothing": ("layer_unsafe", symlink("x", "")),
    "a whiteout of its folder": ("layer_unsafe", entry("d/.wh..")),
    "a whiteout of the folder above": ("layer_unsafe", entry("d/.wh...")),
    "a whiteout without a name": ("layer_unsafe", entry(".wh.")),
    "a file below a file": ("layer_unsafe", entry("f") + entry("f/x")),
    "a loop of links": ("layer_unsafe", symlink("a", "b") + symlink("b", "a") + entry("a/x")),
    "many links": ("layer_unsafe", loop(60) + folder("l60") + entry("l0/x")),
    "a component too long": ("layer_unsafe", pax({"path": b"n" * 300}) + entry("x")),
    "a path too long": ("layer_unsafe", pax({"path": b"n/" * 2100 + b"f"}) + entry("x")),
    "too deep": ("limit_depth", deep(70)),
    "too deep through links": (
        "limit_depth",
        b"".join(symlink(f"l{n}", (f"l{n - 1}/" if n else "") + "d/" * 20) for n in range(6)) + entry("l5/x"),
    ),
    "an owner that no system knows": ("layer_unsafe", folder("d", uid=1 << 40)),
    "a negative size": ("layer_damaged", entry("f", size=-512)),
    "a negative pax size": ("layer_damaged", pax({"size": b"-1"}) + entry("f")),
    "a pax size that is no number": ("layer_damaged", pax({"size": b"0x10"}) + entry("f")),
    "a pax size of 30 digits": ("layer_damaged", pax({"size": b"9" * 30}) + entry("f")),
    "a pax size beyond the archive": ("layer_damaged", pax({"size": b"99999"}) + entry("f", b"short")),
    "a size beyond the limit": ("limit_bytes", entry("f", size=1 << 40)),
    "a pax path with a NUL byte": ("layer_damaged", pax({"path": b"a\0b"}) + entry("f")),
    "a pax record without a length": ("layer_damaged", pax(b"path=x\n") + entry("f")),
    "a pax record that is too long": ("layer_damaged", pax(b"99 path=x\n") + entry("f")),
    "a pax record of length 0": ("layer_damaged", pax(b"0 path=x\n") + entry("f")),
    "a pax record without a key": ("layer_damaged", pax(b"5 =x\n") + entry("f")),
    "a pax header of 2 MB": ("layer_damaged", pax({"comment": bytes(2 << 20)}) + entry("f")),
    "a pax header of negative size": ("layer_damaged", entry("p", kind=b"x", size=-1) + entry("f")),
    "a GNU long name of 2 MB": ("layer_damaged", entry("L", b"n" * (2 << 20), kind=b"L") + entry("f")),
    "an unknown kind": ("layer_damaged", entry("f", kind=b"Z")),
    "a contiguous file, which runtimes refuse": ("layer_damaged", entry("f", kind=b"7")),
    "a wrong checksum": ("layer_damaged", entry("f")[:1] + b"!" + entry("f")[2:]),
    "no tar at all": ("layer_damaged", b"this is no tar" * 100),
    "a header cut off": ("layer_damaged", entry("f") + entry("g")[:300]),
    "a body cut off": ("layer_damaged", entry("f", b"x", size=5000)),
    "more behind one zero block": ("layer_damaged", entry("f") + bytes(512) + entry("g")),
    "an old GNU header with garbage where the times are": (
        "layer_damaged",
        entry("f", magic=b"ustar  \0", fields={345: b"hidden/prefix"}),
    ),
    "a sparse file beyond the limit": (
        "limit_bytes",
        entry("f", b"x", kind=b"S", magic=b"ustar  \0", fields=OLD_SPARSE),
    ),
    "a pax sparse file beyond the limit": (
        "limit_bytes",
        pax({"GNU.sparse.map": b"0,1", "GNU.sparse.size": b"%d" % (1 << 60)}) + entry("f", b"x"),
    ),
    "sparse pieces that overlap": (
        "layer_damaged",
        pax({"GNU.sparse.map": b"0,5,3,5", "GNU.sparse.size": b"20"}) + entry("f", b"x" * 10),
    ),
    "sparse pieces behind the end": (
        "layer_damaged",
        pax({"GNU.sparse.map": b"15,10", "GNU.sparse.size": b"20"}) + entry("f", b"x" * 10),
    ),
    "sparse pieces that take more than there is": (
        "layer_damaged",
        pax({"GNU.sparse.map": b"0,15", "GNU.sparse.size": b"20"}) + entry("f", b"x" * 10),
    ),
    "negative sparse pieces": (
        "layer_damaged",
        pax({"GNU.sparse.map": b"5,-1", "GNU.sparse.size": b"20"}) + entry("f", b"x" * 10),
    ),
    "half a sparse piece": ("layer_damaged", pax({"GNU.sparse.map": b"5", "GNU.sparse.size": b"9"}) + entry("f", b"x")),
    "an unknown version of sparse files": ("layer_damaged", pax({"GNU.sparse.major": b"9"}) + entry("f", b"x")),
    "a sparse map that never ends": (
        "layer_damaged",
        pax({"GNU.sparse.major": b"1", "GNU.sparse.minor": b"0"}) + entry("f", b"3\n" + b"1" * 20_000),
    ),
    "a sparse map of a million pieces": (
        "layer_damaged",
        pax({"GNU.sparse.major": b"1", "GNU.sparse.minor": b"0"}) + entry("f", b"1000000\n" + b"1\n" * 2000),
    ),
    "an old sparse map that never ends": (
        "layer_damaged",
        entry("f", kind=b"S", magic=b"ustar  \0", fields={482: b"\1"})
        + (b"%011o\0%011o\0" % (0, 0) * 21 + b"\1" + bytes(7)) * 4000,
    ),
    "too many files": ("limit_files", b"".join(entry(f"f{number}") for number in range(SMALL.files + 1))),
}


@pytest.fixture
def inside(tmp_path: pathlib.Path) -> t.Iterator[pathlib.Path]:
    with unchanged(tmp_path) as folder:
        yield folder


@pytest.mark.parametrize("upper", [False, True], ids=["first", "upper"])
@pytest.mark.parametrize("name", REFUSED)
def test_refused(inside: pathlib.Path, name: str, upper: bool) -> None:
    code, tar = REFUSED[name]
    layers = [folder("d") + entry("d/x") + END, tar + END] if upper else [tar + END]
    with pytest.raises(ScapError) as caught:
        unpack(inside, *layers)
    assert caught.value.code == code, caught.value.message
    assert "docker://registry.example/image:1" in caught.value.message
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 600


HARMLESS: dict[str, bytes] = {
    "an absolute name": entry("/outside/secret", b"evil"),
    "an absolute link out": symlink("l", "/outside") + entry("l/secret", b"evil"),
    "a climbing link out": symlink("l", UP + "outside") + entry("l/secret", b"evil"),
    "a link for the root's parent": symlink("l", "..") + folder("l/outside") + entry("l/outside/secret", b"evil"),
    "links through links": symlink("a", "b/..") + symlink("b", "/../..") + entry("a/outside/secret", b"evil"),
    "a folder through a link out": symlink("l", UP + "outside/folder") + folder("l", mode=0o777),
    "an owner through a link out": symlink("l", UP + "outside") + folder("l/", mode=0o777, uid=7),
    "a file in a link's place": symlink("l", UP + "outside/secret") + entry("l", b"evil", mode=0o777),
    "a hard link to a link out": symlink("l", UP + "outside/secret") + hardlink("h", "l") + entry("h", b"evil"),
    "a folder for a link and back": symlink("l", "/outside")
    + folder("l")
    + entry("l/secret")
    + symlink("l", "/outside"),
    "a device, then a file through it": entry("n", kind=b"3", fields={329: b"0000001\0"}) + folder("n") + entry("n/x"),
    "concatenated archives": entry("f") + END + entry(UP + "outside/secret", b"evil") + END,
    "a name of newlines and escapes": entry(b"\n\x1b[2J\xff/x\n", b"y"),
    "a body that holds headers": entry("f", entry(UP + "outside/secret", b"evil")),
    "the same name 50 times": b"".join(entry("f", b"%d" % n) + folder("f") + entry("f/g") for n in range(50)),
    "many extended headers": b"".join(pax({"path": b"p%d" % n}) for n in range(500)) + entry("f"),
    "a repeated pax record": pax(record(b"path", UP.encode()) + record(b"path", b"fine")) + entry("f"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_contained(inside: pathlib.Path, name: str) -> None:
    root, _budget = unpack(inside, HARMLESS[name] + END)
    assert root.is_dir()


def test_whiteouts_reach_nothing_outside(inside: pathlib.Path) -> None:
    lower = symlink("out", UP + "outside") + symlink("abs", "/outside") + folder("d") + symlink("d/l", UP + "outside")
    upper = (
        entry("out/.wh.secret")
        + entry("abs/.wh..wh..opq")
        + entry("d/l/.wh.folder")
        + entry("d/.wh..wh..opq")
        + entry(".wh.out")
    )
    root, _budget = unpack(inside, lower + END, upper + END)
    assert sorted(os.listdir(root)) == ["abs", "d"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("escape.tar", ""),
        ("evil-link-traversal.tar", "layer_unsafe"),
        ("go-neg-size.tar", "layer_damaged"),
        ("concat.tar", ""),
        ("bad_name.tar", ""),
    ],
)
def test_hostile_archives_of_others(inside: pathlib.Path, name: str, code: str) -> None:
    tar = shared_data.path("hostile", name).read_bytes()
    if code:
        with pytest.raises(ScapError) as caught:
            unpack(inside, tar)
        assert caught.value.code == code
        return
    root, _budget = unpack(inside, tar)
    if name == "bad_name.tar":
        assert os.listdir(os.fsencode(root)) == [b"_" * 100 + b"bad\xfdname"]
    if name == "concat.tar":
        assert sorted(os.listdir(root)) == ["run", "var"]
        assert not (root / "run" / "console").exists()


def tampered(folder: pathlib.Path, data: bytes, layer: Layer, seconds: float = 60) -> ScapError:
    (folder / "layer").write_bytes(data)
    (folder / "root").mkdir()
    with pytest.raises(ScapError) as caught:
        unpack_layer(str(folder / "layer"), layer, str(folder / "root"), Budget(SMALL, time.monotonic() + seconds), "x")
    return caught.value


def test_digests_that_are_wrong(inside: pathlib.Path) -> None:
    tar = entry("f", random.Random(1).randbytes(50_000)) + END
    packed, other = gzip.compress(tar), digest(b"other")
    spoilt = packed[:5000] + bytes([packed[5000] ^ 255]) + packed[5001:]
    for number, (data, layer, code) in enumerate(
        (
            (packed, Layer(other, "", 0, digest(tar)), "digest_mismatch"),
            (packed, Layer(digest(packed), "", 0, other), "digest_mismatch"),
            (tar, Layer(other, "", 0, digest(tar)), "digest_mismatch"),
            (packed[:-2000], Layer(digest(packed), "", 0, digest(tar)), "layer_damaged"),
            (packed[:-2000], Layer(digest(packed[:-2000]), "", 0, digest(tar)), "layer_damaged"),
            (packed[:-2], Layer(digest(packed), "", 0, digest(tar)), "layer_damaged"),
            (packed + b"tail", Layer(digest(packed), "", 0, digest(tar)), "layer_damaged"),
            (spoilt, Layer(digest(packed), "", 0, digest(tar)), "layer_damaged"),
            (gzip.compress(tar + bytes(512)), Layer(digest(packed), "", 0, digest(tar)), "digest_mismatch"),
        )
    ):
        folder = inside / str(number)
        folder.mkdir()
        error = tampered(folder, data, layer)
        assert error.code == code, (number, error.message)


def test_a_zstd_layer_that_is_cut_off(inside: pathlib.Path) -> None:
    tar = entry("f", random.Random(1).randbytes(300_000)) + END
    packed = subprocess.run(["zstd", "-q"], input=tar, stdout=subprocess.PIPE, check=True).stdout
    (inside / "1").mkdir()
    error = tampered(inside / "1", packed[:-1000], Layer(digest(packed[:-1000]), "", 0, digest(tar)))
    assert error.code == "layer_damaged"


def test_the_time_limit(inside: pathlib.Path) -> None:
    tar = entry("f", b"x") + END
    error = tampered(inside, tar, Layer(digest(tar), "", 0, digest(tar)), seconds=-1)
    assert error.code == "time_limit"


def test_limits_count_over_all_layers(inside: pathlib.Path) -> None:
    layer = entry("f", bytes(600)) + END
    with pytest.raises(ScapError, match="more than 1000 bytes of files"):
        unpack(inside, layer, layer, limits=Limits(bytes=1000, files=10))


def test_open_files_are_few(inside: pathlib.Path) -> None:
    """A deep tree beside hard links into another one, with the usual limit of 1024 descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    try:
        path, other = b"d/" * 250, b"e/" * 250
        lower = pax({"path": path + b"f"}) + entry("x", b"y") + pax({"path": other + b"f"}) + entry("x", b"y")
        linked = pax({"path": path + b"g", "linkpath": other + b"f"}) + entry("x", kind=b"1")
        root, _budget = unpack(inside, lower + linked + END, entry(".wh.d") + END, limits=Limits(depth=256))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert os.listdir(root) == ["e"]
