# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How overlays are mounted in a containers storage: by the kernel, or by fuse-overlayfs where the kernel cannot."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile

from ...files import write_whole
from ...model import ScapError
from ...process import Completed, run

_NODEV = "overlay.mountopt=nodev"
"""Device nodes of an image lead nowhere."""


def driver_options(folder: str) -> list[str]:
    """The storage options (containers-storage.conf(5)) of the storage in `folder`.

    Found out once and kept in the folder, because the two ways read each other's layers wrongly. Raises ScapError
    storage_unmountable; layers are never copied whole (the driver vfs) without a word.
    """
    note = os.path.join(folder, "driver-options")
    with open(os.path.join(folder, "driver.lock"), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(note):
            write_whole(note, "\n".join(_find_out(folder)).encode())
        with open(note, encoding="utf-8") as stream:
            return stream.read(4096).splitlines()


def _find_out(folder: str) -> list[str]:
    kernel = _mounts(folder)
    if kernel.returncode == 0:
        return [_NODEV]
    program = shutil.which("fuse-overlayfs", path=os.environ.get("PATH", os.defpath) + ":/usr/bin")
    if program and os.access("/dev/fuse", os.R_OK | os.W_OK):
        return [f"overlay.mount_program={program}", _NODEV]
    raise ScapError(
        "storage_unmountable",
        f"{folder}: no overlay can be mounted here ({kernel.error}) and fuse-overlayfs or /dev/fuse is missing; put "
        "the storage on another file system, or install fuse-overlayfs",
    )


def _mounts(folder: str) -> Completed:
    """Whether the kernel mounts an overlay of folders of ours."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="probe-") as probe:
        places = {name: os.path.join(probe, name) for name in ("lower", "upper", "work", "merged")}
        for path in places.values():
            os.mkdir(path)
        options = f"lowerdir={places['lower']},upperdir={places['upper']},workdir={places['work']}"
        if _in_user_namespace():
            options += ",userxattr"
        done = run(["mount", "-t", "overlay", "overlay", "-o", options, places["merged"]], timeout=30)
        if done.returncode == 0:
            run(["umount", places["merged"]], timeout=30)
        return done


def _in_user_namespace() -> bool:
    """user_namespaces(7): the first one maps all ids to themselves."""
    with open("/proc/self/uid_map", encoding="ascii") as stream:
        return stream.read().split() != ["0", "0", "4294967295"]
