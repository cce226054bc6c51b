# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way `storage`: layers are pulled and unpacked once, shared by all images that have them, and mounted.

The root is an overlay of the image's layers with a writable folder that is thrown away. Any number of scanners use one
storage at a time. What a scanner that died has mounted ended with it; the folder that it wrote to is removed by the
next.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import time
import typing as t
import uuid

from ...model import ScapError
from .. import mounts
from ..unpack import Budget, unpack_layer
from .blobs import Blobs
from .layerstore import Kept, LayerStore, chain_ids, locked
from .records import Limits, Resolved
from .tools import Tools

_UNMOUNTABLE = (errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENODEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.E2BIG)


@contextlib.contextmanager
def mounted(
    resolved: Resolved, tools: Tools, storage: str, limit: int, limits: Limits
) -> t.Iterator[tuple[str, Budget]]:
    """The path of the image's root, and what its layers took; ScapError where it cannot be pulled or mounted.

    `limit`: bytes that the layers may take when nobody uses them, 0 for no bound.
    """
    folder = os.path.abspath(storage)
    store = LayerStore(os.path.join(folder, "layers"))
    live = os.path.join(folder, "live")
    _sweep(live)
    if limit:
        store.shrink(limit)
    try:
        with contextlib.ExitStack() as stack:
            own = os.path.join(live, uuid.uuid4().hex)
            lock = stack.enter_context(locked(own, fcntl.LOCK_EX))
            stack.callback(shutil.rmtree, own, ignore_errors=True)
            for name in ("upper", "work", "root"):
                os.mkdir(os.path.join(own, name))
            budget = Budget(limits, time.monotonic() + tools.timeout)
            layers = _layers(resolved, tools, store, budget, stack)
            if layers:
                _link(layers, own)
                _overlay(own, lock, len(layers), os.path.join(own, "upper"), os.path.join(own, "root"))
                stack.callback(mounts.detach, os.path.join(own, "root"))
            yield os.path.join(own, "root"), budget
    finally:
        if limit:
            store.shrink(limit)


def _layers(
    resolved: Resolved, tools: Tools, store: LayerStore, budget: Budget, stack: contextlib.ExitStack
) -> list[str]:
    """The folders of the image's layers, lowest first, held until the stack is closed; those missing are made."""
    chains = chain_ids([layer.diff_id for layer in resolved.layers])
    held = [stack.enter_context(store.hold(chain)) for chain in chains]
    if None in held:
        known = [layer for layer, record in zip(resolved.layers, held) if record]
        with Blobs(resolved, tools, budget.limits, known) as blobs:
            for number, record in enumerate(held):
                if record is None:
                    _make(resolved, number, store, chains, blobs, budget)
                else:
                    _count(budget, record)
    else:
        for record in held:
            _count(budget, t.cast("Kept", record))
    return [os.path.join(store.path(chain), "root") for chain in chains]


def _count(budget: Budget, record: Kept) -> None:
    budget.bytes += record.bytes
    budget.files += record.files
    budget.skipped += record.skipped
    budget.layers += 1


def _make(
    resolved: Resolved, number: int, store: LayerStore, chains: t.Sequence[str], blobs: Blobs, budget: Budget
) -> None:
    """Unpack one layer: into a folder, or where layers lie below it into an overlay, which then has what it changed."""
    before = (budget.bytes, budget.files, budget.skipped)
    with store.making(chains[number]) as part, contextlib.ExitStack() as stack:
        target = os.path.join(part, "root")
        if number:
            lock = stack.enter_context(_opened(part))
            for name in ("work", "merged"):
                os.mkdir(os.path.join(part, name))
            _link([os.path.join(store.path(chain), "root") for chain in chains[:number]], part)
            target = os.path.join(part, "merged")
            _overlay(part, lock, number, os.path.join(part, "root"), target)
            stack.callback(mounts.detach, target)
        unpack_layer(*blobs.find(resolved.layers[number]), target, budget, resolved.reference)
        stack.close()
        spent = (budget.bytes - before[0], budget.files - before[1], budget.skipped - before[2])
        store.keep(chains[number], Kept(*spent, number, store.boot))


@contextlib.contextmanager
def _opened(folder: str) -> t.Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _link(layers: t.Sequence[str], folder: str) -> None:
    """Short names, 0 for the lowest layer: the options of a mount are bounded."""
    for number, layer in enumerate(layers):
        os.symlink(layer, os.path.join(folder, str(number)))


def _overlay(folder: str, handle: int, count: int, upper: str, target: str) -> None:
    """Mount the `count` layers that `_link` named in the folder (open as `handle`); ScapError storage_unmountable."""
    top = os.stat(os.path.join(folder, str(count - 1)))
    os.chown(upper, top.st_uid, top.st_gid)
    os.chmod(upper, top.st_mode & 0o7777)
    os.utime(upper, ns=(top.st_atime_ns, top.st_mtime_ns))
    lower = [f"/proc/self/fd/{handle}/{number}" for number in reversed(range(count))]
    try:
        mounts.overlay(lower, upper, os.path.join(folder, "work"), target)
    except OSError as error:
        if error.errno not in _UNMOUNTABLE:
            raise
        raise ScapError(
            "storage_unmountable",
            f"{folder}: no overlay can be mounted here: {error.strerror}; put the storage on another file system, or "
            "let the image be unpacked",
        ) from error


def _sweep(live: str) -> None:
    """Remove what scanners that died have written."""
    os.makedirs(live, mode=0o700, exist_ok=True)
    for name in os.listdir(live):
        path = os.path.join(live, name)
        with contextlib.suppress(BlockingIOError), locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
            mounts.detach(os.path.join(path, "root"))
            shutil.rmtree(path, ignore_errors=True)
