# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The storage of layers: shared, bounded, its roots thrown away, and nothing left by scanners that died."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.layerstore import chain_ids
from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.records import Limits

from tests import conftest
from tests.support import registry
from tests.support.acquiring import Acquirer
from tests.support.layouts import RawLayout, simple
from tests.support.outside import unchanged
from tests.support.tars import END, entry, folder, symlink
from tests.support.trees import snapshot

BASE = folder("etc") + entry("etc/os-release", b"ID=test\n") + folder("opt") + END


def layers(acquirer: Acquirer) -> set[str]:
    return set(os.listdir(acquirer.storage / "layers"))


def chains(acquirer: Acquirer, reference: str) -> list[str]:
    return chain_ids([layer.diff_id for layer in acquirer.resolve(reference).layers])


def live(acquirer: Acquirer) -> list[str]:
    return os.listdir(acquirer.storage / "live")


def test_the_root_is_writable_and_thrown_away(acquirer: Acquirer, tmp_path: pathlib.Path) -> None:
    reference = simple(tmp_path / "layout", BASE, entry("opt/x", b"y") + END)
    with acquirer.root(reference, "storage") as root:
        before = snapshot(root.path)
        (pathlib.Path(root.path) / "etc" / "os-release").write_text("changed")
        (pathlib.Path(root.path) / "new").write_text("new")
        path = root.path
        assert len(live(acquirer)) == 1
    assert not os.path.ismount(path)
    assert live(acquirer) == []
    with acquirer.root(reference, "storage") as root:
        after = snapshot(root.path)
    for found in (before, after):
        del found[b"."]
    assert before == after
    with pytest.raises(RuntimeError, match="of the scan"), acquirer.root(reference, "storage"):
        raise RuntimeError("an error of the scan")
    assert live(acquirer) == []


def test_layers_are_pulled_once_and_shared(acquirer: Acquirer, tmp_path: pathlib.Path) -> None:
    layout = RawLayout(tmp_path / "layout")
    base = layout.layer(BASE)
    references = [layout.name(layout.image([base, layout.layer(entry(f"f{n}") + END)]), f"i{n}") for n in range(3)]
    for reference in references:
        with acquirer.root(reference, "storage"):
            pass
    assert len(layers(acquirer)) == 4


def test_many_at_a_time(acquirer: Acquirer, tmp_path: pathlib.Path) -> None:
    layout = RawLayout(tmp_path / "layout")
    base = layout.layer(BASE)
    references = [
        layout.name(layout.image([base, layout.layer(entry("n", b"%d" % n) + END)]), f"i{n}") for n in range(4)
    ]

    def one(number: int) -> bytes:
        with acquirer.root(references[number % 4], "storage", storage_limit=1) as root:
            return (pathlib.Path(root.path) / "n").read_bytes()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(40))) == [b"%d" % (n % 4) for n in range(40)]
    assert live(acquirer) == []
    with acquirer.root(references[0], "storage", storage_limit=1):
        pass
    assert layers(acquirer) == set()


def test_the_layers_used_longest_ago_go_first(acquirer: Acquirer, tmp_path: pathlib.Path) -> None:
    megabyte = 1 << 20
    layout = RawLayout(tmp_path / "layout")
    base = layout.layer(entry("base") + END)
    images = [
        layout.name(layout.image([base, layout.layer(entry("f", os.urandom(megabyte)) + END)]), f"i{n}")
        for n in range(4)
    ]
    tops = [chains(acquirer, reference)[1] for reference in images]
    for number, reference in enumerate(images[:3]):
        with acquirer.root(reference, "storage"):
            pass
        os.utime(acquirer.storage / "layers" / tops[number], (number + 1, number + 1))
    with acquirer.root(images[0], "storage"):
        pass
    with acquirer.root(images[3], "storage", storage_limit=2 * megabyte + 100_000):
        pass
    assert layers(acquirer) == {tops[0], tops[3], chains(acquirer, images[0])[0]}


def test_an_image_in_use_is_not_removed(acquirer: Acquirer, tmp_path: pathlib.Path) -> None:
    first = simple(tmp_path / "first", BASE)
    second = simple(tmp_path / "second", entry("second") + END)
    with acquirer.root(first, "storage") as root:
        with acquirer.root(second, "storage", storage_limit=1):
            pass
        assert (pathlib.Path(root.path) / "etc" / "os-release").read_text() == "ID=test\n"
        assert layers(acquirer) == set(chains(acquirer, first))


def test_layers_of_another_boot_or_half_made_are_made_again(acquirer: Acquirer, tmp_path: pathlib.Path) -> None:
    """What was not flushed to the disk before a crash may read as zeros: it proves nothing."""
    reference = simple(tmp_path / "layout", BASE)
    (chain,) = chains(acquirer, reference)
    place = acquirer.storage / "layers" / chain
    record = place / "layer.json"
    with acquirer.root(reference, "storage"):
        pass
    for damage in (record.read_text().replace('"boot":', '"boot":"before","was":'), '{"bytes":', ""):
        (place / "root" / "etc" / "os-release").write_text("")
        record.write_text(damage)
        (place / "part").mkdir()
        with acquirer.root(reference, "storage") as root:
            assert (pathlib.Path(root.path) / "etc" / "os-release").read_text() == "ID=test\n"
            assert root.stats == {"bytes": 8, "files": 3, "layers": 1, "skipped": 0}
        assert sorted(os.listdir(place)) == ["layer.json", "root"]


def test_a_layer_that_is_there_is_not_asked_for_again(acquirer: Acquirer, tmp_path: pathlib.Path) -> None:
    """The registry has lost the base since: a root that was made of it comes all the same."""
    layout = RawLayout(tmp_path / "layout")
    base = layout.layer(BASE)
    first = layout.name(layout.image([base]), "first")
    second = layout.name(layout.image([base, layout.layer(entry("opt/x", b"y") + END)]), "second")
    with registry.running(tmp_path / "registry") as server:
        with acquirer.root(server.push(first, "a/first:1"), "storage"):
            pass
        reference = server.push(second, "a/second:1")
        name = base["digest"].partition(":")[2]
        for path in (tmp_path / "registry").rglob(name):
            shutil.rmtree(path)
        with acquirer.root(reference, "storage") as root:
            assert (pathlib.Path(root.path) / "opt" / "x").read_bytes() == b"y"
            assert (pathlib.Path(root.path) / "etc" / "os-release").read_text() == "ID=test\n"
        with pytest.raises(ScapError), acquirer.root(reference, "unpack"):
            pass


_CHILD = """
import pathlib, sys, time
sys.path[:0] = sys.argv[3:]
from tests.support.acquiring import Acquirer
from ansible_collections.scap.images.plugins.module_utils.scanner.mounts import private_mounts
private_mounts()
with Acquirer(pathlib.Path(sys.argv[1])).root(sys.argv[2], "storage"):
    print("mounted", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_scanner_left_is_removed_by_the_next(acquirer: Acquirer, tmp_path: pathlib.Path) -> None:
    reference = simple(tmp_path / "layout", BASE)
    places = [str(pathlib.Path(__file__).resolve().parents[3]), str(conftest.BUILD / "dev")]
    argv = [sys.executable, "-c", _CHILD, str(acquirer.folder), reference, *places]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"mounted\n"
        (left,) = live(acquirer)
        with acquirer.root(reference, "storage"):
            assert left in live(acquirer)
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert live(acquirer) == [left]
    with acquirer.root(reference, "storage"):
        assert left not in live(acquirer)
    assert live(acquirer) == []


def test_an_archive_and_its_layers_by_other_means(acquirer: Acquirer, tmp_path: pathlib.Path) -> None:
    """The same config by another manifest, whose layers are compressed otherwise, is the same image."""
    tar = BASE
    first = RawLayout(tmp_path / "first")
    second = RawLayout(tmp_path / "second")
    one = first.name(first.image([first.layer(tar)]))
    other = second.name(second.image([second.layer(tar, bytes, "application/vnd.oci.image.layer.v1.tar")]))
    assert acquirer.resolve(one).config == acquirer.resolve(other).config
    assert acquirer.resolve(one).digest != acquirer.resolve(other).digest
    for reference in (one, other, second.archive(tmp_path / "second.tar")):
        with acquirer.root(reference, "storage") as root:
            assert (pathlib.Path(root.path) / "etc" / "os-release").exists()
    assert len(layers(acquirer)) == 1


def wrong_diff_id(path: pathlib.Path) -> str:
    layout = RawLayout(path)
    layer = {**layout.layer(BASE), "diff": "sha256:" + "0" * 64}
    return layout.name(layout.image([layer]))


def wrong_blob(path: pathlib.Path) -> str:
    layout = RawLayout(path)
    layer = layout.layer(BASE)
    other = layout.layer(entry("other") + END)
    shutil.copy(layout.blobs / other["digest"][7:], layout.blobs / layer["digest"][7:])
    return layout.name(layout.image([layer]))


@pytest.mark.parametrize("way", ["storage", "unpack", "auto"])
@pytest.mark.parametrize("make", [wrong_diff_id, wrong_blob])
def test_layers_that_are_not_what_was_promised(
    acquirer: Acquirer, tmp_path: pathlib.Path, make: t.Callable[[pathlib.Path], str], way: str
) -> None:
    reference = make(tmp_path / "layout")
    with pytest.raises(ScapError) as caught, acquirer.root(reference, way):
        pass
    assert caught.value.code == "digest_mismatch", caught.value.message
    assert reference in caught.value.message


def test_hostile_layers_change_nothing_outside(acquirer: Acquirer, tmp_path: pathlib.Path) -> None:
    up, refused = "../" * 15, t.cast("list[str]", [])
    for number, layer in enumerate(
        (
            entry(up + "outside/secret", b"evil"),
            symlink("l", "/outside") + entry("l/secret", b"evil"),
            symlink("l", up + str(tmp_path / "outside")) + entry("l/secret", b"evil"),
            entry("x", kind=b"1", link=up + "outside/secret"),
            entry("x", size=1 << 50),
            folder("d", mode=0o777) + entry("d/.wh..") + entry(".wh..wh..opq"),
        )
    ):
        place = tmp_path / str(number)
        place.mkdir()
        with unchanged(place) as inside:
            other = Acquirer(inside / "acquire")
            try:
                reference = simple(inside / "layout", BASE, layer + END)
                with other.root(reference, "storage") as root:
                    assert sorted(os.listdir(pathlib.Path(root.path) / "etc")) in (["os-release"], [])
            except ScapError as error:
                refused.append(error.message)
    assert len(refused) >= 3
    assert all(f"oci:{tmp_path}" in message for message in refused)


def test_an_image_that_fills_the_disk_is_stopped(acquirer: Acquirer, tmp_path: pathlib.Path) -> None:
    """1 GB of zeros in a layer of 1 MB, stopped by the limit that is far below it."""
    layout = RawLayout(tmp_path / "layout")
    tar = tmp_path / "bomb.tar"
    with tar.open("wb") as stream:
        stream.write(entry("f", size=1 << 30))
        stream.truncate(512 + (1 << 30) + 1024)
    packed = subprocess.run(["gzip", "-1c", str(tar)], check=True, stdout=subprocess.PIPE).stdout
    layer = layout.layer(b"", lambda _unused: packed)
    reference = layout.name(layout.image([layer]))
    small = Acquirer(tmp_path / "small", limits=Limits(bytes=100 << 20))
    with pytest.raises(ScapError) as caught, small.root(reference, "storage"):
        pass
    assert caught.value.code == "limit_bytes"
    used = subprocess.run(["du", "-sk", str(small.storage)], check=True, stdout=subprocess.PIPE).stdout
    assert int(used.split()[0]) < 1 << 10


def test_where_nothing_can_be_mounted_it_is_unpacked(acquirer: Acquirer, tmp_path: pathlib.Path) -> None:
    reference = simple(tmp_path / "layout", BASE)
    acquirer.folder.joinpath("storage").write_text("this is no folder")
    with pytest.raises(ScapError) as caught, acquirer.root(reference, "storage"):
        pass
    assert caught.value.code == "storage_unusable"
    with acquirer.root(reference, "auto") as root:
        assert root.way == "unpack"
        assert root.tried[0].startswith("storage: ")
        assert root.stats == {"bytes": 8, "files": 3, "layers": 1, "skipped": 0}


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting an overlay of one's own needs root")
def test_where_the_kernel_mounts_no_overlay_it_is_unpacked(tmp_path: pathlib.Path) -> None:
    """An overlay cannot be the upper folder of another one: the case of a scanner that runs in a container."""
    places = {name: tmp_path / name for name in ("lower", "upper", "work", "merged")}
    for path in places.values():
        path.mkdir()
    options = f"lowerdir={places['lower']},upperdir={places['upper']},workdir={places['work']}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(places["merged"])], check=True)
    inner = Acquirer(places["merged"] / "acquire")
    try:
        reference = simple(tmp_path / "layout", BASE, entry("etc/.wh.os-release") + entry("etc/new", b"x") + END)
        with pytest.raises(ScapError) as caught, inner.root(reference, "storage"):
            pass
        assert caught.value.code == "storage_unmountable"
        with inner.root(reference, "auto") as root:
            assert root.way == "unpack"
            assert os.listdir(pathlib.Path(root.path) / "etc") == ["new"]
        assert live(inner) == []
    finally:
        subprocess.run(["umount", "-l", str(places["merged"])], check=True)


def test_an_image_without_layers_is_an_empty_root(acquirer: Acquirer, tmp_path: pathlib.Path) -> None:
    layout = RawLayout(tmp_path / "layout")
    with acquirer.root(layout.name(layout.image([])), "storage") as root:
        assert os.listdir(root.path) == []
