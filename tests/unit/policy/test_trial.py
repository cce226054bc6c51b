# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of policies, and the filters."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.scap.images.plugins.filter.judge import judge
from ansible_collections.scap.images.plugins.filter.parse_result import parse_result
from ansible_collections.scap.images.plugins.module_utils.model import ScapError, to_json
from ansible_collections.scap.images.plugins.module_utils.policy.run import load_grounds
from ansible_collections.scap.images.plugins.module_utils.policy.trial import Outcome, run_tests

from tests.support import shared_data
from tests.support.fleet import digest, evidence, results, rule, store

FRESH = {"name": "fresh", "freshness": {"scan_days": 7}}


def run(root: pathlib.Path, document: t.Any) -> list[Outcome]:
    path = root / "own.tests.yml"
    path.write_text(json.dumps(document, indent=1))
    return run_tests(str(path), str(root), load_grounds([FRESH], []))


@pytest.mark.parametrize(
    ("test", "problem"),
    [
        ({"image": "*/web:1", "state": "non_compliant", "reasons": ["failed_rules", "telnet"]}, ""),
        ({"image": digest("db"), "state": "compliant", "policy": "fresh"}, ""),
        ({"image": "*/web:1", "state": "compliant"}, "is non_compliant, compliant was expected (failed_rules"),
        ({"image": "*", "state": "compliant"}, "is non_compliant, compliant was expected"),
        ({"image": "*/absent:*", "state": "error"}, "no stored evidence is of an image"),
        ({"image": "*/db:1", "state": "compliant", "policy": "other"}, "by the policy fresh, other was expected"),
        ({"image": "*/web:1", "state": "non_compliant", "reasons": ["nis"]}, "no reason has nis"),
    ],
)
def test_expectations(tmp_path: pathlib.Path, test: dict[str, t.Any], problem: str) -> None:
    store(tmp_path, evidence("web"), results(rule("telnet")))
    store(tmp_path, evidence("db"), results())
    (outcome,) = run(tmp_path, {"at": "2026-11-23T12:00:00Z", "tests": [{"name": "mine", **test}]})
    assert outcome.name == "mine"
    assert outcome.passed is not bool(problem)
    assert problem in outcome.detail
    assert not problem or ".yml:4: tests[0]: " in outcome.detail


def test_the_time_of_judgement_is_the_tests_own(tmp_path: pathlib.Path) -> None:
    store(tmp_path, evidence("db"), results())
    test = [{"image": "*", "state": "stale"}]
    assert run(tmp_path, {"at": "2027-11-23T12:00:00Z", "tests": test})[0].passed
    assert not run(tmp_path, {"at": "2026-11-23T12:00:00Z", "tests": test})[0].passed


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"at": "noon", "tests": [{"image": "*", "state": "stale"}]}, "write it as 2026"),
        ({"tests": []}, "must not be empty"),
        ({"tests": [{"image": "*", "state": "bad"}]}, "not one of compliant"),
        ({"tests": [{"image": "*"}]}, "the key 'state' is missing"),
    ],
)
def test_what_is_wrong_in_the_tests(tmp_path: pathlib.Path, document: t.Any, message: str) -> None:
    with pytest.raises(ScapError) as caught:
        run(tmp_path, document)
    assert message in caught.value.message


def test_the_filters() -> None:
    found = to_json(evidence())
    assert judge(found, to_json(results()))["state"] == "compliant"
    assert judge(found)["state"] == "error"
    strict = {"name": "strict", "thresholds": {"rules": {"low": 0}}}
    low = to_json(results(rule("a", "fail", "low")))
    assert judge(found, low, [strict])["policy"]["name"] == "strict"
    for broken in ({}, {**found, "digest": "x"}):
        with pytest.raises(AnsibleFilterError, match=r"scap\.images\.judge"):
            judge(broken)
    with pytest.raises(AnsibleFilterError, match="no such key"):
        judge(found, None, [{"name": "a", "x": 1}])
    with pytest.raises(AnsibleFilterError, match=r"absent\.xml"):
        parse_result("/absent.xml")


def test_the_parser_as_a_filter() -> None:
    path = shared_data.path("results", "compliance-operator-xccdf-result.xml.xz")
    counts = parse_result(str(path))["rule_counts"]
    assert (counts["pass"], counts["fail"], counts["error"]) == (32, 193, 4)
