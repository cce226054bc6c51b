# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two ways of ours and umoci, an unpacker of others: one tree."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import shared_data
from tests.support.acquiring import Acquirer
from tests.support.layouts import simple
from tests.support.tars import END, entry, folder, hardlink, symlink
from tests.support.trees import Node, difference, snapshot

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners and mounts need root")


def umoci(reference: str, bundle: pathlib.Path) -> dict[bytes, Node]:
    image = reference.removeprefix("oci:")
    subprocess.run(["umoci", "unpack", "--image", image, str(bundle)], check=True, capture_output=True)
    found = snapshot(bundle / "rootfs")
    shutil.rmtree(bundle)
    return found


def ours(acquirer: Acquirer, reference: str, way: str) -> dict[bytes, Node]:
    with acquirer.root(reference, way) as root:
        assert root.way == way
        return snapshot(root.path)


def without_root_time(found: dict[bytes, Node]) -> dict[bytes, Node]:
    """A root that no layer has an entry for is as old as it was made."""
    return {**found, b".": {**found[b"."], "mtime": 0}}


def check(acquirer: Acquirer, reference: str, mine: dict[bytes, Node]) -> None:
    mounted = ours(acquirer, reference, "storage")
    assert mounted.pop(b".")["owner"] == mine[b"."]["owner"]
    assert difference({name: node for name, node in mine.items() if name != b"."}, mounted) == {}


def as_layout(reference: str, target: pathlib.Path) -> str:
    subprocess.run(["skopeo", "copy", "-q", reference, f"oci:{target}:x"], check=True, capture_output=True)
    return f"oci:{target}:x"


@pytest.mark.parametrize(
    ("transport", "name"),
    [
        ("oci-archive", "busybox.amd64.containerd.tar"),
        ("docker-archive", "whiteout_image.tar"),
        ("oci-archive", "rhel9-ubi9.0.oci.tar"),
        ("oci-archive", "rhel8-ubi8.0-bdb.oci.tar"),
        ("oci-archive", "valid-oci.tar"),
    ],
)
def test_real_images(acquirer: Acquirer, tmp_path: pathlib.Path, transport: str, name: str) -> None:
    reference = f"{transport}:{shared_data.path('images', name)}"
    mine = ours(acquirer, reference, "unpack")
    check(acquirer, reference, mine)
    theirs = umoci(as_layout(reference, tmp_path / "layout"), tmp_path / "bundle")
    assert difference(without_root_time(mine), without_root_time(theirs)) == {}
    assert len(mine) > 1


def test_layers_that_buildah_wrote(acquirer: Acquirer, tmp_path: pathlib.Path) -> None:
    """A base of real programs and documents, then files changed, removed, replaced and linked, a layer each."""
    store = ["--root", str(tmp_path / "store"), "--runroot", str(tmp_path / "run"), "--storage-driver", "overlay"]

    def buildah(*arguments: str) -> str:
        argv = ["buildah", *store, *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    steps = (
        "mkdir -p usr/share/doc etc opt/a/b && cp -a /usr/share/doc/base-files /usr/share/doc/bash usr/share/doc "
        "&& cp -a /usr/share/perl5/Debconf usr/share && ln -s usr/share share && echo 1 > opt/a/b/c "
        "&& ln opt/a/b/c opt/a/d "
        "&& cp /bin/true opt/setuid && chown 7:8 opt/setuid && chmod 6755 opt/setuid && touch -d @77 opt/a",
        "rm -r usr/share/doc/bash usr/share/Debconf/Element && echo 2 > etc/new && chmod 700 etc && rm opt/a/d",
        "rm -r opt/a && mkdir opt/a && echo 3 > opt/a/only && rm share && mkdir share && echo 4 > share/file "
        "&& rm etc/new && ln -s /nowhere etc/new && chown -h 5:6 etc/new && touch -hd @88 etc/new",
        "rm -r usr/share/Debconf && ln -s doc usr/share/Debconf && mv opt/setuid opt/renamed",
    )
    image = "scratch"
    try:
        for number, step in enumerate(steps):
            container = buildah("from", image)
            subprocess.run(["sh", "-ec", step], cwd=buildah("mount", container), check=True)
            image = f"localhost/step:{number}"
            buildah("commit", "-q", container, image)
            buildah("rm", container)
        buildah("push", "-q", image, f"oci:{tmp_path}/layout:x")
    finally:
        buildah("rmi", "--all", "--force")
        subprocess.run(["umount", "-l", str(tmp_path / "store" / "overlay")], check=False, capture_output=True)
    reference = f"oci:{tmp_path}/layout:x"
    assert len(acquirer.resolve(reference).layers) == len(steps)
    mine = ours(acquirer, reference, "unpack")
    assert mine[b"opt/a/only"]["kind"]
    assert b"opt/a/b" not in mine
    assert b"usr/share/doc/bash" not in mine
    assert (mine[b"opt/renamed"]["mode"], mine[b"opt/renamed"]["owner"]) == (0o6755, (7, 8))
    check(acquirer, reference, mine)
    theirs = umoci(reference, tmp_path / "bundle")
    assert difference(without_root_time(mine), without_root_time(theirs)) == {}


NAMES = ("a", "b", "c.d", "e\nf", "\udcff")


class Maker:
    """Valid random layers: parents come before what lies in them, whiteouts hide what lower layers hold."""

    def __init__(self, draw: t.Callable[..., t.Any]) -> None:
        self._draw = draw
        self._lower: dict[str, str] = {}
        self._mtime = 1_000_000_000

    def layer(self) -> bytes:
        pieces: list[bytes] = []
        made: dict[str, str] = {}
        for _unused in range(self._draw(st.integers(1, 8))):
            path = "/".join(self._draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3)))
            kind = self._draw(st.sampled_from(("file", "file", "folder", "symlink", "hardlink", "whiteout", "opaque")))
            if path in made or not self._parents(path, made, pieces):
                continue
            self._add(kind, path, made, pieces)
        self._lower.update(made)
        return b"".join(pieces) + END

    def _parents(self, path: str, made: dict[str, str], pieces: list[bytes]) -> bool:
        parts = path.split("/")[:-1]
        for end in range(1, len(parts) + 1):
            parent = "/".join(parts[:end])
            if made.get(parent, "folder") != "folder":
                return False
            if parent not in made:
                self._make("folder", parent, made, pieces)
        return True

    def _add(self, kind: str, path: str, made: dict[str, str], pieces: list[bytes]) -> None:
        folder_name, _slash, name = path.rpartition("/")
        prefix = f"{folder_name}/" if folder_name else ""
        if kind == "whiteout":
            if path in self._lower:
                pieces.append(self._entry(entry, f"{prefix}.wh.{name}"))
                made[path] = "gone"
                self._forget(path)
        elif kind == "opaque":
            if folder_name and not any(other.startswith(prefix) for other in made):
                pieces.append(self._entry(entry, f"{prefix}.wh..wh..opq"))
                made[path] = "gone"
                self._forget(folder_name)
        else:
            self._make(kind, path, made, pieces)

    def _make(self, kind: str, path: str, made: dict[str, str], pieces: list[bytes]) -> None:
        files = sorted(other for other, found in made.items() if found == "file")
        if kind == "hardlink" and files:
            source = self._draw(st.sampled_from(files))
            pieces.append(hardlink(_bytes(path), _bytes(source)))
            position = next(at for at, piece in enumerate(pieces) if piece.startswith(_bytes(source) + b"\0"))
            header = pieces[position]
            pieces[-1] = _like(pieces[-1], header)
        elif kind == "folder":
            pieces.append(self._entry(folder, path, mode=self._draw(st.sampled_from((0o755, 0o700, 0o1777, 0o2750)))))
        elif kind == "symlink":
            target = self._draw(st.sampled_from(("a", "../b", "/c.d", "nowhere")))
            pieces.append(symlink(_bytes(path), target))
        else:
            kind = "file"
            mode = self._draw(st.sampled_from((0o644, 0o4755, 0o000)))
            pieces.append(self._entry(entry, path, self._draw(st.binary(max_size=600)), mode=mode))
        made[path] = "file" if kind == "hardlink" and files else kind
        if made[path] != "folder" or self._lower.get(path, "folder") != "folder":
            self._forget(path)

    def _entry(self, make: t.Callable[..., bytes], path: str, *rest: bytes, **more: int) -> bytes:
        self._mtime += 1
        owner = self._draw(st.sampled_from((0, 1, 1000, 65533)))
        return make(_bytes(path), *rest, uid=owner, gid=owner, mtime=self._mtime, **more)

    def _forget(self, path: str) -> None:
        for other in [name for name in self._lower if name == path or name.startswith(f"{path}/")]:
            del self._lower[other]


def _like(link: bytes, header: bytes) -> bytes:
    """The hard link's header with mode, owner and time of the file's, as every archiver writes it."""
    mode, uid, gid = (int(header[at : at + 7], 8) for at in (100, 108, 116))
    name, target = link[:100].rstrip(b"\0"), link[157:257].rstrip(b"\0")
    return entry(name, kind=b"1", link=target, mode=mode, uid=uid, gid=gid, mtime=int(header[136:147], 8))


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


@st.composite
def images(draw: t.Callable[..., t.Any]) -> list[bytes]:
    maker = Maker(draw)
    return [maker.layer() for _unused in range(draw(st.integers(1, 4)))]


def check_random(layers: list[bytes], acquirer: Acquirer, *, storage: bool) -> None:
    with tempfile.TemporaryDirectory(dir=acquirer.folder) as name:
        place = pathlib.Path(name)
        reference = simple(place / "layout", *layers)
        mine = ours(acquirer, reference, "unpack")
        theirs = umoci(reference, place / "bundle")
        assert difference(without_root_time(mine), without_root_time(theirs)) == {}
        if storage:
            other = Acquirer(place / "other")
            check(other, reference, mine)


_RANDOM = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@settings(_RANDOM, max_examples=60)
@given(layers=images())
def test_random_layers(acquirer: Acquirer, layers: list[bytes]) -> None:
    check_random(layers, acquirer, storage=False)


@settings(_RANDOM, max_examples=10)
@given(layers=images())
def test_random_layers_in_the_storage(acquirer: Acquirer, layers: list[bytes]) -> None:
    check_random(layers, acquirer, storage=True)
