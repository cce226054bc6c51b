# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of one image: what failed, worst first, why it matters, how to fix it, and what proves all that."""

from __future__ import annotations

import typing as t

from ..model import SEVERITIES, Results, RuleResult, Verdict, Vulnerability
from .page import frame, state, text

_TOLD = ("fail", "error", "unknown")


def render(verdict: Verdict, results: Results | None, guide: str) -> t.Iterator[str]:
    """The page in pieces; `guide` is the relative address of oscap's guide, empty where there is none."""
    head, tail = frame(f"{verdict.image.reference}: {verdict.state}")
    yield head
    yield f'<p><a href="../index.html">All images</a></p><h1>{text(verdict.image.reference)}</h1>'
    yield f"<p>{state(verdict.state)} under the policy {text(verdict.policy.name)}</p><ul>"
    for reason in verdict.reasons:
        yield f"<li>{text(reason.message)} <span class=soft>({text(reason.code)})</span></li>"
    yield "</ul>"
    yield _facts(verdict)
    yield from _vulnerabilities(verdict.vulnerabilities)
    yield from _rules(results)
    yield from _coverage(verdict)
    if guide:
        yield f'<h2>Guide</h2><p><a href="{text(guide)}">Every rule of the profile, as oscap describes it</a></p>'
    yield tail


def _facts(verdict: Verdict) -> str:
    content = "; ".join(f"{entry.id} {entry.profile} (sha256 {entry.sha256[:12]})" for entry in verdict.content)
    facts = (
        ("Digest", verdict.image.digest or "unknown"),
        ("Platform", verdict.image.platform or "unknown"),
        ("Operating system", verdict.image.os or "unknown"),
        ("Packages", verdict.packages),
        ("Content", content or "none"),
        ("Scanned", f"{verdict.scanned_at} by oscap {verdict.scan.oscap or '(not run)'}, {verdict.scan.seconds:.1f} s"),
        ("Judged", verdict.judged_at),
    )
    return "<dl>" + "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in facts) + "</dl>"


def _vulnerabilities(found: t.Sequence[Vulnerability]) -> t.Iterator[str]:
    if not found:
        return
    yield f"<h2>Known vulnerabilities ({len(found)})</h2>"
    for entry in sorted(found, key=lambda one: (SEVERITIES.index(one.severity), one.id)):
        yield f"<details><summary><b>{text(entry.severity)}</b> {text(entry.title or entry.id)}</summary>"
        if entry.cves:
            yield f"<p>{text(', '.join(entry.cves))}</p>"
        for package, fixed in zip(entry.packages, entry.fixed_in):
            yield f"<p>{text(package)}: {'fixed in ' + text(fixed) if fixed else 'no fix yet'}</p>"
        yield f"<p>{text(entry.description)}</p><p class=soft>{text(entry.id)}</p></details>"


def _rules(results: Results | None) -> t.Iterator[str]:
    told = [rule for rule in results.rules if rule.result in _TOLD] if results else []
    if results is not None and results.rule_counts:
        counts = ", ".join(f"{number} {name}" for name, number in results.rule_counts.items() if number)
        yield f"<h2>Rules</h2><p>{text(counts)}</p>"
    for rule in sorted(told, key=_weight):
        yield f"<details><summary><b>{text(rule.severity)}</b> {text(rule.title or rule.id)}"
        yield f" <span class=soft>{text(rule.result)}</span></summary>"
        for name, value in (("", rule.description), ("Why it matters", rule.rationale), ("", rule.message)):
            if value:
                yield f"{'<p><b>' + name + '</b></p>' if name else ''}<p>{text(value)}</p>"
        if rule.fix:
            yield f"<p><b>How to fix it</b></p><pre>{text(rule.fix)}</pre>"
        yield f"<p class=soft>{text(rule.id)} {text(' '.join(rule.idents))}</p></details>"


def _weight(rule: RuleResult) -> tuple[int, int, str]:
    return SEVERITIES.index(rule.severity), _TOLD.index(rule.result), rule.id


def _coverage(verdict: Verdict) -> t.Iterator[str]:
    yield "<h2>Proof of coverage</h2><div class=wide><table><tr><th>Check<th>Passed<th>Detail</tr>"
    for check in verdict.coverage:
        mark = "yes" if check.passed else "<b class=error>no</b>"
        yield f"<tr><td>{text(check.check)}<td>{mark}<td>{text(check.detail)}</tr>"
    yield "</table></div>"
    if not verdict.coverage:
        yield "<p class=error>Nothing is proven: the image was not evaluated.</p>"
