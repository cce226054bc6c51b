# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One layer onto a root (OCI image spec 1.1, "Image Layer Filesystem Changeset"), nothing outside of it touched.

Owners are set where we are uid 0. setuid and setgid bits are kept: rules look at them, and nothing is executed.
Device nodes, FIFOs and sockets are counted and left out: no scan needs them, and they can hurt.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import time
import typing as t

from ..model import ScapError
from .layerstream import LayerStream
from .unpack_folders import DepthError
from .unpack_tar import TarStream
from .unpack_values import TarError
from .unpack_write import UnsafeError, Writer

if t.TYPE_CHECKING:
    from .acquire.records import Layer, Limits

_HEADERS = 4096
"""Bytes of the tar that are no file's content, for each file that is allowed."""


@dataclasses.dataclass
class Budget:
    """What the layers of one image may still take, and what they held."""

    limits: Limits
    deadline: float
    """A time.monotonic()."""
    bytes: int = 0
    """Of files, spent so far."""
    files: int = 0
    """Entries, spent so far."""
    layers: int = 0
    skipped: int = 0
    """Device nodes, FIFOs and sockets: counted, not made."""


def unpack_layer(path: str, layer: Layer, root: str, budget: Budget, reference: str) -> None:
    """Unpack the layer file `path` onto the folder `root`.

    Raises ScapError layer_damaged, layer_unsafe, limit_bytes, limit_files, limit_depth, time_limit, digest_mismatch,
    program_missing, ids_missing or disk_full. The root is then half made.
    """
    what = f"{reference}: the layer {layer.digest}"
    limits = budget.limits
    bound = limits.bytes - budget.bytes + _HEADERS * (limits.files - budget.files)
    with contextlib.closing(LayerStream(path, what, bound, budget.deadline)) as stream:
        try:
            with contextlib.closing(Writer(root, limits.depth, upper=budget.layers > 0)) as writer:
                _write(TarStream(stream.chunk), writer, budget, what)
        except TarError as error:
            raise ScapError(
                "layer_damaged", f"{what} is not a tar that can be read: {error}; push the image again"
            ) from error
        except UnsafeError as error:
            raise ScapError("layer_unsafe", f"{what}: {error}; it was refused") from error
        except DepthError as error:
            raise ScapError(
                "limit_depth", f"{what} has folders more than {limits.depth} deep; it was refused"
            ) from error
        except (OSError, OverflowError) as error:
            raise _failed(what, error) from error
        stream.finish(layer.digest, layer.diff_id)
    budget.layers += 1


def _write(tar: TarStream, writer: Writer, budget: Budget, what: str) -> None:
    limits = budget.limits
    for entry in tar:
        budget.files += 1
        budget.bytes += entry.size
        if budget.files > limits.files:
            raise ScapError("limit_files", f"{what}: more than {limits.files} files; it was refused")
        if budget.bytes > limits.bytes:
            raise ScapError("limit_bytes", f"{what}: more than {limits.bytes} bytes of files; it was refused")
        if time.monotonic() > budget.deadline:
            raise ScapError("time_limit", f"{what} took too long to unpack; it was refused")
        writer.add(tar, entry)
    writer.finish()
    budget.skipped += writer.skipped


def _failed(what: str, error: Exception) -> ScapError:
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return ScapError("disk_full", f"{what}: the disk is full; free some space or move scap_dir")
    if number == errno.EINVAL:
        return ScapError(
            "ids_missing",
            f"{what} cannot be unpacked: {error}: an owner has no id in this user namespace; give the user more "
            "subordinate ids, or run as root",
        )
    return ScapError("layer_unsafe", f"{what} cannot be unpacked: {error}; it was refused")
