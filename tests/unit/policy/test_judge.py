# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge's table, and that no damage ever makes a verdict milder."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import (
    STATES,
    Check,
    Evidence,
    Image,
    Reason,
    Results,
    Verdict,
    Workload,
    to_json,
)
from ansible_collections.scap.images.plugins.module_utils.policy import (
    STRICTEST,
    Policy,
    Waiver,
    judge,
    judge_strictest,
)
from ansible_collections.scap.images.plugins.module_utils.policy.judge import judge_foreign
from ansible_collections.scap.images.plugins.module_utils.policy.policy import Condition, Select
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fleet import RULE, coverage, digest, evidence, results, rule, vulnerability

NOW = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.timezone.utc)


def verdict(
    found: Evidence | None = None,
    record: Results | None = None,
    policy: Policy | None = None,
    waivers: t.Sequence[Waiver] = (),
    image: Image | None = None,
) -> Verdict:
    answer = judge(found or evidence(), record, policy or Policy(), waivers, NOW, image)
    assert Verdict.from_json(to_json(answer)) == answer
    return answer


def codes(answer: Verdict) -> list[str]:
    return [reason.code for reason in answer.reasons]


@pytest.mark.parametrize(
    ("found", "record", "state", "code"),
    [
        (evidence(), results(), "compliant", "proven"),
        (evidence(), results(rule("a", "fail", "medium"), rule("b", "notchecked")), "compliant", "proven"),
        (evidence(), results(rule("a", "fail", "high")), "non_compliant", "failed_rules"),
        (evidence(), results(rule("a", "fail", "critical")), "non_compliant", "failed_rules"),
        (evidence(feeds=1), results(vulnerabilities=[vulnerability(1)]), "non_compliant", "vulnerabilities"),
        (evidence(feeds=1), results(vulnerabilities=[vulnerability(1, "medium")]), "compliant", "proven"),
        (evidence(error=Reason("registry_down", "no")), None, "error", "registry_down"),
        (evidence(error=Reason("registry_down", "no")), results(), "error", "registry_down"),
        (evidence(not_applicable=Reason("no_content", "none")), None, "not_applicable", "no_content"),
        (evidence(), None, "error", "results_missing"),
        (evidence(), results(rule("a", "error")), "error", "rule_undecided"),
        (evidence(), results(rule("a", "unknown", "low")), "error", "rule_undecided"),
        (evidence(), results(rule("a", "error"), rule("b")), "non_compliant", "failed_rules"),
        (evidence(coverage=[]), results(), "error", "unproven_coverage"),
        (evidence(content=[]), results(), "error", "results_inconsistent"),
        (evidence(feeds=1), results(undecided=["oval:x:def:1"]), "error", "definitions_undecided"),
        (evidence(feeds=1), results(definition_counts={"error": 1}), "error", "definitions_undecided"),
        (evidence(feeds=1), results(definition_counts={}), "error", "results_inconsistent"),
        (evidence(), results(rule_counts={"pass": 1, "fail": 1}), "error", "results_inconsistent"),
        (evidence(), Results(rules=[rule("a", "notapplicable")], rule_counts={"notapplicable": 1}), "error", None),
        (evidence(), Results(), "error", "results_inconsistent"),
    ],
)
def test_states_under_the_default_policy(found: Evidence, record: Results | None, state: str, code: str | None) -> None:
    answer = verdict(found, record)
    assert answer.state == state
    assert answer.reasons
    assert code is None or code in codes(answer)


@pytest.mark.parametrize("name", [check.check for check in coverage(feeds=1)])
def test_every_failed_check_is_an_error_and_named(name: str) -> None:
    checks = [dataclasses.replace(it, passed=it.check != name, detail=f"why {name}") for it in coverage(feeds=1)]
    for record in (results(), results(rule("a")), None):
        answer = verdict(evidence(feeds=1, coverage=checks), record)
        assert answer.state == "error"
        assert answer.reasons[0] == Reason(f"unproven_{name}", f"{name}: why {name}")


def test_a_failed_check_of_what_is_not_applicable_is_an_error() -> None:
    found = evidence(not_applicable=Reason("no_content", "none"), coverage=[Check("digest", False, "other")])
    assert verdict(found).state == "error"


@pytest.mark.parametrize("name", ["digest", "content", "stderr", "exit_status", "rules", "definitions", "packages"])
def test_a_missing_proof_is_an_error(name: str) -> None:
    checks = [check for check in coverage(feeds=1) if check.check != name]
    answer = verdict(evidence(feeds=1, coverage=checks), results())
    assert (answer.state, answer.reasons[0].code) == ("error", "unproven_coverage")
    assert name in answer.reasons[0].message


def test_counts_and_limits() -> None:
    found = results(*[rule(f"m{n}", "fail", "medium") for n in range(3)], vulnerabilities=[vulnerability(1, "low")])
    strict = Policy("strict", rule_limits={"medium": 2}, vulnerability_limits={})
    assert (
        verdict(evidence(feeds=1), found, strict).reasons[0].message.startswith("3 failed rules of medium severity, 2")
    )
    loose = Policy("loose", rule_limits={"medium": 3}, vulnerability_limits={"low": 1})
    answer = verdict(evidence(feeds=1), found, loose)
    assert answer.state == "compliant"
    assert answer.severity == {"critical": 0, "high": 0, "medium": 3, "low": 1, "unknown": 0}
    assert [entry.id for entry in answer.failed] == [f"{RULE}m{n}" for n in range(3)]


def test_single_rules_and_cves() -> None:
    found = results(
        rule("telnet"), rule("banner", "fail", "low"), rule("skipped", "notapplicable"),
        vulnerabilities=[vulnerability(1), vulnerability(2, "low"), vulnerability(3, cves=["CVE-1-1", "CVE-1-2"])],
    )  # fmt: skip
    scanned = evidence(feeds=1)
    ignoring = Policy(rules_ignored=["telnet"], cves_ignored=["CVE-2026-00001", "CVE-1-1", "CVE-1-2"])
    assert verdict(scanned, found, ignoring).state == "compliant"
    assert "ignored" in codes(verdict(scanned, found, ignoring))
    partly = dataclasses.replace(ignoring, cves_ignored=["CVE-2026-00001", "CVE-1-1"])
    assert verdict(scanned, found, partly).state == "non_compliant"
    promoted = dataclasses.replace(ignoring, rules_promoted={"banner": "high"})
    assert "banner" in verdict(scanned, found, promoted).reasons[0].message
    promoted = dataclasses.replace(ignoring, cves_promoted={"CVE-2026-00002": "critical"})
    assert verdict(scanned, found, promoted).severity["critical"] == 1
    denied = dataclasses.replace(ignoring, cves_denied=["CVE-2026-00002"])
    assert codes(verdict(scanned, found, denied))[0] == "denied_cve"
    for name in ("skipped", "absent", RULE + "banner"):
        required = dataclasses.replace(ignoring, rules_required=[name, "always"])
        assert codes(verdict(scanned, found, required))[0] == "required_rule"
    assert verdict(scanned, found, dataclasses.replace(ignoring, rules_required=["always"])).state == "compliant"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"issued": "2026-11-20"}, "compliant"),
        ({"issued": "2026-10-20"}, "non_compliant"),
        ({"issued": ""}, "non_compliant"),
        ({"issued": "yesterday"}, "non_compliant"),
        ({"issued": "", "fixed_in": [""]}, "compliant"),
        ({"issued": "", "fixed_in": [], "packages": []}, "non_compliant"),
    ],
)
def test_age_of_the_fix(changes: dict[str, t.Any], state: str) -> None:
    answer = verdict(evidence(feeds=1), results(vulnerabilities=[vulnerability(1, **changes)]), Policy(fix_days=14))
    assert answer.state == state
    assert len(answer.vulnerabilities) == 1


@pytest.mark.parametrize(
    ("scanned_at", "days", "state"),
    [
        ("2026-11-22T10:00:00Z", 7, "compliant"),
        ("2026-11-01T10:00:00Z", 7, "stale"),
        ("2027-11-01T10:00:00Z", 7, "stale"),
        ("", 7, "stale"),
        ("never", 7, "stale"),
        ("never", None, "compliant"),
    ],
)
def test_old_scans(scanned_at: str, days: int | None, state: str) -> None:
    assert verdict(evidence(scanned_at=scanned_at), results(), Policy(scan_days=days)).state == state
    bad = verdict(evidence(scanned_at=scanned_at), results(rule("a")), Policy(scan_days=days))
    assert bad.state == "non_compliant"


def test_old_feeds() -> None:
    found = evidence(feeds=1)
    assert verdict(found, results(), Policy(content_days=7)).state == "compliant"
    for when in ("2026-01-01T00:00:00", "", "soon"):
        content = [dataclasses.replace(entry, generated_at=when) for entry in found.content]
        answer = verdict(dataclasses.replace(found, content=content), results(), Policy(content_days=7))
        assert (answer.state, codes(answer)) == ("stale", ["content_stale"])


@pytest.mark.parametrize(
    ("expression", "state"),
    [
        ("length(failed) > `0`", "non_compliant"),
        ("contains(image.namespaces, 'prod')", "non_compliant"),
        ("image.labels.team == 'shop'", "non_compliant"),
        ("packages > `1000`", "compliant"),
        ("image.labels.absent", "error"),
        ("image.digest", "error"),
        ("length(packages)", "error"),
        ("starts_with(image.labels.absent, 'x')", "error"),
    ],
)
def test_conditions_that_cannot_be_decided_are_errors(expression: str, state: str) -> None:
    image = Image("docker://x", digest("web"), workloads=[Workload("Pod", "prod", "p", "c", True)])
    policy = Policy(conditions=[Condition("own", expression, "must not be")])
    answer = verdict(evidence(labels={"team": "shop"}), results(rule("a", "fail", "low")), policy, image=image)
    assert answer.state == state


def test_the_strictest_policy_that_applies_wins_and_says_so() -> None:
    lax = Policy("lax", rule_limits={}, vulnerability_limits={})
    prod = Policy("prod", select=Select(namespaces=["prod-*"]), rule_limits={"medium": 0})
    rhel = Policy("rhel", select=Select(os=["rhel *"]), rule_limits={"low": 0})
    record = results(rule("a", "fail", "medium"))
    image = Image("docker://x", digest("web"), workloads=[Workload("Pod", "prod-1", "p", "c", True)])
    alone = judge_strictest(evidence(), record, [lax, prod, rhel], [], NOW)
    assert (alone.state, alone.policy.name, codes(alone)) == ("compliant", "lax", ["proven"])
    both = judge_strictest(evidence(), record, [lax, prod, rhel], [], NOW, image)
    assert (both.state, both.policy.name) == ("non_compliant", "prod")
    assert both.reasons[-1] == Reason("strictest", "prod is the strictest policy that applies (lax: compliant)")
    none = judge_strictest(evidence(), results(rule("a")), [rhel], [], NOW)
    assert (none.state, none.policy.name, codes(none)[-1]) == ("non_compliant", "default", "no_policy")


def test_a_result_of_another_tool_is_never_compliant() -> None:
    found = evidence(coverage=[], content=[])
    assert judge_foreign(found, results(rule("a")), Policy(), [], NOW).state == "non_compliant"
    answer = judge_foreign(found, results(), Policy(), [], NOW)
    assert (answer.state, codes(answer)) == ("error", ["not_proven"])


DAMAGES: dict[str, t.Callable[[t.Any, t.Any], tuple[t.Any, t.Any]]] = {
    "no results": lambda e, r: (e, None),
    "empty results": lambda e, r: (e, Results()),
    "failing rules lost": lambda e, r: (e, dataclasses.replace(r, rules=[x for x in r.rules if x.result != "fail"])),
    "all rules lost": lambda e, r: (e, dataclasses.replace(r, rules=[])),
    "results become unknown": lambda e, r: (
        e,
        dataclasses.replace(r, rules=[dataclasses.replace(x, result="unknown") for x in r.rules]),
    ),
    "no coverage": lambda e, r: (dataclasses.replace(e, coverage=[]), r),
    "first proof lost": lambda e, r: (dataclasses.replace(e, coverage=e.coverage[1:]), r),
    "last proof lost": lambda e, r: (dataclasses.replace(e, coverage=e.coverage[:-1]), r),
    "proof fails": lambda e, r: (
        dataclasses.replace(e, coverage=[dataclasses.replace(x, passed=False) for x in e.coverage]),
        r,
    ),
    "no content": lambda e, r: (dataclasses.replace(e, content=[]), r),
    "an error": lambda e, r: (dataclasses.replace(e, error=Reason("x", "y")), r),
    "not applicable": lambda e, r: (dataclasses.replace(e, not_applicable=Reason("x", "y")), r),
    "no times": lambda e, r: (dataclasses.replace(e, scanned_at=""), r),
    "undecided": lambda e, r: (e, dataclasses.replace(r, undecided=["oval:x:def:9"]) if r else r),
    "counts lost": lambda e, r: (e, dataclasses.replace(r, rule_counts={}) if r else r),
}
"""What can go wrong with one evidence; each gives an evidence and results."""

RULES = st.lists(
    st.builds(
        rule,
        st.sampled_from("abcdefgh"),
        st.sampled_from(["pass", "fail", "notapplicable", "notchecked", "error"]),
        st.sampled_from(["critical", "high", "medium", "low", "unknown"]),
    ),
    max_size=6,
)


@settings(max_examples=300, deadline=None)
@given(
    RULES,
    st.lists(st.sampled_from(["critical", "high", "low"]), max_size=3),
    st.lists(st.sampled_from(sorted(DAMAGES))),
)
def test_no_damage_makes_a_verdict_compliant(rules: list[t.Any], grades: list[str], damages: list[str]) -> None:
    found: Evidence = evidence(feeds=1)
    record: Results | None = results(*rules, vulnerabilities=[vulnerability(n, g) for n, g in enumerate(grades)])
    whole = verdict(found, record)
    for name in damages:
        if record is not None or name not in ("failing rules lost", "all rules lost", "results become unknown"):
            found, record = DAMAGES[name](found, record)
    answer = verdict(found, record)
    assert answer.state in STATES
    if whole.state != "compliant":
        assert answer.state != "compliant"
    assert bool(answer.reasons)
    assert STRICTEST[-1] == "compliant"
