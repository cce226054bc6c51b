# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts in XML that is written here. (xml.sax.saxutils loads Python's HTTP client.)"""

from __future__ import annotations

import html

_WHITE = {10: "&#10;", 13: "&#13;", 9: "&#9;"}


def escaped(text: str) -> str:
    """`text` as the content of an element."""
    return html.escape(text, quote=False)


def quoted(text: str) -> str:
    """`text` as an attribute's value, its quotes included; white space stays what it is."""
    return f'"{html.escape(text).translate(_WHITE)}"'
