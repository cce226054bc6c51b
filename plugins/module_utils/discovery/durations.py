# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations as people write them: `7d`, `12h`, `30m`, `45s`, a number of days."""

from __future__ import annotations

import re

from ..model import ScapError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_TEXT = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)\Z")


def seconds(text: str, what: str) -> float:
    """Seconds of a duration; a bare number is days. ScapError `duration_invalid` names `what`."""
    match = _TEXT.match(str(text).strip().lower())
    if match is None:
        raise ScapError("duration_invalid", f"{what} is {text!r}; write a duration as 7d, 12h, 30m or 45s")
    return float(match[1]) * _UNITS[match[2] or "d"]
