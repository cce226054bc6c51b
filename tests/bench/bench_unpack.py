# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A layer of 120 MB, gzip and plain, unpacked with both digests checked, against `tar -x` of the same file."""

from __future__ import annotations

import gzip
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import typing as t

from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.records import Layer, Limits
from ansible_collections.scap.images.plugins.module_utils.scanner.unpack import Budget, unpack_layer

Row = t.Dict[str, t.Any]
SOURCE = "/usr/share"
SIZE = 120 << 20
LARGEST = 4 << 20
"""Bytes of a file that is taken: a layer of a few huge files would measure nothing of ours."""
ROUNDS = 3
GOAL = 1.3


def run() -> list[Row]:
    """Seconds of wall time, the best of three rounds in turn, each into an empty folder."""
    with tempfile.TemporaryDirectory(prefix="scap-bench-unpack-") as place:
        folder = pathlib.Path(place)
        plain = folder / "layer.tar"
        files = make_layer(plain)
        packed = folder / "layer.tar.gz"
        with plain.open("rb") as source, gzip.open(packed, "wb", compresslevel=6) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        diff_id = digest(plain)
        rows = []
        for path, kind in ((packed, "gzip"), (plain, "plain")):
            layer = Layer(digest(path), "", path.stat().st_size, diff_id)
            value, peer = measure(path, layer, folder, files)
            name = f"unpack a layer of 120 MB, {files} entries, {kind} (tar -x)"
            rows.append({"name": name, "value": value, "peer": peer, "goal": GOAL, "unit": "s"})
        return rows


def make_layer(path: pathlib.Path) -> int:
    """A tar of the files, folders and links of /usr/share, in order of their names, up to SIZE; the entries."""
    count = size = 0
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for parent, folders, names in os.walk(SOURCE):
            folders.sort()
            for name in ["", *sorted(names)]:
                source = os.path.join(parent, name) if name else parent
                status = os.lstat(source)
                if status.st_size > LARGEST:
                    continue
                tar.add(source, recursive=False)
                count += 1
                size += status.st_size if name else 0
                if size >= SIZE:
                    return count
    raise RuntimeError(f"{SOURCE} holds {size} bytes, {SIZE} are needed")


def digest(path: pathlib.Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            found.update(block)
    return f"sha256:{found.hexdigest()}"


def measure(path: pathlib.Path, layer: Layer, folder: pathlib.Path, files: int) -> tuple[float, float]:
    """(ours, tar's) best seconds."""
    ours: list[float] = []
    theirs: list[float] = []
    for _round in range(ROUNDS):
        theirs.append(_timed(folder / "root", lambda root: _tar(path, root)))
        ours.append(_timed(folder / "root", lambda root: _unpack(path, layer, root, files)))
    print(f"bench_unpack: {path.name}: ours {ours}, tar {theirs}", file=sys.stderr)
    return min(ours), min(theirs)


def _timed(root: pathlib.Path, work: t.Callable[[pathlib.Path], None]) -> float:
    root.mkdir()
    os.sync()  # what ran before has left nothing to be written
    try:
        start = time.monotonic()
        work(root)
        return time.monotonic() - start
    finally:
        shutil.rmtree(root)


def _tar(path: pathlib.Path, root: pathlib.Path) -> None:
    subprocess.run(["tar", "-xpf", str(path), "-C", str(root)], check=True)


def _unpack(path: pathlib.Path, layer: Layer, root: pathlib.Path, files: int) -> None:
    budget = Budget(Limits(), time.monotonic() + 600)
    unpack_layer(str(path), layer, str(root), budget, "bench")
    if budget.files != files:
        raise RuntimeError(f"{budget.files} entries were unpacked, the layer has {files}")
