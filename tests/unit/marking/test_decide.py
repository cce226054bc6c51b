"""Which verdict denies, which lifts, and which does neither."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.scap.images.plugins.module_utils.marking.decide import decide, per_image, proven
from ansible_collections.scap.images.plugins.module_utils.model import STATES, Check

from tests.support.marking_records import digest, verdict

NC = ("non_compliant",)

# state, stage it is denied at now, the run's stage -> deny, lift, stage, annotate
TABLE = [
    ("non_compliant", "", "deny", True, False, "deny", True),
    ("non_compliant", "", "report", True, False, "report", True),
    ("non_compliant", "warn", "deny", True, False, "deny", True),
    ("non_compliant", "deny", "report", True, False, "deny", True),
    ("compliant", "deny", "deny", False, True, "deny", True),
    ("compliant", "deny", "report", False, True, "report", True),
    ("compliant", "", "deny", False, False, "deny", True),
    ("error", "", "deny", False, False, "deny", False),
    ("error", "deny", "report", True, False, "deny", False),
    ("stale", "deny", "deny", True, False, "deny", False),
    ("stale", "", "warn", False, False, "warn", False),
    ("not_applicable", "deny", "deny", True, False, "deny", False),
    ("not_applicable", "", "deny", False, False, "deny", False),
]


@pytest.mark.parametrize(("state", "present", "stage", "deny", "lift", "kept", "annotate"), TABLE)
def test_the_table(state: str, present: str, stage: str, deny: bool, lift: bool, kept: str, annotate: bool) -> None:
    found = decide(verdict("a", state), present, stage, NC)
    assert (found.deny, found.lift, found.stage, found.annotate) == (deny, lift, kept, annotate)


@pytest.mark.parametrize("state", [state for state in STATES if state != "compliant"])
@pytest.mark.parametrize("deny_on", [NC, ("non_compliant", "error", "stale"), ()])
def test_nothing_but_compliant_lifts(state: str, deny_on: tuple[str, ...]) -> None:
    found = decide(verdict("a", state), "deny", "deny", deny_on)
    assert found.deny
    assert not found.lift


@pytest.mark.parametrize("coverage", [[], [Check("packages", True, ""), Check("stderr", False, "warning")]])
def test_compliant_without_proof_lifts_nothing(coverage: list[Check]) -> None:
    unproven = dataclasses.replace(verdict("a", "compliant"), coverage=coverage)
    assert not proven(unproven)
    found = decide(unproven, "deny", "deny", NC)
    assert (found.deny, found.lift, found.annotate) == (True, False, False)
    assert not decide(unproven, "", "deny", NC).deny


@pytest.mark.parametrize("state", ["compliant", "non_compliant"])
@pytest.mark.parametrize("present", ["", "deny"])
def test_a_wrong_canary_changes_no_mark(state: str, present: str) -> None:
    blind = dataclasses.replace(verdict("a", state), coverage=[Check("canaries", False, "the planted file is missing")])
    found = decide(blind, present, "deny", NC)
    assert (found.deny, found.lift, found.annotate) == (bool(present), False, False)
    assert "canar" in found.detail


def test_error_denies_where_the_policy_says_so() -> None:
    found = decide(verdict("a", "error"), "", "deny", ("non_compliant", "error"))
    assert (found.deny, found.annotate) == (True, False)


def test_of_several_policies_the_worst_counts() -> None:
    good, bad = verdict("a", "compliant"), verdict("a", "non_compliant")
    unproven = dataclasses.replace(good, coverage=[])
    for order in ([good, bad], [bad, good], [unproven, bad, good]):
        assert per_image(order)[digest("a")] is bad
    assert per_image([good, unproven])[digest("a")] is unproven
    assert per_image([unproven, good])[digest("a")] is unproven
