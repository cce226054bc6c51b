# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts as JUnit XML, as build servers read it: a suite an image, a case a finding, and one for the scan itself."""

from __future__ import annotations

import typing as t
from xml.sax.saxutils import escape, quoteattr

from ..model import Verdict
from ..policy.match import short_rule
from ..results import clean
from .interface import Fleet, Found, Report, findings
from .output import Output

FILE = "junit.xml"


class JUnitReport(Report):
    name = "junit"

    def write(self, fleet: Fleet, output: Output) -> str:
        output.write(FILE, _lines(fleet))
        return FILE


def _lines(fleet: Fleet) -> t.Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="scap.images">\n'
    for verdict in fleet.verdicts():
        yield _suite(verdict)
    yield "</testsuites>\n"


def _suite(verdict: Verdict) -> str:
    name = _attribute(verdict.image.reference)
    found = list(findings(verdict))
    failures = sum(entry.waived is None for entry in found)
    bad = verdict.state == "non_compliant"
    error, skipped = verdict.state in ("error", "stale"), verdict.state == "not_applicable"
    numbers = f'tests="{len(found) + 1}" failures="{failures + bad}" errors="{int(error)}"'
    numbers += f' skipped="{len(found) - failures + skipped}" time="{verdict.scan.seconds:.3f}"'
    cases = "".join(_case(entry, name) for entry in found)
    when = _attribute(verdict.judged_at.rstrip("Z"))
    return f"<testsuite name={name} {numbers} timestamp={when}>\n{_verdict(verdict, name)}{cases}</testsuite>\n"


def _verdict(verdict: Verdict, name: str) -> str:
    why = _text("\n".join(f"{reason.code}: {reason.message}" for reason in verdict.reasons))
    first = _attribute(verdict.reasons[0].message if verdict.reasons else verdict.state)
    inner = ""
    if verdict.state == "non_compliant":
        inner = f'<failure type="non_compliant" message={first}>{why}</failure>'
    elif verdict.state in ("error", "stale"):
        inner = f'<error type="{verdict.state}" message={first}>{why}</error>'
    elif verdict.state == "not_applicable":
        inner = f"<skipped message={first}/>"
    return f'<testcase classname={name} name="verdict" time="{verdict.scan.seconds:.3f}">{inner}</testcase>\n'


def _case(found: Found, name: str) -> str:
    title = _attribute(short_rule(found.id) if found.kind == "rule" else found.id)
    if found.waived is not None:
        why = _attribute(f"waived until {found.waived.expires} by {found.waived.owner}: {found.waived.reason}")
        inner = f"<skipped message={why}/>"
    else:
        entry = found.vulnerability
        packages = ", ".join(map(" < ".join, zip(entry.packages, entry.fixed_in))) if entry else ""
        message = _attribute(found.title or found.id)
        inner = f'<failure type="{found.severity}" message={message}>{_text(packages)}</failure>'
    return f'<testcase classname={name} name={title} time="0">{inner}</testcase>\n'


def _attribute(text: str) -> str:
    return quoteattr(clean(" ".join(text.split()), 2000))


def _text(text: str) -> str:
    return escape(clean(text, 10_000))
