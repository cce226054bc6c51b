# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root with oscap 1.4 that tests/setup/trixie makes."""

from __future__ import annotations

import os
import pathlib


def path() -> str:
    """Where the root is, or would be."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(pathlib.Path.home() / ".cache")
    return str(pathlib.Path(cache) / "scap-images" / "trixie-1")
