# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the real inputs lie that are too big, or not ours, to be part of the repository."""

from __future__ import annotations

import pathlib

import pytest

FOLDER = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"


def path(*parts: str) -> pathlib.Path:
    """The file `parts` of the shared data; the test that asks is skipped where it is missing."""
    found = FOLDER.joinpath(*parts)
    if not found.exists():
        pytest.skip(f"the shared data has no {'/'.join(parts)}")
    return found
