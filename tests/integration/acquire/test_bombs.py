# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers that are much: bounded in memory, disk and time."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import pathlib
import subprocess
import sys
import time
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.records import Layer, Limits
from ansible_collections.scap.images.plugins.module_utils.scanner.unpack import Budget, unpack_layer

from tests import conftest
from tests.support.layers import digest
from tests.support.outside import unchanged
from tests.support.tars import END, entry, folder, pax


@pytest.fixture
def inside(tmp_path: pathlib.Path) -> t.Iterator[pathlib.Path]:
    with unchanged(tmp_path) as folder:
        yield folder


@pytest.mark.parametrize("pack", ["gzip", "zstd"])
@pytest.mark.parametrize("where", ["body", "tail", "headers"])
def test_bombs(inside: pathlib.Path, where: str, pack: str) -> None:
    """Much out of little: cut off at the limit, whether it is a file, behind the archive's end, or headers."""
    head = {
        "body": entry("f", size=1 << 36),
        "tail": entry("f") + END,
        "headers": b"",
    }[where]
    block = pax({"comment": bytes(100_000)}) if where == "headers" else bytes(1 << 20)
    argv = [pack, "-q", "-1", "-c"] if pack == "zstd" else [pack, "-1", "-c"]
    with (inside / "layer").open("wb") as target:
        packer = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=target)
        assert packer.stdin is not None
        packer.stdin.write(head)
        for _unused in range((200 << 20) // len(block)):
            packer.stdin.write(block)
        packer.stdin.close()
        packer.wait()
    (inside / "root").mkdir()
    limits = Limits(bytes=50 << 20, files=1000)
    with pytest.raises(ScapError) as caught:
        unpack_layer(
            str(inside / "layer"),
            Layer("", "", 0, ""),
            str(inside / "root"),
            Budget(limits, time.monotonic() + 60),
            "x",
        )
    assert caught.value.code == "limit_bytes"
    assert sum(path.stat().st_blocks * 512 for path in (inside / "root").iterdir()) <= 60 << 20


def test_a_zstd_layer_that_wants_too_much_memory(inside: pathlib.Path) -> None:
    with (inside / "layer").open("wb") as target:
        argv = ["zstd", "-q", "--ultra", "--long=31", "--single-thread", "-c"]
        packer = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=target)
        assert packer.stdin is not None
        packer.stdin.write(entry("f", size=150 << 20))
        for _unused in range(150):
            packer.stdin.write(bytes(1 << 20))
        packer.stdin.close()
        packer.wait()
    (inside / "root").mkdir()
    budget = Budget(Limits(), time.monotonic() + 60)
    with pytest.raises(ScapError, match="memory") as caught:
        unpack_layer(str(inside / "layer"), Layer("", "", 0, ""), str(inside / "root"), budget, "x")
    assert caught.value.code == "layer_damaged"


_CHILD = """
import resource, sys, time
sys.path.insert(0, sys.argv[1])
from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.records import Layer, Limits
from ansible_collections.scap.images.plugins.module_utils.scanner.unpack import Budget, unpack_layer
layer = Layer(sys.argv[3], "", 0, sys.argv[4])
budget = Budget(Limits(), time.monotonic() + 300)
budget.layers = 1
unpack_layer(sys.argv[2], layer, sys.argv[5], budget, "x")
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(budget.files, peak)
"""


def test_a_million_entries_in_100_megabytes(inside: pathlib.Path) -> None:
    """200,000 of each of: folders, folders again, FIFOs, their whiteouts, opaque whiteouts; on a lower layer."""
    plain, path = hashlib.sha256(), inside / "layer.gz"
    count = 200_000
    with gzip.open(path, "wb", compresslevel=1) as packed:
        pieces = itertools.chain(
            (folder(f"d{number}") for number in range(count)),
            (folder(f"d{number}") for number in range(count)),
            (entry(f"x/{number}", kind=b"6") for number in range(count)),
            (entry(f"x/.wh.{number}") for number in range(count)),
            (entry(f"d{number}/.wh..wh..opq") for number in range(count)),
            (END,),
        )
        for piece in pieces:
            plain.update(piece)
            packed.write(piece)
    (inside / "root").mkdir()
    argv = [sys.executable, "-c", _CHILD, str(conftest.BUILD / "dev"), str(path), digest(path.read_bytes())]
    done = subprocess.run(
        [*argv, f"sha256:{plain.hexdigest()}", str(inside / "root")], check=True, capture_output=True, text=True
    )
    files, peak = done.stdout.split()
    assert int(files) == 1_000_000
    assert int(peak) < 100 * 1024
    subprocess.run(["rm", "-rf", str(inside / "root")], check=True)
