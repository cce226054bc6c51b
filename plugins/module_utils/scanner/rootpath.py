# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths inside an image's root: links are followed inside the root only, whoever made them.

Walks component by component with directory descriptors and O_NOFOLLOW, so that neither an absolute link, nor `..`,
nor a link that changes meanwhile leads out of the root.
"""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from ..model import ScapError

MAX_LINKS = 40
"""Links on one path, as the kernel's own limit (path_resolution(7))."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class _Walk:
    """The directories from the root down to where a path has led so far."""

    def __init__(self, root: str, relink: bool = False) -> None:
        self.handles = [os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
        self.names: list[str] = []
        self.relink = relink
        self.followable = True

    def close(self) -> None:
        for handle in self.handles:
            os.close(handle)

    def to(self, path: str) -> str:
        """Enter every directory of the path; the last component (not a link, perhaps missing) is returned."""
        waiting = [part for part in path.split("/") if part not in ("", ".")]
        links = 0
        while waiting:
            part = waiting.pop(0)
            if part == "..":
                self.leave()
                continue
            try:
                target = os.readlink(part, dir_fd=self.handles[-1])
            except OSError:
                if not waiting:
                    return part
                self.enter(part)
                continue
            links += 1
            if links > MAX_LINKS:
                raise OSError(f"{path}: too many links")
            if self.relink:
                self.make_relative(part, target)
            if target.startswith("/"):
                while self.names:
                    self.leave()
            waiting[:0] = [step for step in target.split("/") if step not in ("", ".")]
        return "."

    def into(self, path: str, *, create: bool) -> None:
        """Enter every directory of the path and the last; missing ones are made where asked."""
        for part in path.split("/"):
            try:
                last = self.to(part)
                if last != ".":
                    self.enter(last)
            except FileNotFoundError:
                if not create:
                    raise
                os.mkdir(part, 0o755, dir_fd=self.handles[-1])
                self.enter(part)

    def enter(self, part: str) -> None:
        self.handles.append(os.open(part, _DIRECTORY, dir_fd=self.handles[-1]))
        self.names.append(part)

    def make_relative(self, part: str, target: str) -> None:
        depth = 0 if target.startswith("/") else len(self.names)
        for step in target.split("/"):
            depth += {"": 0, ".": 0, "..": -1}.get(step, 1)
            if depth < 0:
                self.followable = False
                return
        if target.startswith("/"):
            os.unlink(part, dir_fd=self.handles[-1])
            os.symlink("../" * len(self.names) + target.lstrip("/"), part, dir_fd=self.handles[-1])

    def leave(self) -> None:
        if self.names:
            self.names.pop()
            os.close(self.handles.pop())


class Folders:
    """The folders of a root by path, for writers of many files: the last one stays open."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._walk: _Walk | None = None
        self._path = ""

    def parent(self, path: str, *, create: bool) -> tuple[int, str]:
        """(descriptor of the folder that `path` lies in, its last component); missing folders are made where asked.

        The descriptor is good until the next call. The last component is not followed.
        """
        folder, _unused, name = path.rpartition("/")
        if self._walk is None or folder != self._path:
            self.forget()
            walk = _Walk(self._root)
            try:
                if folder:
                    walk.into(folder, create=create)
            except BaseException:
                walk.close()
                raise
            self._walk, self._path = walk, folder
        return self._walk.handles[-1], name

    def forget(self) -> None:
        """Close what is open: a folder was taken away."""
        if self._walk is not None:
            self._walk.close()
        self._walk, self._path = None, ""

    def close(self) -> None:
        self.forget()


@contextlib.contextmanager
def _parent(root: str, path: str) -> t.Iterator[tuple[int, str, list[str]]]:
    walk = _Walk(root)
    try:
        last = walk.to(path)
        yield walk.handles[-1], last, walk.names
    finally:
        walk.close()


@contextlib.contextmanager
def _folder(root: str, path: str) -> t.Iterator[int]:
    walk = _Walk(root)
    try:
        last = walk.to(path)
        if last != ".":
            walk.enter(last)
        yield walk.handles[-1]
    finally:
        walk.close()


def open_in_root(root: str, path: str, flags: int = os.O_RDONLY) -> int:
    """A descriptor of the regular file `path` of the root; OSError where there is none (a FIFO or device is none)."""
    with _parent(root, path) as (folder, name, _names):
        handle = os.open(name, flags | _FILE, 0o644, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path} is not a regular file")
    return handle


def read_in_root(root: str, path: str, limit: int) -> bytes | None:
    """The bytes of a regular file; None where there is none. ScapError where it is larger than `limit`."""
    try:
        handle = open_in_root(root, path)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise ScapError("file_too_large", f"{path} of the image is larger than {limit} bytes")
    return data


def list_in_root(root: str, path: str) -> list[str]:
    """Sorted names in a folder of the root; empty where there is none."""
    try:
        with _folder(root, path) as handle:
            return sorted(os.listdir(handle))
    except OSError:
        return []


def resolve_in_root(root: str, path: str) -> str | None:
    """The path, relative to the root, that `path` means once its links are followed; None where nothing is there."""
    try:
        with _parent(root, path) as (folder, name, names):
            os.stat(name, dir_fd=folder, follow_symlinks=False)
            return "/".join([*names, *([] if name == "." else [name])])
    except OSError:
        return None


def stat_in_root(root: str, path: str) -> int | None:
    """The mode (st_mode) of what `path` means once its links are followed; None where nothing is there."""
    try:
        with _parent(root, path) as (folder, name, _names):
            return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except OSError:
        return None


def exists_in_root(root: str, path: str) -> bool:
    """Whether something has that name, be it a link to nothing, a loop of links or what cannot be entered."""
    folder, _unused, name = path.rstrip("/").rpartition("/")
    try:
        with _folder(root, folder) as handle:
            os.stat(name or ".", dir_fd=handle, follow_symlinks=False)
            return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def relink_in_root(root: str, path: str) -> bool:
    """Make the absolute links on the way of `path` relative, so that they lead to the same place for a program that
    only puts the root's path in front of it; False where one leads above the root, or cannot be changed.
    """
    try:
        walk = _Walk(root, relink=True)
        try:
            walk.to(path)
            return walk.followable
        finally:
            walk.close()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def make_in_root(root: str, path: str, data: bytes | None) -> None:
    """Make a file with `data`, or a folder (None), where nothing is yet; parents are made, links stay inside the root.

    Raises ScapError root_unwritable.
    """
    try:
        if data is None:
            _make_folders(root, path.split("/"))
        else:
            with contextlib.suppress(FileExistsError):
                _make_file(root, path, data)
    except OSError as error:
        raise _unwritable(path, error) from error


def _make_file(root: str, path: str, data: bytes) -> None:
    _make_folders(root, path.split("/")[:-1])
    handle = open_in_root(root, path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    with os.fdopen(handle, "wb") as stream:
        os.fchmod(handle, 0o644)
        stream.write(data)


def _make_folders(root: str, parts: t.Sequence[str]) -> None:
    for end in range(1, len(parts) + 1):
        _make_folder(root, "/".join(parts[:end]))


def _unwritable(path: str, error: OSError) -> ScapError:
    return ScapError("root_unwritable", f"/{path} cannot be made in the image's throw-away root: {error}")


def _make_folder(root: str, path: str) -> None:
    with _parent(root, path) as (folder, name, _names):
        if name != ".":
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=folder)
                os.chmod(name, 0o755, dir_fd=folder)  # noqa: S103 the umask may be 077


def write_in_root(root: str, path: str, data: bytes) -> None:
    """Write a regular file, in the place of what was there; parents are made. ScapError root_unwritable."""
    remove_in_root(root, path)
    try:
        _make_file(root, path, data)
    except OSError as error:
        raise _unwritable(path, error) from error


def remove_in_root(root: str, path: str) -> None:
    """Remove the file (or the link) that `path` names, if there is one."""
    folder, _unused, name = path.rpartition("/")
    with contextlib.suppress(OSError), _folder(root, folder) as handle:
        os.unlink(name, dir_fd=handle)


def link_in_root(root: str, path: str, target: str) -> None:
    """Make a symbolic link where nothing is yet; parents are made. ScapError root_unwritable."""
    folder, _unused, name = path.rpartition("/")
    make_in_root(root, folder, None)
    try:
        with _folder(root, folder) as handle:
            os.symlink(target, name, dir_fd=handle)
    except OSError as error:
        raise _unwritable(path, error) from error
