# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an evidence proves: nothing is believed that its coverage and its own counts do not bear out."""

from __future__ import annotations

import collections
import datetime

from ..model import Check, Evidence, Reason, RecordError, Results, parse_time
from .policy import Policy

ALWAYS = ("digest", "content", "stderr", "exit_status")
"""Checks that every evaluation must have passed (docs/coverage.md)."""


def unproven(evidence: Evidence, results: Results | None) -> list[Reason]:
    """Why nothing can be said of the image, empty where its findings can be trusted."""
    failed = [
        Reason(f"unproven_{check.check}", f"{check.check}: {check.detail}")
        for check in evidence.coverage
        if not check.passed
    ]
    if failed or evidence.not_applicable is not None:
        return failed
    missing = [name for name, wanted in _required(evidence).items() if _passed(evidence.coverage, name) < wanted]
    if missing:
        return [
            Reason("unproven_coverage", f"the evidence has no proof of: {', '.join(missing)}; scan the image again")
        ]
    if results is None:
        return [Reason("results_missing", "the evidence holds no results; scan the image again")]
    return _inconsistent(evidence, results)


def _required(evidence: Evidence) -> dict[str, int]:
    """The names of the checks that must be there, and how many of each."""
    kinds = [content.kind for content in evidence.content]
    feeds = kinds.count("oval")
    required = dict.fromkeys(ALWAYS, 1)
    required["content"] = max(1, len(kinds))
    if len(kinds) > feeds:
        required["rules"] = 1
    if feeds:
        required["definitions"] = feeds
    if evidence.package_manager or feeds:
        required["packages"] = 1
    return required


def _passed(coverage: list[Check], name: str) -> int:
    return sum(check.check == name and check.passed for check in coverage)


def _inconsistent(evidence: Evidence, results: Results) -> list[Reason]:
    found: list[str] = []
    rules = collections.Counter(rule.result for rule in results.rules)
    counted = {name: number for name, number in results.rule_counts.items() if number and name != "notselected"}
    if {name: number for name, number in rules.items() if name != "notselected"} != counted:
        found.append("its rules and their counts differ")
    kinds = {content.kind for content in evidence.content}
    if not kinds:
        found.append("it names no content")
    definitions = results.definition_counts
    if "oval" in kinds and not sum(definitions.values()) - definitions.get("not evaluated", 0):
        found.append("no definition of the feed was evaluated")
    evaluated = sum(rules[name] for name in ("pass", "fail", "fixed", "informational", "error", "unknown"))
    if kinds - {"oval"} and not evaluated:
        found.append("no rule was evaluated")
    if found:
        return [
            Reason("results_inconsistent", f"the evidence contradicts itself: {', '.join(found)}; scan the image again")
        ]
    return []


def stale(evidence: Evidence, policy: Policy, now: datetime.datetime) -> list[Reason]:
    """Why the grounds of a verdict are older than the policy allows."""
    reasons = [] if evidence.due is None else [evidence.due]
    if policy.scan_days is not None:
        age = _age(evidence.scanned_at, now)
        if age is None or not -1 <= age <= policy.scan_days:
            reasons.append(
                Reason(
                    "scan_stale",
                    f"scanned {evidence.scanned_at or 'at an unknown time'}; {policy.scan_days} days are allowed",
                )
            )
    if policy.content_days is not None:
        for content in evidence.content:
            age = _age(content.generated_at, now) if content.kind == "oval" else 0.0
            if age is None or not -1 <= age <= policy.content_days:
                when = f"is of {content.generated_at}" if content.generated_at else "does not say how old it is"
                reasons.append(Reason("content_stale", f"{content.id} {when}; {policy.content_days} days are allowed"))
    return reasons


def _age(text: str, now: datetime.datetime) -> float | None:
    """Days between a time (UTC where it has no zone) and now; None where it is none."""
    for candidate in (text, f"{text}+00:00"):
        try:
            return (now - parse_time(candidate)).total_seconds() / 86400
        except RecordError:
            continue
    return None
