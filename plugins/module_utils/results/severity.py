# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words that contents and vendors have for severity, as one of SEVERITIES."""

from __future__ import annotations

from ..model import SEVERITIES

_WORDS = {
    "critical": "critical",
    "important": "high",
    "high": "high",
    "moderate": "medium",
    "medium": "medium",
    "low": "low",
    "info": "low",
    "negligible": "low",
    "unimportant": "low",
    "none": "low",
}
"""XCCDF (info, low, medium, high), Red Hat, Alma, Oracle and SUSE (Critical, Important, Moderate, Low), Ubuntu and
Debian (critical, high, medium, low, negligible, unimportant)."""


def severity(word: str | None) -> str:
    """One of SEVERITIES; a word that nobody knows is `unknown`."""
    return _WORDS.get((word or "").strip().rstrip("*").lower(), "unknown")


def worst(severities: list[str]) -> str:
    """The worst of them; an unknown one only counts where no other is known."""
    return min(severities, key=SEVERITIES.index, default="unknown")
