# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of a result file, unpacked and bounded: plain, gzip (RFC 1952), bzip2 or xz, told by their first bytes."""

from __future__ import annotations

import bz2
import contextlib
import lzma
import os
import stat
import typing as t
import zlib

from ..model import ScapError
from .interface import Limits

_BLOCK = 1 << 16
_XZ_MEMORY = 100 << 20
_MEMBERS = 10_000


class _Unpacker(t.Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


class _Gzip:
    """zlib's decompressor with the interface of bz2's and lzma's (what is not consumed yet is kept inside)."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = _BLOCK) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


_FORMATS: tuple[tuple[bytes, str, t.Callable[[], _Unpacker]], ...] = (
    (b"\x1f\x8b", "gzip", _Gzip),
    (b"BZh", "bzip2", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", "xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)),
)


class Source:
    """A result file, opened once; `blocks` reads it from the start as often as needed."""

    def __init__(self, path: str, limits: Limits) -> None:
        self.path = path
        self._limits = limits
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            self._file = os.fdopen(handle, "rb", buffering=0)
        except (OSError, ValueError) as error:
            raise ScapError("file_unreadable", f"{path!r}: cannot be opened: {error}") from error
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise ScapError("file_unreadable", f"{path!r}: not a regular file; name a stored result")
        if status.st_size > limits.packed_bytes:
            self.close()
            raise self._too_large(f"{status.st_size} bytes stored, at most {limits.packed_bytes} are read")

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def _too_large(self, what: str) -> ScapError:
        return ScapError("results_too_large", f"{self.path}: {what}; scan with a smaller profile or split the results")

    def blocks(self) -> t.Iterator[bytes]:
        """The unpacked bytes in blocks; ScapError where they are damaged, cut short or too many."""
        try:
            self._file.seek(0)
            head = self._file.read(6)
            self._file.seek(0)
            for magic, name, make in _FORMATS:
                if head.startswith(magic):
                    yield from self._unpack(name, make)
                    return
            yield from self._bounded(iter(lambda: self._file.read(_BLOCK), b""))
        except OSError as error:
            raise ScapError("file_unreadable", f"{self.path}: cannot be read: {error}") from error

    def _bounded(self, blocks: t.Iterator[bytes]) -> t.Iterator[bytes]:
        limits, size = self._limits, 0
        for block in blocks:
            size += len(block)
            if size > limits.bytes:
                raise self._too_large(f"more than {limits.bytes} bytes unpacked")
            if size > limits.ratio_from and size > limits.ratio * max(self._file.tell(), 1):
                raise self._too_large(f"unpacks to more than {limits.ratio} times its size, like a decompression bomb")
            yield block

    def _unpack(self, name: str, make: t.Callable[[], _Unpacker]) -> t.Iterator[bytes]:
        with contextlib.closing(self._members(make)) as members:
            try:
                yield from self._bounded(members)
            except (zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
                raise ScapError(
                    "results_damaged",
                    f"{self.path}: the {name} data are damaged or cut short ({error or 'unexpected end'}); "
                    "copy the file again or repeat the scan",
                ) from error

    def _members(self, make: t.Callable[[], _Unpacker]) -> t.Generator[bytes, None, None]:
        data, members = self._file.read(_BLOCK), 0
        while data:
            members += 1
            if members > _MEMBERS:
                raise EOFError(f"more than {_MEMBERS} members")
            unpacker = make()
            while not unpacker.eof:
                block = unpacker.decompress(data, _BLOCK)
                data = b""
                if block:
                    yield block
                elif not unpacker.eof:
                    data = self._file.read(_BLOCK)
                    if not data:
                        raise EOFError("unexpected end")
            data = unpacker.unused_data.lstrip(b"\x00")
            while not data and (more := self._file.read(_BLOCK)):
                data = more.lstrip(b"\x00")
