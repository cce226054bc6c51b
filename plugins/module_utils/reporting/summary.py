# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fleet page shows, gathered in one pass over the verdicts: a small row an image, an entry a finding."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import typing as t

from ..model import SEVERITIES, STATES, Verdict
from ..policy import STRICTEST
from ..policy.match import short_rule
from .interface import Fleet, page_name

LISTED = 400
"""Findings that have a page of their own and that the fleet page filters by, the worst first."""
_WORDS = 300


@dataclasses.dataclass
class Row:
    """What the fleet page needs of one image."""

    page: str
    """Name of its page, without suffix."""
    reference: str
    digest: str
    state: str
    os: str
    severity: dict[str, int]
    packages: int
    seconds: float
    reasons: list[str]
    code: str
    """The first reason's."""
    namespaces: list[str]
    workloads: int
    policy: str
    findings: list[int] = dataclasses.field(default_factory=list)
    """Places in Summary.listed."""

    @property
    def order(self) -> tuple[t.Any, ...]:
        """The worst first."""
        counts = [-self.severity.get(name, 0) for name in SEVERITIES]
        return (STRICTEST.index(self.state), *counts, self.reference)


@dataclasses.dataclass
class Finding:
    """One rule or CVE (or definition without a CVE) across the images."""

    id: str
    kind: str
    """`rule` or `vulnerability`."""
    title: str
    severity: str
    rows: list[int] = dataclasses.field(default_factory=list)
    """Places in Summary.rows."""

    @property
    def label(self) -> str:
        return short_rule(self.id) if self.kind == "rule" else self.id

    @property
    def page(self) -> str:
        """Name of its page, without suffix."""
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", self.label)[:60]
        return f"{plain}-{hashlib.sha256(self.id.encode()).hexdigest()[:8]}"

    @property
    def order(self) -> tuple[t.Any, ...]:
        return (SEVERITIES.index(self.severity), -len(self.rows), self.id)


@dataclasses.dataclass
class WaivedFinding:
    """One waiver in use."""

    id: str
    owner: str
    expires: str
    severity: str
    reason: str
    ticket: str
    images: int = 0


@dataclasses.dataclass
class Summary:
    """The fleet."""

    at: str = ""
    """The latest time of judgement: the report's time."""
    rows: list[Row] = dataclasses.field(default_factory=list)
    listed: list[Finding] = dataclasses.field(default_factory=list)
    feeds: int = 0
    """Images that were evaluated with a vulnerability feed."""
    findings: int = 0
    """How many there are in all."""
    states: dict[str, int] = dataclasses.field(default_factory=lambda: dict.fromkeys(STATES, 0))
    severity: dict[str, int] = dataclasses.field(default_factory=lambda: dict.fromkeys(SEVERITIES, 0))
    waived: list[WaivedFinding] = dataclasses.field(default_factory=list)
    expired: dict[str, int] = dataclasses.field(default_factory=dict)
    """What verdicts say of waivers that have ended, with the number of images."""


class Gatherer:
    """Takes verdicts one at a time."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._summary = Summary()
        self._findings: dict[tuple[str, str], Finding] = {}
        self._waived: dict[tuple[str, str, str], WaivedFinding] = {}

    def add(self, verdict: Verdict) -> None:
        summary = self._summary
        place = len(summary.rows)
        image = self._fleet.images.get(verdict.image.digest)
        summary.at = max(summary.at, verdict.judged_at)
        summary.states[verdict.state] += 1
        summary.feeds += any(content.kind == "oval" for content in verdict.content)
        for name, number in verdict.severity.items():
            summary.severity[name] = summary.severity.get(name, 0) + number
        summary.rows.append(
            Row(
                page=page_name(verdict),
                reference=verdict.image.reference,
                digest=verdict.image.digest,
                state=verdict.state,
                os=verdict.image.os,
                severity=verdict.severity,
                packages=verdict.packages,
                seconds=verdict.scan.seconds,
                reasons=[reason.message[:_WORDS] for reason in verdict.reasons],
                code=verdict.reasons[0].code if verdict.reasons else "",
                namespaces=image.namespaces if image else [],
                workloads=len(image.workloads) if image else 0,
                policy=verdict.policy.name,
            )
        )
        self._collect(verdict, place)

    def _collect(self, verdict: Verdict, place: int) -> None:
        for rule in verdict.failed:
            self._found(place, "rule", rule.id, rule.title, rule.severity)
        waived = {entry.id for entry in verdict.waived}
        for entry in verdict.vulnerabilities:
            if entry.id not in waived:
                for name in entry.cves or [entry.id]:
                    self._found(place, "vulnerability", name, entry.title, entry.severity)
        for taken in verdict.waived:
            known = WaivedFinding(taken.id, taken.owner, taken.expires, taken.severity, taken.reason, taken.ticket)
            self._waived.setdefault((taken.id, taken.owner, taken.expires), known).images += 1
        for reason in verdict.reasons:
            if reason.code == "waiver_expired":
                self._summary.expired[reason.message] = self._summary.expired.get(reason.message, 0) + 1

    def _found(self, place: int, kind: str, name: str, title: str, severity: str) -> None:
        known = self._findings.get((kind, name))
        if known is None:
            known = self._findings[(kind, name)] = Finding(name, kind, title[:_WORDS], severity)
        if SEVERITIES.index(severity) < SEVERITIES.index(known.severity):
            known.severity = severity
        if not known.rows or known.rows[-1] != place:
            known.rows.append(place)

    def summary(self) -> Summary:
        """Of all that were added."""
        summary = self._summary
        summary.findings = len(self._findings)
        summary.listed = sorted(self._findings.values(), key=lambda entry: entry.order)[:LISTED]
        for place, finding in enumerate(summary.listed):
            for row in finding.rows:
                summary.rows[row].findings.append(place)
        summary.waived = sorted(self._waived.values(), key=lambda entry: (entry.expires, entry.id))
        return summary
