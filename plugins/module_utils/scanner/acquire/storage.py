# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way `storage`: layers are pulled and unpacked once into a containers storage of our own and shared.

The root is buildah's mount of a throw-away container: writable, gone in the end. Any number of scanners use one
storage at a time:

- `gate.lock` is held shared while an image is pulled and its container made, exclusive while images are removed;
- `live/NAME` is locked by the scanner whose container has that name. A container whose file nobody has locked was left
  by a scanner that died; the next one removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import typing as t
import uuid

from ...model import ScapError
from .records import Limits, Resolved
from .storagedriver import driver_options
from .storerecords import StoreRecords
from .tools import Tools

_PREFIX = "scap-images-"
_WAIT = 30.0
"""Seconds that removing images waits for others to have made their containers."""


@contextlib.contextmanager
def mounted(resolved: Resolved, tools: Tools, storage: str, limit: int, limits: Limits) -> t.Iterator[str]:
    """The path of the image's root; ScapError where it cannot be pulled or mounted.

    `limit`: bytes that the storage may hold when nobody uses it, 0 for no bound.
    """
    store = _Store(tools, os.path.abspath(storage), limits)
    store.sweep()
    store.shrink(limit, _WAIT)
    name = f"{_PREFIX}{uuid.uuid4().hex}"
    try:
        with _alive(os.path.join(store.live, name)):
            try:
                with _locked(store.gate, fcntl.LOCK_SH):
                    image = store.pulled(resolved)
                    store.buildah(
                        ["from", "--pull-never", "--name", name, image], "making a throw-away container", resolved
                    )
                yield store.buildah(["mount", name], "mounting it", resolved)
            finally:
                store.remove(name)
    finally:
        store.shrink(limit, 0.0)


class _Store:
    def __init__(self, tools: Tools, folder: str, limits: Limits) -> None:
        self._tools = tools
        self._limits = limits
        self._folder = folder
        self._root, self._run = os.path.join(folder, "root"), os.path.join(folder, "run")
        self._used = os.path.join(folder, "last-used")
        self._records = StoreRecords(self._root)
        self.live = os.path.join(folder, "live")
        self.gate = os.path.join(folder, "gate.lock")
        for path in (self._used, self.live):
            os.makedirs(path, mode=0o700, exist_ok=True)
        self._driver = driver_options(folder)

    def buildah(self, arguments: t.Sequence[str], what: str, resolved: Resolved) -> str:
        return self._tools.buildah(self._options(), arguments, what=what, reference=resolved.reference)

    def pulled(self, resolved: Resolved) -> str:
        """The id of the image in the storage; pulled where it is not there yet."""
        image = resolved.config.rpartition(":")[2]
        wanted = [layer.diff_id for layer in resolved.layers]
        if self._records.diff_ids(image) != wanted:
            self._pull(resolved)
            found = self._records.diff_ids(image)
            if found != wanted:
                raise ScapError(
                    "digest_mismatch",
                    f"{resolved.reference}: what was pulled is not what its config {resolved.config} promises: its "
                    f"layers unpack to {', '.join(found or ['nothing'])}; push the image again",
                )
        with open(os.path.join(self._used, image), "wb"):
            pass
        return image

    def _pull(self, resolved: Resolved) -> None:
        place = f"{self._root}+{self._run}:{','.join(self._driver)}"
        name = f"localhost/scap-images/{resolved.digest.rpartition(':')[2]}:latest"
        self._tools.copy(
            resolved,
            f"containers-storage:[overlay@{place}]{name}",
            watch=_Watch(self._folder, self._limits, resolved.reference),
        )

    def sweep(self) -> None:
        """Remove the containers of scanners that died."""
        names = {name for name in self._records.containers() if name.startswith(_PREFIX)}
        for name in names | set(os.listdir(self.live)):
            path = os.path.join(self.live, name)
            with contextlib.suppress(BlockingIOError), _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
                if name in names:
                    self.remove(name)
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)

    def shrink(self, limit: int, wait: float) -> None:
        """Remove images that no container uses, those used longest ago first, until the rest fits."""
        if not limit or self._records.size() <= limit:
            return
        end = time.monotonic() + wait
        while True:
            try:
                with _locked(self.gate, fcntl.LOCK_EX | fcntl.LOCK_NB):
                    self._shrink(limit)
                    return
            except BlockingIOError:
                if time.monotonic() >= end:
                    return
                time.sleep(0.1)

    def _shrink(self, limit: int) -> None:
        for image in sorted(self._records.images(), key=self._last_used):
            if self._records.size() <= limit:
                return
            if self._quietly(["rmi", image]):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(self._used, image))

    def remove(self, name: str) -> bool:
        """Unmount and remove a container, if it is there."""
        return self._quietly(["rm", name])

    def _quietly(self, arguments: t.Sequence[str]) -> bool:
        try:
            self._tools.buildah(self._options(), arguments, what="cleaning up", reference=self._folder)
        except ScapError:
            return False
        return True

    def _last_used(self, image: str) -> float:
        try:
            return os.path.getmtime(os.path.join(self._used, image))
        except OSError:
            return 0.0

    def _options(self) -> list[str]:
        return [
            *("--root", self._root, "--runroot", self._run),
            *("--storage-driver", "overlay"),
            *(word for option in self._driver for word in ("--storage-opt", option)),
        ]


class _Watch:
    """Ends a pull that fills the disk: a layer's size says nothing of what it unpacks to."""

    def __init__(self, folder: str, limits: Limits, reference: str) -> None:
        self._folder = folder
        self._limits = limits
        self._reference = reference
        self._start = os.statvfs(folder)

    def __call__(self) -> None:
        now, start = os.statvfs(self._folder), self._start
        if (start.f_bfree - now.f_bfree) * now.f_frsize > self._limits.bytes:
            raise ScapError(
                "limit_bytes", f"{self._reference}: it unpacks to more than {self._limits.bytes} bytes; it was refused"
            )
        if start.f_ffree - now.f_ffree > self._limits.files:
            raise ScapError(
                "limit_files", f"{self._reference}: it unpacks to more than {self._limits.files} files; it was refused"
            )


@contextlib.contextmanager
def _locked(path: str, kind: int) -> t.Iterator[None]:
    with open(path, "ab") as lock:
        fcntl.flock(lock, kind)
        yield


@contextlib.contextmanager
def _alive(path: str) -> t.Iterator[None]:
    """Hold the lock of a file that others remove as soon as they can lock it."""
    while True:
        with open(path, "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(path):
                continue
            try:
                yield
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
            return
