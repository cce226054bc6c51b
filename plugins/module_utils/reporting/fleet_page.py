# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet page: every image of a scap_dir, the worst first."""

from __future__ import annotations

import collections
import hashlib
import typing as t

from ..model import STATES, Verdict
from .page import STATE_NAMES, frame, state, text

_ORDER = list(STATE_NAMES)
_WORDS = 2
"""Columns of the table that hold words."""


class Row(t.NamedTuple):
    """What the fleet page needs of a verdict, so that the verdicts themselves need not be kept."""

    state: str
    reference: str
    digest: str
    page: str
    os: str
    high: int
    medium: int
    low: int
    packages: int
    seconds: float
    reason: str


def row(verdict: Verdict) -> Row:
    severity = verdict.severity
    return Row(
        state=verdict.state,
        reference=verdict.image.reference,
        digest=verdict.image.digest,
        page=page_name(verdict),
        os=verdict.image.os,
        high=severity.get("critical", 0) + severity.get("high", 0),
        medium=severity.get("medium", 0),
        low=severity.get("low", 0) + severity.get("unknown", 0),
        packages=verdict.packages,
        seconds=verdict.scan.seconds,
        reason=verdict.reasons[0].message if verdict.reasons else "",
    )


def page_name(verdict: Verdict) -> str:
    """Name of the image's page: its digest, or where that is not known the sha256 of its reference."""
    digest = verdict.image.digest.rpartition(":")[2]
    return f"{digest or hashlib.sha256(verdict.image.reference.encode()).hexdigest()}.html"


def render(rows: t.Sequence[Row], made_at: str) -> t.Iterator[str]:
    """The page in pieces."""
    head, tail = frame("Container images")
    counts = collections.Counter(entry.state for entry in rows)
    yield head
    yield f"<h1>Container images</h1><p class=soft>{len(rows)} images, {text(made_at)}</p><div class=cards>"
    for name in _ORDER:
        if counts[name] or name in ("compliant", "non_compliant"):
            yield f"<div class=card><b>{counts[name]}</b>{state(name)}</div>"
    yield "</div><div class=wide><table><thead><tr><th>Image<th>Verdict<th class=n>High<th class=n>Medium<th class=n>Low"
    yield "<th class=n>Packages<th>System<th>Why</tr></thead><tbody>"
    for entry in sorted(rows, key=lambda one: (_ORDER.index(one.state), -one.high, -one.medium, one.reference)):
        yield f'<tr><td><a href="images/{text(entry.page)}">{text(entry.reference)}</a><td>{state(entry.state)}'
        yield f"<td class=n>{entry.high}<td class=n>{entry.medium}<td class=n>{entry.low}<td class=n>{entry.packages}"
        yield f"<td>{text(entry.os)}<td>{text(entry.reason[:300])}</tr>\n"
    yield "</tbody></table></div>"
    yield tail


def table(rows: t.Sequence[Row]) -> list[str]:
    """The same for a terminal, one line an image."""
    lines: list[tuple[str, ...]] = [("image", "verdict", "high", "medium", "low", "packages", "seconds")]
    for entry in sorted(rows, key=lambda one: (STATES.index(one.state), one.reference)):
        numbers = (entry.high, entry.medium, entry.low, entry.packages)
        lines.append((entry.reference, entry.state, *(str(number) for number in numbers), f"{entry.seconds:.1f}"))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return ["  ".join(_cells(line, widths)).rstrip() for line in lines]


def _cells(line: t.Sequence[str], widths: t.Sequence[int]) -> list[str]:
    """Words to the left, numbers to the right."""
    return [
        cell.ljust(width) if place < _WORDS else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(line, widths))
    ]
