# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text out of results, cleaned once: bounded, and inert in a terminal."""

from __future__ import annotations

import re

_SPACE = re.compile(r"[ \t\r\f\v]+")
_LINES = re.compile(r"\n\s*\n\s*")
_ENDS = re.compile(r" *\n *")
# C0 and C1 controls but tab and newline, and the characters that turn the direction of text.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")

LONG = 8000
SHORT = 500


def clean(text: str, limit: int = LONG) -> str:
    """Readable plain text of at most `limit` characters, an ellipsis where it was cut."""
    if len(text) > 4 * limit:
        text = text[: 4 * limit]
    text = _UNSAFE.sub("", text)
    text = _LINES.sub("\n\n", _ENDS.sub("\n", _SPACE.sub(" ", text))).strip()
    return text if len(text) <= limit else text[: limit - 1] + "\u2026"


def one_line(text: str, limit: int = SHORT) -> str:
    """The same on one line: titles, ids."""
    return clean(" ".join(text.split()), limit)
