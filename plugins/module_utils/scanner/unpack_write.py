# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of one layer, written into a root."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import struct
import tempfile
import typing as t

from ..model import ScapError
from .unpack_folders import Folders
from .unpack_paths import Paths
from .unpack_tar import DIRECTORY, FILE, LINK, SYMLINK, Entry, TarStream

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
_AUFS = b".wh..wh."
"""What a storage driver of old kept in the root of its layers; runtimes skip it."""
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_META = struct.Struct("<HIIqI")
_CAPABILITY = "security.capability"
_SET_ID = stat.S_ISUID | stat.S_ISGID
_IN_MEMORY = 1 << 20
_PATH_MAX = 4096
_LAST_TIME = (1 << 63) - 1


class UnsafeError(Exception):
    """An entry that is refused, with the reason."""


class Writer:
    """`upper`: layers lie below this one, so that its whiteouts mean something.

    Raises UnsafeError, DepthError and OSError.
    """

    def __init__(self, root: str, depth: int, *, upper: bool) -> None:
        self._folders = Folders(root, depth)
        self._sources = Folders(root, depth)
        self._made = Paths() if upper else None
        self._marked: list[bytes] = []
        self._owns = os.geteuid() == 0
        self._later = tempfile.SpooledTemporaryFile(  # noqa: SIM115 closed by close()
            _IN_MEMORY, dir=os.path.dirname(os.path.abspath(root))
        )
        self.skipped = 0

    def close(self) -> None:
        self._folders.close()
        self._sources.close()
        self._later.close()

    def add(self, tar: TarStream, entry: Entry) -> None:
        """Write one entry; its body is read from `tar`."""
        parts = split(entry.name)
        if not parts:
            if entry.kind == DIRECTORY:
                self._remember(entry, [])
            return
        name = parts.pop()
        if name.startswith(WHITEOUT):
            self._whiteout(parts, name)
            return
        if parts and parts[0].startswith(_AUFS):
            return
        folder = self._folders.open(parts, create=True)
        if self._made is not None:
            self._mark(self._made, name)
        kind = entry.kind
        if kind == FILE:
            self._file(tar, entry, folder, name)
        elif kind == DIRECTORY:
            self._directory(entry, folder, name)
        elif kind == SYMLINK:
            self._symlink(entry, folder, name)
        elif kind == LINK:
            self._link(entry, folder, name)
        else:
            self.skipped += 1
            self._remove(folder, name)

    def finish(self) -> None:
        """Owners, modes and times of the folders, now that nothing more is written into them."""
        self._later.seek(0)
        while True:
            head = self._later.read(_META.size)
            if not head:
                return
            mode, uid, gid, mtime, length = _META.unpack(head)
            path = self._later.read(length)
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                handle = self._folders.open(path.split(b"/") if path else [], create=False)
                self._dress(handle, mode, uid, gid, mtime)

    def _file(self, tar: TarStream, entry: Entry, folder: int, name: bytes) -> None:
        try:
            handle = os.open(name, _CREATE, 0o600, dir_fd=folder)
        except FileExistsError:
            self._remove(folder, name)
            handle = os.open(name, _CREATE, 0o600, dir_fd=folder)
        try:
            if entry.extents is None:
                tar.copy(handle)
            else:
                os.ftruncate(handle, entry.size)
                tar.copy_extents(handle, entry.extents)
            self._dress(handle, entry.mode, entry.uid, entry.gid, entry.mtime)
            self._enable(handle, entry.capability)
        finally:
            os.close(handle)

    def _directory(self, entry: Entry, folder: int, name: bytes) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=folder)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                os.unlink(name, dir_fd=folder)
                os.mkdir(name, 0o700, dir_fd=folder)
        self._remember(entry, [*self._folders.names, name])

    def _symlink(self, entry: Entry, folder: int, name: bytes) -> None:
        if not entry.link or b"\0" in entry.link:
            raise UnsafeError(f"the link {_shown(entry.name)} leads to nothing")
        try:
            os.symlink(entry.link, name, dir_fd=folder)
        except FileExistsError:
            self._remove(folder, name)
            os.symlink(entry.link, name, dir_fd=folder)
        self._dress_link(entry, folder, name)

    def _link(self, entry: Entry, folder: int, name: bytes) -> None:
        """A hard link has a header of its own, whose owner, mode and time go for the file, as runtimes have it."""
        parts = split(entry.link)
        if not parts:
            raise UnsafeError(f"the hard link {_shown(entry.name)} leads to nothing")
        last = parts.pop()
        try:
            source = self._sources.open(parts, create=False)
            if last == name and os.path.samestat(os.fstat(source), os.fstat(folder)):
                raise UnsafeError(f"the hard link {_shown(entry.name)} leads to itself")
            self._remove(folder, name)
            source = self._sources.open(parts, create=False)
            os.link(last, name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            raise UnsafeError(f"the hard link {_shown(entry.name)} leads to no file") from error
        try:
            handle = os.open(name, _OPEN, dir_fd=folder)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.EACCES):
                raise
            self._dress_link(entry, folder, name)
            return
        try:
            capability = entry.capability or _capability(handle)
            self._dress(handle, entry.mode, entry.uid, entry.gid, entry.mtime)
            self._enable(handle, capability)
        finally:
            os.close(handle)

    def _dress(self, handle: int, mode: int, uid: int, gid: int, mtime: int) -> None:
        if self._owns:
            os.fchown(handle, uid, gid)
        os.fchmod(handle, mode)
        if mode & _SET_ID and os.fstat(handle).st_mode & _SET_ID != mode & _SET_ID:
            raise ScapError(
                "capability_missing",
                "a file's setgid bit is lost here, so a rule that looks for it would pass; give the scanner the "
                "capability FSETID",
            )
        when = _time(mtime)
        os.utime(handle, ns=(when, when))

    def _enable(self, handle: int, capability: bytes) -> None:
        """Give a file its capability, of which a change of the owner deprives it (capabilities(7))."""
        if capability and self._owns:
            with contextlib.suppress(OSError):
                os.setxattr(handle, _CAPABILITY, capability)

    def _dress_link(self, entry: Entry, folder: int, name: bytes) -> None:
        if self._owns:
            os.chown(name, entry.uid, entry.gid, dir_fd=folder, follow_symlinks=False)
        when = _time(entry.mtime)
        os.utime(name, ns=(when, when), dir_fd=folder, follow_symlinks=False)

    def _remember(self, entry: Entry, parts: list[bytes]) -> None:
        path = b"/".join(parts)
        try:
            head = _META.pack(entry.mode, entry.uid, entry.gid, _time(entry.mtime), len(path))
        except struct.error:
            raise UnsafeError(f"{_shown(entry.name)} has an owner that no system knows") from None
        self._later.write(head + path)

    def _whiteout(self, parts: list[bytes], name: bytes) -> None:
        """Whiteouts mean what layers below have left, never what this layer makes, wherever it stands in it."""
        hidden = name[len(WHITEOUT) :]
        if hidden in (b"", b".", b".."):
            raise UnsafeError(f"the whiteout {_shown(name)} means no file")
        made = self._made
        if made is None or (name != OPAQUE and name.startswith(_AUFS)):
            return
        try:
            folder = self._folders.open(parts, create=False)
        except (FileNotFoundError, NotADirectoryError):
            return
        path = b"/".join(self._folders.names)
        if name == OPAQUE:
            self._clear(folder, path, made)
        else:
            self._hide(folder, hidden, path + b"/" + hidden if path else hidden, made)

    def _hide(self, folder: int, name: bytes, path: bytes, made: Paths) -> None:
        if path not in made:
            self._remove(folder, name)
            return
        with contextlib.suppress(NotADirectoryError, FileNotFoundError):
            inner = os.open(name, _FOLDER, dir_fd=folder)
            try:
                self._clear(inner, path, made)
            finally:
                os.close(inner)

    def _clear(self, folder: int, path: bytes, made: Paths) -> None:
        for name in _names(folder):
            self._hide(folder, name, path + b"/" + name if path else name, made)

    def _mark(self, made: Paths, name: bytes) -> None:
        """Note a path, and the folders that it lies in."""
        names = self._folders.names
        if names != self._marked:
            self._marked = list(names)
            for end in range(1, len(names) + 1):
                made.add(b"/".join(names[:end]))
        made.add(b"/".join([*names, name]))

    def _remove(self, folder: int, name: bytes) -> None:
        try:
            os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            return
        except IsADirectoryError:
            _remove_tree(folder, name)
            self._sources.forget()


def split(path: bytes) -> list[bytes]:
    """The components of a path of a layer; UnsafeError where it leads upwards or is too long."""
    parts = [part for part in path.split(b"/") if part and part != b"."]
    if b".." in parts:
        raise UnsafeError(f"it names {_shown(path)}, which leads upwards")
    if len(path) > _PATH_MAX:
        raise UnsafeError(f"it names a path of {len(path)} bytes, {_shown(path)}")
    return parts


def _remove_tree(folder: int, name: bytes) -> None:
    inner = os.open(name, _FOLDER, dir_fd=folder)
    try:
        for entry in _names(inner):
            try:
                os.unlink(entry, dir_fd=inner)
            except IsADirectoryError:
                _remove_tree(inner, entry)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=folder)


def _names(folder: int) -> t.Iterator[bytes]:
    """The names in a folder, which may be taken away meanwhile: read again until all have been seen."""
    before = -1
    while True:
        count = 0
        with os.scandir(folder) as entries:
            for entry in entries:
                count += 1
                yield os.fsencode(entry.name)
        if count in (0, before):
            return
        before = count


def _capability(handle: int) -> bytes:
    """The file's capability, empty where it has none."""
    try:
        return os.getxattr(handle, _CAPABILITY)
    except OSError:
        return b""


def _time(nanoseconds: int) -> int:
    """What is before 1970 or after what the kernel knows is 1970, as runtimes have it."""
    return nanoseconds if 0 <= nanoseconds <= _LAST_TIME else 0


def _shown(name: bytes) -> str:
    return ascii(name[:120].decode("utf-8", "replace"))
