# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways from a resolved image to its root: checked against its digests, writable, thrown away."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ...model import ScapError
from ..unpack import Budget
from .records import Access, Resolved, Root
from .storage import mounted
from .tools import Tools
from .unpacked import unpacked

_FINAL = frozenset(
    (
        "image_unknown",
        "registry_unauthorized",
        "registry_certificate",
        "registry_plain_http",
        "registry_down",
        "registry_busy",
        "digest_mismatch",
        "limit_bytes",
        "limit_files",
        "ids_missing",
        "media_type_unsupported",
        "time_limit",
        "disk_full",
    )
)
"""Problems of the image or its registry: another way would meet them too."""


@contextlib.contextmanager
def acquire(
    resolved: Resolved, access: Access, work: str, *, way: str = "auto", storage: str = "", storage_limit: int = 0
) -> t.Iterator[Root]:
    """The image's root. `auto` takes the first way that works; `storage` is the folder of our own storage.

    Raises ScapError with the reason of each way that was tried.
    """
    tools = Tools(access, work)
    tried: list[str] = []
    with contextlib.ExitStack() as stack:
        if way in ("auto", "storage"):
            try:
                path, spent = stack.enter_context(mounted(resolved, tools, storage, storage_limit, access.limits))
            except OSError as problem:
                reason = f"{storage}: the storage folder cannot be used: {problem}; give another as scap_storage"
                if way == "storage":
                    raise ScapError("storage_unusable", reason) from problem
                tried.append(f"storage: {reason}")
            except ScapError as problem:
                if way == "storage" or problem.code in _FINAL:
                    raise
                tried.append(f"storage: {problem.message}")
            else:
                yield Root(path, "storage", tried, _stats(spent))
                return
        path = os.path.join(work, "root")
        spent = stack.enter_context(unpacked(resolved, tools, path, access.limits))
        yield Root(path, "unpack", tried, _stats(spent))


def _stats(spent: Budget) -> dict[str, int]:
    return {name: getattr(spent, name) for name in ("bytes", "files", "layers", "skipped")}
