# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes a folder away, or links across folders, leaves every other entry where it belongs."""

from __future__ import annotations

import hashlib
import io
import os
import pathlib
import tarfile
import time

from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.records import Layer, Limits
from ansible_collections.scap.images.plugins.module_utils.scanner.unpack import Budget, unpack_layer


def unpack(root: pathlib.Path, *entries: tarfile.TarInfo) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for entry in entries:
            tar.addfile(entry, io.BytesIO(b"x" * entry.size))
    path = root.parent / "layer.tar"
    path.write_bytes(data.getvalue())
    digest = f"sha256:{hashlib.sha256(data.getvalue()).hexdigest()}"
    budget = Budget(Limits(), time.monotonic() + 60, layers=len(os.listdir(root)))
    unpack_layer(str(path), Layer(digest, "", len(data.getvalue()), digest), str(root), budget, "oci:here")


def file(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = 1
    return entry


def link(name: str, target: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.LNKTYPE, target
    return entry


def found(root: pathlib.Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}


def test_whiteouts_of_folders(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    unpack(root, file("etc/dhcp/hooks/a"), file("etc/keep"), file("usr/one/b"), file("usr/two/c"), file("top"))
    unpack(root, file("etc/.wh.dhcp"), file("etc/new"), file("usr/.wh..wh..opq"), file("usr/three"))
    assert found(root) == {"etc/keep", "etc/new", "usr/three", "top"}


def test_a_file_in_the_place_of_a_folder(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    unpack(root, file("etc/dhcp/hooks/a"), file("etc/keep"))
    unpack(root, file("etc/dhcp"), file("etc/new"))
    assert found(root) == {"etc/dhcp", "etc/keep", "etc/new"}


def test_hard_links_across_folders(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    unpack(root, file("usr/lib/deep/a"), link("bin/b", "usr/lib/deep/a"), link("bin/c", "bin/b"), file("bin/d"))
    assert found(root) == {"usr/lib/deep/a", "bin/b", "bin/c", "bin/d"}
    assert (root / "bin/c").stat().st_nlink == 3
