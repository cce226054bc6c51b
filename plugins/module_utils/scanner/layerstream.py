# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of a layer, decompressed while they stream, both digests checked at the end."""

from __future__ import annotations

import contextlib
import hashlib
import io
import subprocess
import typing as t
import zlib

from ..model import ScapError
from ..process import end_group

_BLOCK = 1 << 18
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class LayerStream(io.RawIOBase):
    """A readable stream of the tar inside a layer: gzip, zstd or plain.

    Raises ScapError layer_damaged, limit_bytes or digest_mismatch, from `read` or `finish`.
    """

    def __init__(self, path: str, what: str, limit: int) -> None:
        super().__init__()
        self._what = what
        self._limit = limit
        self._file: t.BinaryIO = open(path, "rb")  # noqa: SIM115  # closed by close()
        self._packed = hashlib.sha256()
        self._plain = hashlib.sha256()
        self._count = 0
        self._waiting = b""
        self._place = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._inflate: t.Any = None
        head = self._file.read(4)
        self._file.seek(0)
        if head.startswith(_GZIP):
            self._inflate = zlib.decompressobj(31)
        elif head == _ZSTD:
            self._start_zstd()

    def _start_zstd(self) -> None:
        for block in iter(lambda: self._file.read(_BLOCK), b""):
            self._packed.update(block)
        self._file.seek(0)
        try:
            self._process = subprocess.Popen(
                ["zstd", "-dc", "--memory=128MB", "-q"],
                stdin=self._file,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise ScapError(
                "program_missing", f"{self._what} is compressed by zstd, which is not there; install zstd"
            ) from error

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._count - len(self._waiting) + self._place

    def read(self, size: int = -1) -> bytes:
        parts, wanted = [], size if size >= 0 else 1 << 62
        while wanted:
            if self._place >= len(self._waiting):
                self._waiting, self._place = self._next(), 0
                if not self._waiting:
                    break
            part = self._waiting[self._place : self._place + wanted]
            self._place += len(part)
            wanted -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def finish(self, digest: str, diff_id: str) -> None:
        """Read what is left and compare both digests."""
        while self._next():
            pass
        if self._process is not None and self._process.wait() != 0:
            raise ScapError("layer_damaged", f"{self._what} cannot be decompressed by zstd; push the image again")
        for name, wanted, found in (("", digest, self._packed), (" unpacked", diff_id, self._plain)):
            if f"sha256:{found.hexdigest()}" != wanted:
                raise ScapError(
                    "digest_mismatch",
                    f"{self._what}{name} is sha256:{found.hexdigest()}, {wanted} was promised; push the image again",
                )

    def _next(self) -> bytes:
        block = self._decompressed()
        self._plain.update(block)
        self._count += len(block)
        if self._count > self._limit:
            raise ScapError("limit_bytes", f"{self._what} unpacks to more than {self._limit} bytes; it was refused")
        return block

    def _decompressed(self) -> bytes:
        if self._process is not None:
            return t.cast("t.IO[bytes]", self._process.stdout).read(_BLOCK)
        while True:
            if self._inflate is not None and self._inflate.unconsumed_tail:
                raw = self._inflate.unconsumed_tail
            elif self._inflate is not None and self._inflate.unused_data:
                raw = self._inflate.unused_data
                self._inflate = zlib.decompressobj(31)
            else:
                raw = self._file.read(_BLOCK)
                self._packed.update(raw)
            if self._inflate is None:
                return bytes(raw)
            if not raw:
                if not self._inflate.eof:
                    raise ScapError("layer_damaged", f"{self._what} is cut off; push the image again")
                return b""
            try:
                block = self._inflate.decompress(raw, 4 * _BLOCK)
            except zlib.error as error:
                raise ScapError(
                    "layer_damaged", f"{self._what} cannot be decompressed: {error}; push it again"
                ) from error
            if block:
                return t.cast("bytes", block)

    def close(self) -> None:
        if self._process is not None:
            end_group(self._process)
        with contextlib.suppress(OSError):
            self._file.close()
        super().close()
