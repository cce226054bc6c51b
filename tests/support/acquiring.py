# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images resolved and acquired as the scanner does."""

from __future__ import annotations

import contextlib
import pathlib
import tempfile
import typing as t

from ansible_collections.scap.images.plugins.module_utils.reference import parse
from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.records import Access, Resolved, Root
from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.resolve import resolve
from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.ways import acquire


class Acquirer:
    """One work folder, one storage folder, one way to reach registries."""

    def __init__(self, folder: pathlib.Path, **access: t.Any) -> None:
        self.folder = folder
        self.storage = folder / "storage"
        self.access = Access(**{"tls_verify": False, "timeout": 120.0, **access})
        folder.mkdir(parents=True, exist_ok=True)

    def resolve(self, reference: str, platform: str = "") -> Resolved:
        with self._work() as work:
            return resolve(parse(reference), platform, self.access, work)

    @contextlib.contextmanager
    def root(self, reference: str, way: str, *, storage_limit: int = 0, platform: str = "") -> t.Iterator[Root]:
        with contextlib.ExitStack() as stack:
            work = stack.enter_context(self._work())
            resolved = resolve(parse(reference), platform, self.access, work)
            storage = str(self.storage)
            yield stack.enter_context(
                acquire(resolved, self.access, work, way=way, storage=storage, storage_limit=storage_limit)
            )

    def _work(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(dir=self.folder)
