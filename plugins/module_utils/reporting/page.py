# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame of every page: one file, offline, no script, light and dark, and paper."""

from __future__ import annotations

import html
import typing as t

_STYLE = """
:root{--bg:#fff;--fg:#1a1d21;--soft:#5b6470;--line:#d9dde2;--card:#f6f7f9;--good:#17692f;--bad:#b3141d;--warn:#8a5300;--none:#4a5361}
@media(prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#e8eaed;--soft:#a3adb8;--line:#343a41;--card:#1d2125;--good:#6fce8b;
--bad:#ff8a8f;--warn:#f2b45c;--none:#b4bcc6}}
*{box-sizing:border-box}body{margin:0 auto;max-width:72rem;padding:1.5rem;background:var(--bg);color:var(--fg);
font:16px/1.5 system-ui,sans-serif}h1{font-size:1.6rem;margin:.2rem
0;overflow-wrap:anywhere}h2{font-size:1.2rem;margin:2rem 0 .5rem}
a{color:inherit}p{margin:.4rem 0}.soft{color:var(--soft)}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.4rem .6rem;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
td.n,th.n{text-align:right;white-space:nowrap}.wide{overflow-x:auto}
.state{font-weight:600;white-space:nowrap}.compliant{color:var(--good)}.non_compliant{color:var(--bad)}.error{color:var(--warn)}
.stale,.not_applicable{color:var(--none)}.cards{display:flex;flex-wrap:wrap;gap:.8rem;margin:1rem 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.7rem 1rem;min-width:8rem}
.card b{display:block;font-size:1.6rem}details{border-bottom:1px solid var(--line);padding:.5rem
0}summary{cursor:pointer}
pre{background:var(--card);border:1px solid var(--line);padding:.6rem;white-space:pre-wrap;overflow-wrap:anywhere}
dt{color:var(--soft)}dd{margin:0 0 .4rem;overflow-wrap:anywhere}
@media print{body{max-width:none;font-size:11pt}details>*{display:block}.card{break-inside:avoid}}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

STATE_NAMES: t.Mapping[str, str] = {
    "non_compliant": "non-compliant",
    "error": "error",
    "stale": "stale",
    "not_applicable": "not applicable",
    "compliant": "compliant",
}
"""The states as people read them, worst first."""


def text(value: t.Any) -> str:
    """Any text, inert in HTML."""
    return html.escape(str(value), quote=True)


def frame(title: str) -> tuple[str, str]:
    """(what stands before the content of a page, what stands behind it)."""
    head = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{text(_POLICY)}"><title>{text(title)}</title>'
        f"<style>{_STYLE}</style></head><body><main>\n"
    )
    return head, "</main></body></html>\n"


def state(name: str) -> str:
    """A state as a coloured word."""
    return f'<span class="state {text(name)}">{text(STATE_NAMES.get(name, name))}</span>'
