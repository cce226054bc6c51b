# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of a layer, decompressed and hashed by a thread while they are used, both digests checked at the end."""

from __future__ import annotations

import hashlib
import queue
import subprocess
import threading
import time
import typing as t
import zlib

from ..model import ScapError
from ..process import end_group

_RAW = 1 << 16
"""Compressed bytes at a time; small, because what follows the end of a gzip member is copied."""
_BLOCK = 1 << 18
_AHEAD = 8
"""Blocks that wait for the reader at most."""
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_ZSTD_MEMORY = "64MB"
"""The largest window of a zstd layer; the format's advice is to support 8 MB (RFC 8878 section 3.1.1.1.2)."""


class LayerStream:
    """The tar inside a layer file: gzip (any number of members), zstd or plain, told by its first bytes.

    Raises ScapError layer_damaged, limit_bytes, time_limit, program_missing or digest_mismatch, from `chunk` or
    `finish`. `limit` is in bytes unpacked, `deadline` a time.monotonic().
    """

    def __init__(self, path: str, what: str, limit: int, deadline: float) -> None:
        self._what = what
        self._limit = limit
        self._deadline = deadline
        self._count = 0
        self._packed = hashlib.sha256()
        self._plain = hashlib.sha256()
        self._stop = threading.Event()
        self._waiting: queue.Queue[bytes | Exception] = queue.Queue(_AHEAD)
        self._process: subprocess.Popen[bytes] | None = None
        self._file = open(path, "rb")  # noqa: SIM115  # closed by close()
        head = self._file.read(4)
        self._file.seek(0)
        if head == _ZSTD:
            blocks = self._zstd()
        elif head.startswith(_GZIP):
            blocks = self._gunzip()
        else:
            blocks = self._raw(_BLOCK)
            self._plain = self._packed
        self._thread = threading.Thread(target=self._produce, args=(blocks,), daemon=True)
        self._thread.start()

    def chunk(self) -> bytes:
        """The next bytes, empty at the end."""
        if time.monotonic() > self._deadline:
            raise ScapError("time_limit", f"{self._what} took too long to unpack; it was refused")
        block = self._waiting.get()
        if isinstance(block, Exception):
            self._waiting.put(block)
            raise block
        if not block:
            self._waiting.put(b"")
            return b""
        self._count += len(block)
        if self._count > self._limit:
            raise ScapError("limit_bytes", f"{self._what} unpacks to more than {self._limit} bytes; it was refused")
        return block

    def finish(self, digest: str, diff_id: str) -> None:
        """Read what is left and compare both digests."""
        while self.chunk():
            pass
        for name, wanted, found in (("", digest, self._packed), (" unpacked", diff_id, self._plain)):
            if f"sha256:{found.hexdigest()}" != wanted:
                raise ScapError(
                    "digest_mismatch",
                    f"{self._what}{name} is sha256:{found.hexdigest()}, {wanted} was promised; push the image again",
                )

    def close(self) -> None:
        """End the thread, and zstd."""
        self._stop.set()
        if self._process is not None:
            end_group(self._process)
        while self._thread.is_alive():
            while not self._waiting.empty():
                self._waiting.get()
            self._thread.join(0.01)
        self._file.close()

    def _produce(self, blocks: t.Iterator[bytes]) -> None:
        try:
            for block in blocks:
                if self._stop.is_set():
                    return
                if self._plain is not self._packed:
                    self._plain.update(block)
                self._waiting.put(block)
            self._waiting.put(b"")
        except Exception as error:  # handed to the reader, whatever it is
            self._waiting.put(error)

    def _raw(self, size: int) -> t.Iterator[bytes]:
        while True:
            block = self._file.read(size)
            if not block:
                return
            self._packed.update(block)
            yield block

    def _gunzip(self) -> t.Iterator[bytes]:
        inflate = zlib.decompressobj(31)
        try:
            for raw in self._raw(_RAW):
                waiting = raw
                while waiting:
                    if inflate.eof:
                        inflate = zlib.decompressobj(31)
                    block = inflate.decompress(waiting, _BLOCK)
                    waiting = inflate.unconsumed_tail or inflate.unused_data
                    if block:
                        yield block
            while not inflate.eof:
                block = inflate.decompress(b"", _BLOCK)
                if not block:
                    raise self._damaged("it is cut off")
                yield block
        except zlib.error as error:
            raise self._damaged(f"{error}") from error

    def _zstd(self) -> t.Iterator[bytes]:
        for _unused in self._raw(_BLOCK):
            if self._stop.is_set():
                return
        self._file.seek(0)
        try:
            self._process = subprocess.Popen(
                ["zstd", "-dcq", f"--memory={_ZSTD_MEMORY}"],
                stdin=self._file,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise ScapError(
                "program_missing", f"{self._what} is compressed by zstd, which is not there; install zstd"
            ) from error
        stdout, stderr = t.cast("t.IO[bytes]", self._process.stdout), t.cast("t.IO[bytes]", self._process.stderr)
        while True:
            block = stdout.read(_BLOCK)
            if not block:
                break
            yield block
        said = stderr.read(1000).decode("utf-8", "replace").strip()
        if self._process.wait() != 0:
            raise self._damaged(said or "zstd failed")

    def _damaged(self, why: str) -> ScapError:
        return ScapError("layer_damaged", f"{self._what} cannot be decompressed: {why}; push the image again")
