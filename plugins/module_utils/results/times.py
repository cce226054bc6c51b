# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as result files write them."""

from __future__ import annotations

import datetime

from ..model import RecordError, parse_time
from .text import line


def utc(text: str) -> str:
    """RFC 3339 UTC where `text` has a time zone; else `text` itself, harmless (XCCDF and OVAL allow local times)."""
    try:
        return parse_time(text.strip()).astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (RecordError, ValueError, OverflowError):
        return line(text, 40)


def oldest(times: list[str]) -> str:
    """The oldest of them; one without a time zone, of which nothing is known, wins over all others."""
    known = []
    for text in times:
        try:
            known.append((parse_time(text), text))
        except RecordError:
            return text
    return min(known)[1] if known else ""
