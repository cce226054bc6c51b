# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders of a root that is being written, open one below the other; nothing outside of the root is reached.

Each is opened by its name in the one above it, with O_NOFOLLOW. A link on the way is read and followed by ourselves,
inside the root only, so that neither `..` nor an absolute link leads out of it.
"""

from __future__ import annotations

import errno
import os
import typing as t

MAX_LINKS = 40
"""Links on one path, as the kernel's own limit (path_resolution(7))."""
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class DepthError(Exception):
    """A folder lies too deep."""


class Folders:
    """Those of one path stay open, because the next path is mostly a neighbour."""

    def __init__(self, root: str, depth: int) -> None:
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._depth = depth
        self._names: list[bytes] = []
        self._handles: list[int] = []

    @property
    def names(self) -> list[bytes]:
        """The real path, without links, of the folder that was opened last."""
        return self._names

    def open(self, parts: list[bytes], *, create: bool) -> int:
        """A descriptor of the folder, good until the next call; OSError or DepthError.

        `create` makes missing folders, owned by us, mode 755.
        """
        if parts == self._names:
            return self._handles[-1] if parts else self._root
        try:
            return self._open(parts, create)
        except NotADirectoryError:
            return self._open(self._follow(parts, create), create)

    def forget(self) -> None:
        """Close all: a folder was taken away."""
        for handle in self._handles:
            os.close(handle)
        self._names, self._handles = [], []

    def close(self) -> None:
        self.forget()
        os.close(self._root)

    def _open(self, parts: list[bytes], create: bool) -> int:
        if len(parts) > self._depth:
            raise DepthError
        common = 0
        for mine, other in zip(self._names, parts):
            if mine != other:
                break
            common += 1
        while len(self._handles) > common:
            os.close(self._handles.pop())
            self._names.pop()
        handle = self._handles[-1] if common else self._root
        for part in parts[common:]:
            try:
                handle = os.open(part, _FLAGS, dir_fd=handle)
            except FileNotFoundError:
                if not create:
                    raise
                os.mkdir(part, 0o755, dir_fd=handle)
                made = os.open(part, _FLAGS, dir_fd=handle)
                os.fchmod(made, 0o755)
                handle = made
            self._handles.append(handle)
            self._names.append(part)
        return handle

    def _follow(self, parts: list[bytes], create: bool) -> list[bytes]:
        """The real path of `parts` once links are followed."""
        waiting, real, links = parts[::-1], t.cast("list[bytes]", []), 0
        while waiting:
            part = waiting.pop()
            if part in (b"", b"."):
                continue
            if part == b"..":
                real[-1:] = []
                continue
            try:
                target = os.readlink(part, dir_fd=self._open(real, create))
            except FileNotFoundError:
                if not create:
                    raise
                real.append(part)
                continue
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                real.append(part)
                continue
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if target.startswith(b"/"):
                real = []
            waiting += target.split(b"/")[::-1]
        return real
