# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where reports are written: whole files, only those whose bytes change."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import typing as t

from ..model import ScapError


class Output:
    """A folder of report files. A report can be made again: files are renamed into place, and not synced one by one."""

    def __init__(self, folder: str, dry: bool = False, done: t.Callable[[str], object] = len) -> None:
        """`dry`: find out what would change, write nothing. `done` is told the path of each file that is ready."""
        self.folder = folder
        self.changed: list[str] = []
        """Paths below the folder that were (or would be) written or removed."""
        self._dry = dry
        self._done = done
        self._made: set[str] = set()

    def write(self, path: str, chunks: t.Iterable[str]) -> None:
        """One file below the folder, UTF-8, streamed."""
        self.write_bytes(path, (chunk.encode("utf-8", "replace") for chunk in chunks))

    def write_bytes(self, path: str, chunks: t.Iterable[bytes]) -> None:
        self._made.add(path)
        target = os.path.join(self.folder, path)
        digest = hashlib.sha256()
        if self._dry:
            for chunk in chunks:
                digest.update(chunk)
        else:
            temporary = self._temporary(target, chunks, digest)
        self._done(path)
        if _sha256(target) == digest.digest():
            if not self._dry:
                os.unlink(temporary)
            return
        if not self._dry:
            os.rename(temporary, target)
        self.changed.append(path)

    def copy(self, path: str, source: str) -> None:
        """A file as it is, once a run."""
        if path not in self._made:
            self.write_bytes(path, _blocks(source))

    def _temporary(self, target: str, chunks: t.Iterable[bytes], digest: t.Any) -> str:
        temporary = ""
        try:
            os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=".report-", dir=os.path.dirname(target))
            with os.fdopen(handle, "wb") as stream:
                for chunk in chunks:
                    digest.update(chunk)
                    stream.write(chunk)
        except OSError as error:
            self._forget(temporary)
            raise ScapError("report_unwritable", f"{target}: cannot be written: {error}") from error
        except BaseException:
            self._forget(temporary)
            raise
        return temporary

    @staticmethod
    def _forget(temporary: str) -> None:
        if temporary:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)

    def remove_others(self, folder: str) -> None:
        """Remove the pages in a folder of ours that this run did not write."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for name in sorted(os.listdir(os.path.join(self.folder, folder))):
                path = os.path.join(folder, name)
                if path not in self._made and (name.endswith(".html") or name.startswith(".report-")):
                    self.changed.append(path)
                    if not self._dry:
                        os.unlink(os.path.join(self.folder, path))


def _blocks(path: str) -> t.Iterator[bytes]:
    try:
        with open(path, "rb") as stream:
            yield from iter(lambda: stream.read(1 << 20), b"")
    except OSError as error:
        raise ScapError("file_unreadable", f"{path}: cannot be read: {error}") from error


def _sha256(path: str) -> bytes:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ScapError("report_unwritable", f"{path}: cannot be read: {error}") from error
    return digest.digest()
