# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers that were unpacked once, for all images that have them: a folder each, bounded in size, oldest first out.

A layer is known by its chain id (OCI image configuration, "Layer ChainID"): itself and all below it. Its folder holds
`root`, the lower folder of an overlay, and `layer.json` once it is whole. The folder itself is the lock: shared by
whoever uses the layer, exclusive for whoever makes or removes it; the kernel gives it up for a scanner that died.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import shutil
import tempfile
import typing as t

from ...files import dumps, read_json, whole
from ...model import RecordError, ScapError, field

_BOOT = "/proc/sys/kernel/random/boot_id"
_RECORD = "layer.json"
_BLOCK = 4096
"""Bytes that an entry takes beside its content, about."""


@dataclasses.dataclass(frozen=True)
class Kept:
    """What unpacking one layer took."""

    bytes: int
    files: int
    skipped: int
    depth: int
    """Layers below it."""
    boot: str
    """The boot of this host that wrote it: what was not flushed to the disk is not trusted after another."""

    @classmethod
    def from_json(cls, data: t.Any) -> Kept:
        numbers = {name: field(data, name, int) for name in ("bytes", "files", "skipped", "depth")}
        return cls(**numbers, boot=field(data, "boot", str))


def chain_ids(diff_ids: t.Sequence[str]) -> list[str]:
    """The chain id of each layer, hex, lowest layer first."""
    found: list[str] = []
    for diff_id in diff_ids:
        text = f"sha256:{found[-1]} {diff_id}" if found else diff_id
        found.append(hashlib.sha256(text.encode()).hexdigest() if found else diff_id.rpartition(":")[2])
    return found


class LayerStore:
    """The layers below one folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        with open(_BOOT, encoding="ascii") as stream:
            self.boot = stream.read().strip()
        self._locks: dict[str, int] = {}
        os.makedirs(folder, mode=0o700, exist_ok=True)

    def path(self, chain: str) -> str:
        return os.path.join(self._folder, chain)

    def kept(self, chain: str) -> Kept | None:
        """The record of a layer that is whole; None where it is not there."""
        try:
            record = Kept.from_json(read_json(os.path.join(self.path(chain), _RECORD)))
        except (ScapError, RecordError):
            return None
        return record if record.boot == self.boot else None

    @contextlib.contextmanager
    def hold(self, chain: str) -> t.Iterator[Kept | None]:
        """Keep a layer from being removed. None: it is not there, and nobody else makes it until `keep` or the end."""
        with contextlib.ExitStack() as stack:
            self._locks[chain] = stack.enter_context(locked(self.path(chain), fcntl.LOCK_SH))
            if self.kept(chain) is None:
                stack.close()
                self._locks[chain] = stack.enter_context(locked(self.path(chain), fcntl.LOCK_EX))
            record = self.kept(chain)
            if record is not None:
                self._share(chain)
                os.utime(self.path(chain))
            yield record

    @contextlib.contextmanager
    def making(self, chain: str) -> t.Iterator[str]:
        """An empty folder for the parts of a layer that `hold` found missing; its `root` is kept by `keep`."""
        part = os.path.join(self.path(chain), "part")
        for name in ("part", "root"):
            shutil.rmtree(os.path.join(self.path(chain), name), ignore_errors=True)
        os.makedirs(os.path.join(part, "root"), mode=0o755)
        os.chmod(os.path.join(part, "root"), 0o755)  # noqa: S103 the umask may be 077
        try:
            yield part
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def keep(self, chain: str, record: Kept) -> None:
        """The layer is whole, and others may use it."""
        os.rename(os.path.join(self.path(chain), "part", "root"), os.path.join(self.path(chain), "root"))
        with whole(os.path.join(self.path(chain), _RECORD), durable=False) as stream:
            stream.write(dumps(dataclasses.asdict(record)))
        self._share(chain)

    def _share(self, chain: str) -> None:
        """Let others use a layer too. flock(2) gives the exclusive lock up before it has the shared one; until then the
        lock of the whole folder keeps the layer from being removed."""
        with locked(self._folder, fcntl.LOCK_SH):
            fcntl.flock(self._locks[chain], fcntl.LOCK_SH)

    def shrink(self, limit: int) -> None:
        """Remove layers that nobody uses, those used longest ago first, until the rest takes at most `limit` bytes."""
        found = []
        total = 0
        for chain in os.listdir(self._folder):
            with contextlib.suppress(FileNotFoundError):
                record = self.kept(chain)
                size = record.bytes + _BLOCK * record.files if record else 0
                depth = record.depth if record else 0
                found.append((os.stat(self.path(chain)).st_mtime_ns if record else 0, -depth, chain, size))
                total += size
        for used, _depth, chain, size in sorted(found):
            if total <= limit and used:
                return
            with contextlib.suppress(BlockingIOError):
                self._remove(chain)
                total -= size

    def _remove(self, chain: str) -> None:
        """BlockingIOError where somebody uses it."""
        with locked(self._folder, fcntl.LOCK_EX), locked(self.path(chain), fcntl.LOCK_EX | fcntl.LOCK_NB):
            gone = tempfile.mkdtemp(dir=self._folder)
            with contextlib.suppress(FileNotFoundError):  # what another scanner is about to remove
                os.rename(self.path(chain), os.path.join(gone, "layer"))
        shutil.rmtree(gone, ignore_errors=True)


@contextlib.contextmanager
def locked(folder: str, kind: int) -> t.Iterator[int]:
    """Hold the lock of a folder, which is made where it is missing; BlockingIOError where `kind` says LOCK_NB."""
    while True:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, kind)
            if _is(folder, lock):
                yield lock
                return
        finally:
            os.close(lock)


def _is(folder: str, lock: int) -> bool:
    """Whether the folder is still the one that was locked: its last user may have removed it in between."""
    try:
        return os.path.samestat(os.stat(folder), os.fstat(lock))
    except FileNotFoundError:
        return False
