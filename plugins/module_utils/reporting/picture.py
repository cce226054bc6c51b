# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures as SVG, drawn without a script."""

from __future__ import annotations

import typing as t

from ..model import J
from ..policy import STRICTEST
from .markup import STATE_WORDS, text

_RUNS = 60
_WIDTH = 960
_HEIGHT = 200
_LEFT = 44
_FOOT = 24


def state_bar(states: t.Mapping[str, int]) -> str:
    """One bar of all images by state."""
    total = sum(states.values())
    if not total:
        return ""
    words = ", ".join(f"{states[name]} {STATE_WORDS[name]}" for name in STRICTEST if states.get(name))
    parts, place = [], 0.0
    for name in STRICTEST:
        width = 1000.0 * states.get(name, 0) / total
        if width:
            parts.append(f'<rect class="f-{name}" x="{place:.1f}" y="0" width="{width:.1f}" height="10"/>')
        place += width
    shapes = "".join(parts)
    box = 'viewBox="0 0 1000 10" preserveAspectRatio="none"'
    return f'<svg class="bar" role="img" aria-label="{words}" {box}>{shapes}</svg>'


def trend(runs: t.Sequence[J]) -> str:
    """A column a run, stacked by state; empty where there is but one run."""
    shown = runs[-_RUNS:]
    if len(shown) < 2:
        return ""
    most = max(sum(run["states"].values()) for run in shown) or 1
    step = (_WIDTH - _LEFT) / len(shown)
    width = min(step * 0.8, 48.0)
    shapes = []
    for value in (most, most // 2):
        y = _HEIGHT * (1 - value / most) + 8
        shapes.append(f'<line class="f-line" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        shapes.append(f'<text class="f-text" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
    for place, run in enumerate(shown):
        x, y = _LEFT + place * step + (step - width) / 2, float(_HEIGHT + 8)
        for name in reversed(STRICTEST):
            height = _HEIGHT * run["states"].get(name, 0) / most
            if height:
                y -= height
                shapes.append(
                    f'<rect class="f-{name}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
                )
        if place in (0, len(shown) - 1):
            anchor = "start" if place == 0 else "end"
            edge = _LEFT if place == 0 else _WIDTH
            day = text(run["at"][:10])
            shapes.append(f'<text class="f-text" x="{edge}" y="{_HEIGHT + _FOOT}" text-anchor="{anchor}">{day}</text>')
    label = f"Images by state over the last {len(shown)} runs; the table below has the numbers"
    box = f"0 0 {_WIDTH} {_HEIGHT + _FOOT + 8}"
    return f'<svg class="trend" role="img" aria-label="{label}" viewBox="{box}">{"".join(shapes)}</svg>'
