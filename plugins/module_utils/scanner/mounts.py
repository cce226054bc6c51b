# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mount(2) and its like, called directly: mount(8) cuts long options, and a pod's image need not have it."""

from __future__ import annotations

import ctypes
import errno
import os
import typing as t

_CLONE_NEWNS = 0x00020000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT = 0x2, 0x4, 0x8, 0x20
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_MNT_DETACH = 0x2
_VOLATILE = ",volatile"
"""Known to Linux 5.10 and newer."""
_PAGE = 4096
"""Bytes of options that mount(2) reads."""


def private_mounts() -> bool:
    """Give this process mounts of its own, so that whatever it mounts ends with it; False where it may not."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        return False
    return bool(libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None) == 0)


def without_execution(root: str, view: str) -> bool:
    """Bind `root` at `view` with noexec, nosuid, nodev; False where mounting is not permitted."""
    os.makedirs(view, mode=0o700, exist_ok=True)
    try:
        _mount(root, view, "", _MS_BIND, "")
        _mount("none", view, "", _MS_REMOUNT | _MS_BIND | _MS_NOEXEC | _MS_NOSUID | _MS_NODEV, "")
    except OSError:
        return False
    return True


def overlay(lower: t.Sequence[str], upper: str, work: str, target: str) -> None:
    """Show the folders `lower` (the topmost first) with the writable `upper` over them, at `target`; OSError.

    Nothing is flushed to the disk on its account, nothing of it can be executed, and device nodes lead nowhere.
    """
    options = f"lowerdir={':'.join(lower)},upperdir={upper},workdir={work}"
    if _in_user_namespace():
        options += ",userxattr"
    if len(options) + len(_VOLATILE) >= _PAGE:
        raise OSError(errno.E2BIG, f"{len(lower)} layers are more than one mount can name")
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    try:
        _mount("overlay", target, "overlay", flags, options + _VOLATILE)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        _mount("overlay", target, "overlay", flags, options)


def detach(target: str) -> None:
    """Take away what is mounted at `target`, if anything is."""
    ctypes.CDLL(None).umount2(os.fsencode(target), _MNT_DETACH)


def _mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    words = [os.fsencode(word) for word in (source, target, kind)]
    if libc.mount(*words, ctypes.c_ulong(flags), os.fsencode(options)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def _in_user_namespace() -> bool:
    """user_namespaces(7): the first one maps all ids to themselves."""
    with open("/proc/self/uid_map", encoding="ascii") as stream:
        return stream.read().split() != ["0", "0", "4294967295"]
