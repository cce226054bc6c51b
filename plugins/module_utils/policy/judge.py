# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From evidence and results to a verdict: pure functions, no input and no output.

Nothing that is missing, damaged or unproven is ever read as compliant: a check of the coverage that did not pass makes
the verdict `error` before any finding is looked at; an answer that oscap could not give makes it `error` unless
what was
found is bad enough by itself.
"""

from __future__ import annotations

import collections
import datetime

from ..model import (
    RULE_RESULTS,
    SEVERITIES,
    Evidence,
    Reason,
    Results,
    Verdict,
    VerdictImage,
)
from .policy import Policy

_SHOWN = 5


def judge(evidence: Evidence, results: Results | None, policy: Policy, now: datetime.datetime) -> Verdict:
    """The verdict on one evidence; `results` is its compact record, None where that is missing or damaged."""
    state, reasons = _decide(evidence, results, policy)
    known = results or Results()
    counts = {name: known.rule_counts.get(name, 0) for name in RULE_RESULTS}
    found = _severities(known)
    return Verdict(
        image=VerdictImage(evidence.reference, evidence.digest, evidence.platform, evidence.os.label),
        state=state,
        reasons=reasons,
        rules=counts,
        severity={name: found[name] for name in SEVERITIES},
        vulnerabilities=known.vulnerabilities,
        waived=[],
        packages=evidence.packages,
        coverage=evidence.coverage,
        content=evidence.content,
        scan=evidence.scan,
        scanned_at=evidence.scanned_at,
        judged_at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        policy=policy.reference,
        index_digests=evidence.index_digests,
    )


def _decide(evidence: Evidence, results: Results | None, policy: Policy) -> tuple[str, list[Reason]]:
    if evidence.error is not None:
        return "error", [evidence.error]
    unproven = [Reason(f"unproven_{check.check}", check.detail) for check in evidence.coverage if not check.passed]
    if unproven:
        return "error", unproven
    if evidence.not_applicable is not None:
        return "not_applicable", [evidence.not_applicable]
    if results is None:
        return "error", [
            Reason("results_missing", "the results of the scan are missing or damaged; scan the image again")
        ]
    violations = _violations(results, policy)
    if violations:
        return "non_compliant", violations
    undecided = _undecided(results)
    if undecided:
        return "error", undecided
    if not evidence.coverage:
        return "error", [
            Reason(
                "unproven", "nothing failed, but nothing proves that the scanner saw the image: scan it with image_scan"
            )
        ]
    return "compliant", [
        Reason(
            "proven", f"nothing exceeds the policy {policy.name}, and {len(evidence.coverage)} checks prove the scan"
        )
    ]


def _violations(results: Results, policy: Policy) -> list[Reason]:
    reasons = []
    failed = [rule for rule in results.rules if rule.result == "fail"]
    for severity in SEVERITIES:
        rules = [rule.title or rule.id for rule in failed if rule.severity == severity]
        limit = policy.rules.get(severity)
        if limit is not None and len(rules) > limit:
            reasons.append(
                Reason(f"rules_{severity}", f"{len(rules)} rules of severity {severity} failed: {_names(rules)}")
            )
        names = [entry.id for entry in results.vulnerabilities if entry.severity == severity]
        limit = policy.vulnerabilities.get(severity)
        if limit is not None and len(names) > limit:
            reasons.append(
                Reason(f"vulnerabilities_{severity}", f"{len(names)} findings of severity {severity}: {_names(names)}")
            )
    return reasons


def _undecided(results: Results) -> list[Reason]:
    reasons = []
    rules = [rule.id for rule in results.rules if rule.result in ("error", "unknown")]
    if rules:
        reasons.append(Reason("rules_undecided", f"oscap could not decide {len(rules)} rules: {_names(rules)}"))
    if results.undecided:
        names = _names(results.undecided)
        reasons.append(
            Reason("definitions_undecided", f"oscap could not decide {len(results.undecided)} definitions: {names}")
        )
    return reasons


def _severities(results: Results) -> collections.Counter[str]:
    found = collections.Counter(rule.severity for rule in results.rules if rule.result == "fail")
    found.update(entry.severity for entry in results.vulnerabilities)
    return found


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
