# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendors' and XCCDF's words for severity, mapped to ours."""

from __future__ import annotations

_WORDS = {
    "critical": "critical",
    "important": "high",
    "high": "high",
    "moderate": "medium",
    "medium": "medium",
    "low": "low",
    "negligible": "low",
    "unimportant": "low",
    "info": "low",
    "informational": "low",
}
_WORST_FIRST = ("critical", "high", "medium", "low", "unknown")


def severity(word: str) -> str:
    """One of SEVERITIES; a word that nobody uses is `unknown`."""
    return _WORDS.get(word.strip().lower(), "unknown")


def worst(first: str, second: str) -> str:
    return min(first, second, key=_WORST_FIRST.index)
