# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages that work offline: every text escaped, one style and at most one script, both allowed by their hash alone."""

from __future__ import annotations

import base64
import hashlib
import html
import typing as t

from ..results import clean
from .style import STYLE

LIMIT = 20_000
"""Characters of one text on a page."""

STATE_WORDS = {
    "compliant": "compliant",
    "non_compliant": "non-compliant",
    "error": "error",
    "not_applicable": "not applicable",
    "stale": "stale",
}
FOOTER = "<footer><p>Made by scap.images. The pages work offline and ask nothing of any server.</p></footer>\n"
_SIGNS = {"compliant": "✓", "non_compliant": "✕", "error": "!", "not_applicable": "\u2013", "stale": "◷"}


def text(value: str, limit: int = LIMIT) -> str:
    """`value` as inert HTML text, also for attributes in double quotes; no control or bidirectional characters."""
    return html.escape(clean(value, limit), quote=True)


def badge(state: str) -> str:
    """A state's sign and name."""
    return f'<span class="badge s-{state}"><span aria-hidden="true">{_SIGNS[state]}</span> {STATE_WORDS[state]}</span>'


def severity(name: str) -> str:
    return f'<span class="sev v-{name}">{name}</span>'


def table(label: str, columns: t.Sequence[str]) -> str:
    """The head of a table, in a region that scrolls and that the element with the id `label` names."""
    heads = "".join(f'<th scope="col">{column}</th>' for column in columns)
    region = f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{label}">'
    return f"{region}<table><thead><tr>{heads}</tr></thead><tbody>\n"


def cells(first: str, *others: str) -> str:
    """One row; the cells are HTML."""
    return f"<tr><td>{first}</td>{''.join(f'<td>{cell}</td>' for cell in others)}</tr>\n"


def page(title: str, body: t.Iterable[str], script: str = "") -> t.Iterator[str]:
    """A whole page; `body` is HTML, `title` plain text."""
    policy = f"default-src 'none'; style-src '{_source(STYLE)}'; base-uri 'none'; form-action 'none'"
    if script:
        policy += f"; script-src '{_source(script)}'"
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title, 300)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#main">To the content</a>\n'
    )
    yield from body
    if script:
        yield f"<script>{script}</script>\n"
    yield "</body>\n</html>\n"


def _source(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
