# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of a result file made harmless once, where it enters: the console and the report get it as it leaves here."""

from __future__ import annotations

import re

_BREAK = re.compile("\r\n?|[\u2028\u2029\x85]")
_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1 (terminal escapes)
    "\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # invisible, bidirectional overrides
    "\ufdd0-\ufdef\ufffe\uffff\U000e0000-\U000e007f\ud800-\udfff]"  # noncharacters, tags, lone surrogates
)


def clean(text: str, limit: int) -> str:
    """`text` without control, invisible and bidirectional characters, at most `limit` characters (`…` where cut)."""
    if not text.isascii() or not text.isprintable():
        text = _HARMFUL.sub("", _BREAK.sub("\n", text[: limit * 4 + 64]))
    text = text.strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def line(text: str, limit: int) -> str:
    """`clean` text on one line: runs of white space become one space."""
    if len(text) <= limit and text.isascii() and text.isprintable() and " " not in text:
        return text
    return clean(" ".join(text[: limit * 4 + 64].split()), limit)
