# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scans through the local executor, as the module makes them."""

from __future__ import annotations

import pathlib
import sys
import typing as t

from ansible_collections.scap.images.plugins.module_utils.model import Evidence
from ansible_collections.scap.images.plugins.module_utils.scan.engine import Scanned, scan, to_images
from ansible_collections.scap.images.plugins.module_utils.scan.interface import Settings
from ansible_collections.scap.images.plugins.module_utils.scan.local import LocalExecutor, LocalOptions
from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.records import Access


class Scanner:
    """One scap_dir and how images are scanned into it."""

    def __init__(self, folder: pathlib.Path, *, way: str = "auto", tools: str = "/", **access: t.Any) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        values = {"tls_verify": False, "timeout": 120.0, **access}
        self._options = LocalOptions(
            access=Access(**values),
            python=sys.executable,
            way=way,
            tools=tools,
            storage_limit=1 << 30,
        )

    def scan(self, *references: t.Any, **settings: t.Any) -> dict[str, Scanned]:
        """Reference to what came of it."""
        found = scan(
            to_images(references),
            LocalExecutor(self._options),
            Settings(dir=str(self.folder), timeout=120.0, **settings),
        )
        return {entry.evidence.reference: entry for entry in found}

    def one(self, reference: str, **settings: t.Any) -> Evidence:
        (entry,) = self.scan(reference, **settings).values()
        return entry.evidence


def unproven(evidence: Evidence) -> dict[str, str]:
    """The checks that did not pass, with their details."""
    return {check.check: check.detail for check in evidence.coverage if not check.passed}
