# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzz the unpacker of layers: `fuzz_tar.py [SECONDS]` (default: $FUZZ_SECONDS, then 60).

Archives of hostile and ordinary entries are made, cut, joined and flipped, often with the checksums put right again,
and unpacked in one or two layers. Anything but a root or a ScapError is a finding, and so is any change outside of the
root, any device in it, more than the limits allow, or a hung thread: its layers are kept in the corpus beside this
file, under their digest, and the run ends with status 1. What the corpus holds is replayed first.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import pathlib
import random
import shutil
import stat
import sys
import tempfile
import threading
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = pathlib.Path(__file__).with_name("tar")
sys.path[:0] = [str(ROOT / "build" / "dev"), str(ROOT)]

from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.records import Layer, Limits
from ansible_collections.scap.images.plugins.module_utils.scanner.unpack import Budget, unpack_layer

from tests.support.tars import END, entry, pax
from tests.support.trees import difference, snapshot

LIMITS = Limits(bytes=1 << 20, files=200, depth=12)
SECONDS = 5.0
SPLIT = b"\n--- the next layer ---\n"
"""Between the layers of a kept input."""
BLOCK = 512

NAMES = (
    *(b"a", b"b", b"a/b", b"a/b/c", b"b/c", b"./a", b"a/", b"a//b", b"/a", b".", b"", b"/", b"d/" * 15 + b"f"),
    *(b"..", b"../bait", b"../bait/secret", b"a/../../bait", b"/bait/secret", b"l", b"l/secret", b"l/bait/secret"),
    *(b".wh.a", b"a/.wh.b", b".wh..wh..opq", b"a/.wh..wh..opq", b"l/.wh.secret", b"l/.wh..wh..opq", b".wh.", b".wh.."),
    *(b".wh...", b".wh..wh.aufs", b".wh..wh.plnk/x", b"new\nline", b"\xff\xfe", b"\x1b[2J", b"n" * 99, b"x\0y"),
)
LINKS = (
    b"a",
    b"b",
    b"a/b",
    b"l",
    b"..",
    b"../..",
    b"../bait",
    b"../bait/secret",
    b"/bait",
    b"../" * 12,
    b".",
    b"",
    b"/",
)
KINDS = (*(b"0", b"5", b"2", b"1") * 4, b"\0", b"3", b"4", b"6", b"7", b"S", b"x", b"g", b"L", b"K", b"Z")
KEYS = ("path", "linkpath", "size", "uid", "gid", "mtime", "SCHILY.xattr.security.capability", "GNU.sparse.map")
SPARSE = ("GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.name", "GNU.sparse.realsize", "GNU.sparse.size")
VALUES = (b"", b"0", b"1", b"-1", b"512", b"1.5", b"9" * 30, b"0,1", b"0,5,3,5", b"1,0,1,0", b"0x10", b"a\0b", b"1e9")
NUMBERS = (0, 1, -1, 511, 512, 513, 1 << 20, (1 << 33), -(1 << 60))


def make_entry(chance: random.Random) -> bytes:
    """One entry, and at times an extended header in front of it."""
    kind = chance.choice(KINDS)
    data = bytes(chance.choices(b"\0ax1\n", k=chance.choice((0, 1, 5, 511, 512, 513, 2000))))
    if kind in b"xg":
        return pax({chance.choice(KEYS + SPARSE): chance.choice(VALUES + NAMES) for _time in range(3)}, kind=kind)
    if kind in b"LK":
        return entry(b"long", chance.choice(NAMES + LINKS) + b"\0", kind=kind)
    front = b""
    if chance.random() < 0.2:
        front = pax({chance.choice(KEYS + SPARSE): chance.choice(VALUES + NAMES) for _time in range(2)})
    body = entry(
        chance.choice(NAMES),
        data if kind in (b"0", b"\0", b"7", b"S") else b"",
        kind=kind,
        link=chance.choice(LINKS),
        mode=chance.choice((0, 0o644, 0o755, 0o7777)),
        uid=chance.choice((0, 0, 1000, 1 << 31)),
        size=chance.choice(NUMBERS) if chance.random() < 0.05 else None,
        magic=chance.choice((b"ustar\x0000", b"ustar\x0000", b"ustar  \0", b"")),
    )
    return front + body


def mutate(chance: random.Random, tar: bytes) -> bytes:
    """Blocks and bytes changed; most checksums are put right again, for the reader would stop there otherwise."""
    data = bytearray(tar)
    for _time in range(chance.choice((0, 0, 1, 1, 3))):
        at = chance.randrange(0, len(data), BLOCK)
        way = chance.randrange(5)
        if way == 0:
            del data[at : at + BLOCK * chance.randint(1, 3)]
        elif way == 1:
            data[at:at] = data[at : at + BLOCK * chance.randint(1, 3)]
        elif way == 2:
            del data[chance.randrange(len(data)) :]
        else:
            place = at + chance.choice((0, 100, 108, 116, 124, 135, 136, 148, 156, 157, 257, 263, 345, 386, 482, 483))
            if place < len(data):
                data[place] = chance.choice((0, 1, 32, 46, 47, 48, 55, 128, 255, chance.randrange(256)))
            if chance.random() < 0.9:
                put_right(data, at)
        if not data:
            break
    return bytes(data)


def put_right(data: bytearray, at: int) -> None:
    if at + BLOCK <= len(data):
        data[at + 148 : at + 156] = b" " * 8
        data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + BLOCK])


def make_layers(chance: random.Random) -> list[bytes]:
    layers = []
    for _layer in range(chance.randint(1, 2)):
        pieces = [make_entry(chance) for _time in range(chance.randint(1, 12))]
        layers.append(mutate(chance, b"".join(pieces) + chance.choice((END, END, END, b"", END[:512]))))
    return layers


class Place:
    """A folder with bait beside the root."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._root = folder / "parent" / "root"
        bait = folder / "parent" / "bait"
        (bait / "folder").mkdir(parents=True)
        (bait / "secret").write_bytes(b"secret")
        (folder / "bait").mkdir()
        (folder / "bait" / "secret").write_bytes(b"secret")
        self._before = self._outside()

    def check(self, layers: t.Sequence[bytes]) -> str:
        """What is wrong; empty where nothing is."""
        self._root.mkdir()
        start = time.monotonic()
        try:
            budget = Budget(LIMITS, start + SECONDS)
            for number, tar in enumerate(layers):
                self._unpack(gzip.compress(tar, 1) if number % 2 else tar, tar, budget)
        except ScapError as problem:
            if not problem.message.startswith("fuzz: ") or "\n" in problem.message or "\x1b" in problem.message:
                return f"a message that does not name the image, or is no single line: {problem.message!r}"
        except Exception as problem:
            return f"{type(problem).__name__}: {problem}"
        finally:
            problem_inside = self._inside()
            shutil.rmtree(self._root)
        if time.monotonic() - start > SECONDS:
            return "slow"
        if threading.active_count() > 1:
            return "a thread still runs"
        changed = difference(self._before, self._outside())
        return f"changed outside of the root: {changed}" if changed else problem_inside

    def _unpack(self, data: bytes, tar: bytes, budget: Budget) -> None:
        path = self._folder / "layer"
        path.write_bytes(data)
        digests = [f"sha256:{hashlib.sha256(found).hexdigest()}" for found in (data, tar)]
        unpack_layer(str(path), Layer(digests[0], "", len(data), digests[1]), str(self._root), budget, "fuzz")

    def _inside(self) -> str:
        size = 0
        for parent, folders, names in os.walk(os.fsencode(self._root)):
            for name in folders + names:
                status = os.lstat(os.path.join(parent, name))
                size += status.st_blocks * BLOCK if stat.S_ISREG(status.st_mode) else 0
                if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode)):
                    return f"{name!r} is of mode {status.st_mode:o}"
        return f"{size} bytes were written" if size > LIMITS.bytes + LIMITS.files * 4096 else ""

    def _outside(self) -> dict[bytes, t.Any]:
        found = {}
        for place in (self._folder / "bait", self._folder / "parent" / "bait"):
            for name, node in snapshot(place).items():
                found[os.fsencode(place) + b"/" + name] = node
        for place in (self._folder, self._folder / "parent"):
            names = sorted(name for name in os.listdir(place) if name not in ("layer", "root"))
            found[os.fsencode(place)] = {"names": names}
        return found


def main() -> int:
    """Replay the corpus, then fuzz until the time is over."""
    seconds = float(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("FUZZ_SECONDS", "60"))
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    runs = found = 0
    with tempfile.TemporaryDirectory(prefix="scap-fuzz-tar-") as name:
        place = Place(pathlib.Path(name))
        for path in sorted(CORPUS.glob("*")):
            runs += 1
            problem = place.check(path.read_bytes().split(SPLIT))
            if problem:
                found += 1
                print(f"{path}: {problem}")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            layers = make_layers(chance)
            runs += 1
            problem = place.check(layers)
            if problem:
                data = SPLIT.join(layers)
                CORPUS.mkdir(exist_ok=True)
                kept = CORPUS / hashlib.sha256(data).hexdigest()[:16]
                kept.write_bytes(data)
                found += 1
                print(f"{kept}: {problem}")
    print(f"tar: {runs} inputs in {seconds:g} s, {found} findings (seed {seed})")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
