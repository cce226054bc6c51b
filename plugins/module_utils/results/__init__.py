# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ARF, XCCDF and OVAL results become records: streamed, bounded, hostile input safe. See interface.py first."""

from __future__ import annotations

from .interface import Limits, ParsedResults
from .merge import merge
from .parse import parse_file
from .text import clean

__all__ = ["Limits", "ParsedResults", "clean", "merge", "parse_file"]
