# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the results counts under a policy and its waivers."""

from __future__ import annotations

import collections
import dataclasses
import datetime

from ..model import SEVERITIES, FailedRule, Image, Reason, Results, RuleResult, Vulnerability, Waived
from .match import short_rule
from .policy import Policy
from .waivers import Waiver, Waivers

NAMED = 5
"""Names that one reason lists."""


@dataclasses.dataclass
class Findings:
    """The findings of one image, sorted by what they do to the verdict."""

    failed: list[FailedRule] = dataclasses.field(default_factory=list)
    vulnerabilities: list[Vulnerability] = dataclasses.field(default_factory=list)
    """Those that count: neither ignored nor waived nor too young."""
    every: list[Vulnerability] = dataclasses.field(default_factory=list)
    """All of them, also those that do not count."""
    waived: list[Waived] = dataclasses.field(default_factory=list)
    violations: list[Reason] = dataclasses.field(default_factory=list)
    undecided: list[Reason] = dataclasses.field(default_factory=list)
    """What is not proven of findings that count."""
    notes: list[Reason] = dataclasses.field(default_factory=list)

    @property
    def severity(self) -> dict[str, int]:
        counts = dict.fromkeys(SEVERITIES, 0)
        for severity in [*(it.severity for it in self.failed), *(it.severity for it in self.vulnerabilities)]:
            counts[severity] += 1
        return counts


class Sieve:
    """Sorts the results of one image."""

    def __init__(self, policy: Policy, waivers: Waivers, image: Image, today: datetime.date) -> None:
        self._policy = policy
        self._waivers = waivers
        self._image = image
        self._today = today
        self._notes: dict[Reason, None] = {}
        self._ignored: list[str] = []
        self._young = 0
        self._denied: list[str] = []
        self.found = Findings()

    def sort(self, results: Results) -> Findings:
        for rule in results.rules:
            if rule.result in ("fail", "error", "unknown"):
                self._rule(rule)
        for vulnerability in results.vulnerabilities:
            self._vulnerability(vulnerability)
        self._undecided_definitions(results)
        found = self.found
        self._limits("failed_rules", "failed rules", found.failed, self._policy.rule_limits)
        self._limits("vulnerabilities", "true definitions", found.vulnerabilities, self._policy.vulnerability_limits)
        self._required(results)
        if self._denied:
            found.violations.append(Reason("denied_cve", f"{_names(self._denied)}: denied by the policy"))
        if self._ignored:
            self._note("ignored", f"the policy ignores {len(self._ignored)} findings: {_names(self._ignored)}")
        if self._young:
            days = self._policy.fix_days
            self._note("no_fix_yet", f"{self._young} definitions do not count: no fix, or one younger than {days} days")
        found.notes = list(self._notes)
        return found

    def _note(self, code: str, message: str) -> None:
        self._notes[Reason(code, message)] = None

    def _rule(self, rule: RuleResult) -> None:
        if rule.id in self._policy.ignored_rules:
            self._ignored.append(short_rule(rule.id))
            return
        severity = self._policy.rule_severity(rule)
        waiver = self._active(self._waivers.of("rule", rule.id, self._image))
        if waiver is not None:
            self._waive(waiver, rule.id, severity)
        elif rule.result == "fail":
            self.found.failed.append(FailedRule(rule.id, severity, rule.title))
        else:
            message = f"{short_rule(rule.id)}: its result is {rule.result}{': ' if rule.message else ''}{rule.message}"
            self.found.undecided.append(Reason("rule_undecided", message))

    def _vulnerability(self, found: Vulnerability) -> None:
        policy = self._policy
        found = dataclasses.replace(found, severity=policy.cve_severity(found), description="")
        self.found.every.append(found)
        self._denied += [cve for cve in found.cves if cve in policy.denied_cves and cve not in self._denied]
        if found.cves and all(cve in policy.ignored_cves for cve in found.cves):
            self._ignored += found.cves
            return
        waiver = self._waiver_of(found)
        if waiver is not None:
            self._denied = [cve for cve in self._denied if cve not in found.cves]
            self._waive(waiver, found.id, found.severity)
        elif _is_young(found, policy.fix_days, self._today) and not set(found.cves) & policy.denied_cves:
            self._young += 1
        else:
            self.found.vulnerabilities.append(found)

    def _waiver_of(self, found: Vulnerability) -> Waiver | None:
        """The waiver that takes the whole definition out: of itself, or of all its CVEs, or of all its packages."""
        if not self._waivers:
            return None
        waiver = self._active(self._waivers.of("definition", found.id, self._image))
        for kind, names in (("cve", found.cves), ("package", found.packages)):
            if waiver is None and names:
                each = [self._active(self._of(kind, name, found)) for name in names]
                known = [entry for entry in each if entry is not None]
                if len(known) == len(each):
                    waiver = min(known, key=lambda entry: entry.expires)
        return waiver

    def _of(self, kind: str, name: str, found: Vulnerability) -> list[Waiver]:
        return [
            waiver
            for waiver in self._waivers.of(kind, name, self._image)
            if not waiver.packages or (found.packages and set(found.packages) <= set(waiver.packages))
        ]

    def _active(self, waivers: list[Waiver]) -> Waiver | None:
        """The one of them that holds longest, if it still does; says so where it does no more, or not for long."""
        if not waivers:
            return None
        waiver = waivers[0]
        who = f"the waiver of {waiver.name} ({waiver.owner})"
        if not waiver.holds_on(self._today):
            self._note("waiver_expired", f"{who} ended on {waiver.expires}")
            return None
        if waiver.ends_soon(self._today):
            self._note("waiver_ends", f"{who} ends on {waiver.expires}")
        return waiver

    def _waive(self, waiver: Waiver, finding: str, severity: str) -> None:
        self.found.waived.append(
            Waived(finding, waiver.owner, waiver.reason, waiver.expires, severity=severity, ticket=waiver.ticket)
        )

    def _undecided_definitions(self, results: Results) -> None:
        open_ = [
            name
            for name in results.undecided
            if self._active(self._waivers.of("definition", name, self._image)) is None
        ]
        counted = results.definition_counts.get("error", 0) + results.definition_counts.get("unknown", 0)
        if open_ or counted > len(results.undecided):
            number = len(open_) + max(0, counted - len(results.undecided))
            message = f"{number} definitions could not be decided: {_names(open_)}"
            self.found.undecided.append(Reason("definitions_undecided", message))

    def _limits(
        self, code: str, what: str, findings: list[FailedRule] | list[Vulnerability], limits: dict[str, int]
    ) -> None:
        by_severity: dict[str, list[str]] = collections.defaultdict(list)
        for finding in findings:
            by_severity[finding.severity].append(_label(finding))
        for severity in SEVERITIES:
            names = by_severity.get(severity, [])
            if severity in limits and len(names) > limits[severity]:
                message = f"{len(names)} {what} of {severity} severity, {limits[severity]} allowed: {_names(names)}"
                self.found.violations.append(Reason(code, message))

    def _required(self, results: Results) -> None:
        if not self._policy.rules_required:
            return
        answers: dict[str, set[str]] = collections.defaultdict(set)
        for rule in results.rules:
            answers[rule.id].add(rule.result)
            answers[short_rule(rule.id)].add(rule.result)
        waived = {name for entry in self.found.waived for name in (entry.id, short_rule(entry.id))}
        for name in self._policy.rules_required:
            if name not in waived and not (answers.get(name) and answers[name] <= {"pass", "fixed"}):
                told = ", ".join(sorted(answers.get(name, ()))) or "not evaluated"
                self.found.violations.append(Reason("required_rule", f"{name} must pass; it is {told}"))


def _label(finding: FailedRule | Vulnerability) -> str:
    if isinstance(finding, FailedRule):
        return short_rule(finding.id)
    return finding.cves[0] if len(finding.cves) == 1 else finding.id


def _names(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _is_young(found: Vulnerability, days: int | None, today: datetime.date) -> bool:
    """Whether there is no fix yet, or only one that is younger than `days`; what is unknown is not young."""
    if days is None:
        return False
    if found.packages and found.fixed_in and not any(found.fixed_in):
        return True
    try:
        return (today - datetime.date.fromisoformat(found.issued)).days < days
    except ValueError:
        return False
