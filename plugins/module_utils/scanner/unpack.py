# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One layer onto a root (OCI image spec 1.1, "Image Layer Filesystem Changeset"), nothing outside of it touched.

Every path is walked by directory descriptors with O_NOFOLLOW; links on the way are followed inside the root only.
Device nodes, FIFOs and sockets are left out: no scan needs them, and they can hurt.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import stat
import tarfile
import typing as t

from ..model import ScapError
from .layerstream import LayerStream
from .rootpath import Folders

if t.TYPE_CHECKING:
    from .acquire.records import Layer, Limits

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
_BLOCK = 1 << 20
_ZEROS = bytes(_BLOCK)
_TAIL = 1 << 20
"""Bytes behind the files that tar's headers and padding may take, for each file."""


def unpack_layer(path: str, layer: Layer, root: str, limits: Limits, reference: str) -> Limits:
    """Unpack the layer file `path`; returns what is left of the limits.

    Raises ScapError layer_damaged, layer_unsafe, limit_bytes, limit_files, limit_depth, digest_mismatch or disk_full.
    """
    what = f"{reference}: the layer {layer.digest}"
    stream = LayerStream(path, what, limits.bytes + _TAIL)
    try:
        with contextlib.closing(stream), contextlib.closing(Folders(root)) as folders:
            left = _Unpacker(folders, what, limits).run(stream)
            stream.finish(layer.digest, layer.diff_id)
            return left
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise ScapError(
            "layer_damaged", f"{what} is not a tar that can be read: {error}; push the image again"
        ) from error
    except OSError as error:
        if error.errno == 28:  # ENOSPC
            raise ScapError("disk_full", f"{what}: the disk is full; free some space or move scap_dir") from error
        raise ScapError("layer_unsafe", f"{what} cannot be unpacked: {error}") from error


class _Unpacker:
    def __init__(self, folders: Folders, what: str, limits: Limits) -> None:
        self._folders = folders
        self._what = what
        self._bytes = limits.bytes
        self._files = limits.files
        self._limits = limits
        self._made: set[int] = set()
        self._times: list[tuple[str, float]] = []

    def run(self, stream: LayerStream) -> Limits:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=_BLOCK, errors="surrogateescape") as tar:
            for member in tar:
                tar.members = []  # type: ignore[attr-defined]
                self._one(tar, member)
        for name, when in reversed(self._times):
            with contextlib.suppress(OSError):
                folder, last = self._folders.parent(name, create=False)
                os.utime(last or ".", (when, when), dir_fd=folder, follow_symlinks=False)
        return dataclasses.replace(self._limits, bytes=self._bytes, files=self._files)

    def _one(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        parts = self._parts(member.name)
        if not parts:
            return
        self._spend(member)
        folder, name = self._folders.parent("/".join(parts), create=True)
        if name == OPAQUE:
            self._clear(folder, "/".join(parts[:-1]))
        elif name.startswith(WHITEOUT):
            self._remove(folder, name[len(WHITEOUT) :])
        else:
            self._make(tar, member, folder, name, "/".join(parts))

    def _parts(self, name: str) -> list[str]:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts or "\0" in name:
            raise ScapError("layer_unsafe", f"{self._what} names {name[:200]!r}, which leaves the root; it was refused")
        if len(parts) > self._limits.depth:
            raise ScapError(
                "limit_depth", f"{self._what} has folders more than {self._limits.depth} deep; it was refused"
            )
        return parts

    def _spend(self, member: tarfile.TarInfo) -> None:
        if member.size < 0:
            raise ScapError("layer_damaged", f"{self._what}: {member.name[:200]!r} has a negative size")
        self._files -= 1
        self._bytes -= member.size if member.isreg() else 0
        if self._files < 0:
            raise ScapError("limit_files", f"{self._what}: more than {self._limits.files} files; it was refused")
        if self._bytes < 0:
            raise ScapError("limit_bytes", f"{self._what}: more than {self._limits.bytes} bytes; it was refused")

    def _make(self, tar: tarfile.TarFile, member: tarfile.TarInfo, folder: int, name: str, path: str) -> None:
        self._made.add(hash(path))
        if member.isdir():
            self._folder(member, folder, name, path)
            return
        self._remove(folder, name)
        if member.issym():
            os.symlink(member.linkname, name, dir_fd=folder)
            self._owner(member, folder, name)
            os.utime(name, (member.mtime, member.mtime), dir_fd=folder, follow_symlinks=False)
        elif member.islnk():
            target = os.dup(folder)
            try:
                source, last = self._folders.parent("/".join(self._parts(member.linkname)), create=False)
                os.link(last, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
            finally:
                os.close(target)
        elif member.isreg():
            self._file(tar, member, folder, name)

    def _folder(self, member: tarfile.TarInfo, folder: int, name: str, path: str) -> None:
        try:
            os.mkdir(name, 0o755, dir_fd=folder)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                self._remove(folder, name)
                os.mkdir(name, 0o755, dir_fd=folder)
        self._owner(member, folder, name)
        os.chmod(name, member.mode & 0o7777, dir_fd=folder)
        self._times.append((path, member.mtime))

    def _file(self, tar: tarfile.TarFile, member: tarfile.TarInfo, folder: int, name: str) -> None:
        source = tar.extractfile(member)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(name, flags, 0o600, dir_fd=folder)
        try:
            if source is not None:
                _copy(source, handle, member.size)
            if os.geteuid() == 0:
                os.fchown(handle, member.uid, member.gid)
            os.fchmod(handle, member.mode & 0o7777)
            for key, value in member.pax_headers.items():
                if key == "SCHILY.xattr.security.capability":
                    with contextlib.suppress(OSError):
                        os.setxattr(handle, "security.capability", value.encode("utf-8", "surrogateescape"))
            os.utime(handle, (member.mtime, member.mtime))
        finally:
            os.close(handle)

    def _owner(self, member: tarfile.TarInfo, folder: int, name: str) -> None:
        if os.geteuid() == 0:
            os.chown(name, member.uid, member.gid, dir_fd=folder, follow_symlinks=False)

    def _remove(self, folder: int, name: str) -> None:
        if name in ("", ".", ".."):
            raise ScapError("layer_unsafe", f"{self._what} takes away {name!r}; it was refused")
        try:
            os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            return
        except IsADirectoryError:
            _remove_tree(folder, name)

    def _clear(self, folder: int, path: str) -> None:
        """Take away what lower layers left in a folder, and keep what this layer has put there."""
        for name in os.listdir(folder):
            if hash(f"{path}/{name}" if path else name) not in self._made:
                self._remove(folder, name)


def _remove_tree(folder: int, name: str) -> None:
    shutil.rmtree(f"/proc/self/fd/{folder}/{name}")


def _copy(source: t.IO[bytes], handle: int, size: int) -> None:
    left = size
    while left:
        block = source.read(min(left, _BLOCK))
        if not block:
            raise EOFError("a file is cut off")
        if block == _ZEROS:
            os.lseek(handle, len(block), os.SEEK_CUR)
        else:
            view = memoryview(block)
            while view:
                view = view[os.write(handle, view) :]
        left -= len(block)
    os.ftruncate(handle, size)
