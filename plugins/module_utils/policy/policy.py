# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies: what an image must be to be compliant. Read from YAML, identified by the sha256 of their canonical JSON."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import typing as t

from ..files import dumps
from ..model import SEVERITIES, Image, J, PolicyRef, RuleResult, ScapError, Vulnerability, to_json
from .conditions import compiled
from .document import Document, check, parse_document, read_document
from .match import RuleNames, any_glob, labels_match, short_rule
from .schema import POLICIES, POLICY

CODE = "policy_invalid"
STRICT = {"critical": 0, "high": 0}
"""The default policy's limits: no finding of critical or high severity."""


@dataclasses.dataclass(frozen=True)
class Select:
    """The images that a policy is for: every field that is not empty must match (globs)."""

    images: list[str] = dataclasses.field(default_factory=list)
    namespaces: list[str] = dataclasses.field(default_factory=list)
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    os: list[str] = dataclasses.field(default_factory=list)
    platforms: list[str] = dataclasses.field(default_factory=list)

    def matches(self, image: Image, os_label: str) -> bool:
        """Whether an image is selected; `os_label` as `debian 11`."""
        references = [image.reference, *image.references]
        return (
            (not self.images or any(any_glob(self.images, name) for name in references))
            and (not self.namespaces or any(any_glob(self.namespaces, name) for name in image.namespaces))
            and (not self.os or any_glob(self.os, os_label))
            and (not self.platforms or any_glob(self.platforms, image.platform))
            and labels_match(self.labels, image.labels)
        )


@dataclasses.dataclass(frozen=True)
class Condition:
    """A JMESPath expression that must give true or false; true denies."""

    name: str
    deny_when: str
    message: str


@dataclasses.dataclass(frozen=True)
class Policy:
    """See docs/policy.md. `Policy()` is the default policy."""

    name: str = "default"
    select: Select = dataclasses.field(default_factory=Select)
    rule_limits: dict[str, int] = dataclasses.field(default_factory=lambda: dict(STRICT))
    """Severity to the number of failed rules that is still allowed; no limit where it is absent."""
    vulnerability_limits: dict[str, int] = dataclasses.field(default_factory=lambda: dict(STRICT))
    rules_required: list[str] = dataclasses.field(default_factory=list)
    rules_ignored: list[str] = dataclasses.field(default_factory=list)
    rules_promoted: dict[str, str] = dataclasses.field(default_factory=dict)
    cves_denied: list[str] = dataclasses.field(default_factory=list)
    cves_ignored: list[str] = dataclasses.field(default_factory=list)
    cves_promoted: dict[str, str] = dataclasses.field(default_factory=dict)
    fix_days: int | None = None
    scan_days: int | None = None
    content_days: int | None = None
    conditions: list[Condition] = dataclasses.field(default_factory=list)

    @functools.cached_property
    def ref(self) -> PolicyRef:
        """Name, and hex sha256 of the policy's canonical JSON."""
        return PolicyRef(self.name, hashlib.sha256(dumps(to_json(self))).hexdigest())

    @functools.cached_property
    def ignored_rules(self) -> RuleNames:
        return RuleNames(self.rules_ignored)

    @functools.cached_property
    def denied_cves(self) -> frozenset[str]:
        return frozenset(self.cves_denied)

    @functools.cached_property
    def ignored_cves(self) -> frozenset[str]:
        return frozenset(self.cves_ignored)

    def rule_severity(self, rule: RuleResult) -> str:
        """The severity with which a rule counts."""
        promoted = self.rules_promoted
        return promoted.get(rule.id) or promoted.get(short_rule(rule.id)) or rule.severity

    def cve_severity(self, found: Vulnerability) -> str:
        """The severity with which a definition counts: the worst of its CVEs, each its own or the promoted one."""
        if not self.cves_promoted or not found.cves:
            return found.severity
        return min((self.cves_promoted.get(cve, found.severity) for cve in found.cves), key=SEVERITIES.index)


def load_policies(path: str) -> list[Policy]:
    """The policies of a YAML file, in its order; ScapError with file, line and cure."""
    return policies_of(read_document(path, CODE))


def parse_policies(text: str, source: str = "policy") -> list[Policy]:
    """The same from a text; `source` names it in errors."""
    return policies_of(parse_document(text.encode(), source, CODE))


def policies_of(document: Document) -> list[Policy]:
    several = isinstance(document.value, dict) and "policies" in document.value
    check(document, POLICIES if several else POLICY, CODE)
    found: list[Policy] = []
    for place, entry in enumerate(document.value["policies"] if several else [document.value]):
        path: tuple[t.Any, ...] = ("policies", place) if several else ()
        policy = _policy(entry)
        if policy.name in [other.name for other in found]:
            raise ScapError(
                CODE, document.problem((*path, "name"), f"there are two policies {policy.name!r}; rename one")
            )
        _refuse_contradictions(document, path, policy)
        found.append(policy)
    return found


def _policy(entry: J) -> Policy:
    thresholds = entry.get("thresholds", {})
    rules, cves = entry.get("rules", {}), entry.get("cves", {})
    freshness = entry.get("freshness", {})
    return Policy(
        name=entry["name"],
        select=Select(**entry.get("select", {})),
        rule_limits=dict(thresholds.get("rules", STRICT)),
        vulnerability_limits=dict(thresholds.get("vulnerabilities", STRICT)),
        rules_required=rules.get("required", []),
        rules_ignored=rules.get("ignored", []),
        rules_promoted=rules.get("promoted", {}),
        cves_denied=cves.get("denied", []),
        cves_ignored=cves.get("ignored", []),
        cves_promoted=cves.get("promoted", {}),
        fix_days=entry.get("fix", {}).get("available_days"),
        scan_days=freshness.get("scan_days"),
        content_days=freshness.get("content_days"),
        conditions=[Condition(**condition) for condition in entry.get("conditions", [])],
    )


def _refuse_contradictions(document: Document, path: tuple[t.Any, ...], policy: Policy) -> None:
    for key, wanted, ignored, word in (
        ("rules", policy.rules_required, policy.rules_ignored, "required"),
        ("cves", policy.cves_denied, policy.cves_ignored, "denied"),
    ):
        for place, name in enumerate(ignored):
            if name in wanted:
                problem = document.problem((*path, key, "ignored", place), f"{name} is {word} as well; remove one")
                raise ScapError(CODE, problem)
    for place, condition in enumerate(policy.conditions):
        try:
            compiled(condition.deny_when)
        except ScapError as error:
            problem = document.problem((*path, "conditions", place, "deny_when"), error.message)
            raise ScapError(error.code, problem) from error
