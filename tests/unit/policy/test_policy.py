# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policy files: what they say, what is wrong in them and where; the schemas that editors use."""

from __future__ import annotations

import json
import pathlib
import typing as t

import jsonschema
import pytest
import yaml
from ansible_collections.scap.images.plugins.module_utils.model import Image, ScapError, Workload
from ansible_collections.scap.images.plugins.module_utils.policy import (
    Policy,
    load_policies,
    load_waivers,
    parse_policies,
)
from ansible_collections.scap.images.plugins.module_utils.policy.policy import Select
from ansible_collections.scap.images.plugins.module_utils.policy.schema import POLICY_FILE, WAIVERS
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = pathlib.Path(__file__).resolve().parents[3]
FULL = """
policies:
- name: production
  description: What may run for customers
  select: {namespaces: ["prod-*"], os: ["debian *"]}
  thresholds:
    rules: {critical: 0, high: 0, medium: 10}
    vulnerabilities: {critical: 0}
  rules: {required: [telnet], ignored: [banner], promoted: {nis: high}}
  cves: {denied: [CVE-2021-44228], ignored: [CVE-2020-0001], promoted: {CVE-2020-0002: critical}}
  fix: {available_days: 30}
  freshness: {scan_days: 7, content_days: 3}
  conditions:
  - {name: size, deny_when: "packages > `500`", message: too many packages}
- name: rest
"""


def test_everything_that_a_policy_can_say() -> None:
    production, rest = parse_policies(FULL)
    assert production.rule_limits == {"critical": 0, "high": 0, "medium": 10}
    assert production.vulnerability_limits == {"critical": 0}
    assert (production.fix_days, production.scan_days, production.content_days) == (30, 7, 3)
    assert production.conditions[0].message == "too many packages"
    assert rest == Policy("rest")
    half = parse_policies("name: half\nthresholds: {rules: {}}")[0]
    assert (half.rule_limits, half.vulnerability_limits) == ({}, {"critical": 0, "high": 0})
    assert parse_policies("name: rest") == [rest]
    assert parse_policies(json.dumps({"name": "rest"})) == [rest]


def test_the_sha256_follows_what_a_policy_says_and_nothing_else() -> None:
    first, second = (
        parse_policies("name: a\n# a comment\nthresholds: {rules: {high: 0, low: 1}}"),
        parse_policies("thresholds:\n  rules: {low: 1, high: 0}\nname: a"),
    )
    assert first[0].ref == second[0].ref
    assert first[0].ref.sha256 != parse_policies("name: a\nthresholds: {rules: {high: 0, low: 2}}")[0].ref.sha256
    assert Policy().ref.name == "default"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("name: a\ntreshold: {}", 2, "there is no such key; did you mean thresholds?"),
        ("name: a\nthresholds:\n  rules: {hihg: 0}", 3, "did you mean high?"),
        ("name: a\nthresholds:\n  rules: {high: -1}", 3, "is -1, the least is 0"),
        ("name: a\nthresholds:\n  rules: {high: 'no'}", 3, "must be a whole number, it is text"),
        ("name: a\nthresholds:\n  rules: {high: yes}", 3, "it is true or false"),
        ("name: a\nname: b", 2, "stands here twice"),
        ("name: ''", 1, "must not be empty"),
        ("name: a b", 1, "letters, digits"),
        ("policies: []", 1, "must not be empty"),
        ("policies:\n- name: a\n- name: a", 3, "there are two policies 'a'"),
        ("description: x", 1, "the key 'name' is missing"),
        ("name: a\nrules:\n  promoted:\n    x: huge", 4, "is 'huge', not one of critical"),
        ("name: a\nrules:\n  required: [x]\n  ignored: [x]", 4, "is required as well"),
        ("name: a\ncves:\n  denied: [x]\n  ignored: [y, x]", 4, "is denied as well"),
        ("name: a\nconditions:\n- {name: x, deny_when: 'a[', message: y}", 3, "is not JMESPath"),
        ("name: a\nconditions:\n- name: x\n  message: y", 3, "the key 'deny_when' is missing"),
        ("name: &a x\ndescription: *a", 1, "anchors and aliases"),
        ("name: !!python/object:os.system x", 1, "is not taken"),
        ("name: a\n  b: c", 2, "is not YAML"),
        ("- a", 1, "must be a mapping, it is a list"),
        ("", 1, "must be a mapping, it is empty"),
        ("? [a]\n: b", 1, "a key must be plain text"),
        ("[" * 50 + "]" * 50, 1, "nested more than"),
    ],
)
def test_errors_name_file_line_and_cure(text: str, line: int, message: str) -> None:
    with pytest.raises(ScapError) as caught:
        parse_policies(text, "own.yml")
    assert caught.value.code == "policy_invalid" or "JMESPath" in message
    assert caught.value.message.startswith(f"own.yml:{line}:")
    assert message in caught.value.message


def test_all_errors_at_once() -> None:
    with pytest.raises(ScapError) as caught:
        parse_policies("name: 5\nselekt: {}\nfix: {days: 3}")
    assert len(caught.value.message.splitlines()) == 3


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="nameticks: -[]{}&*!|>'\"\n\t0a", max_size=60))
def test_any_text_is_a_policy_or_a_clear_error(text: str) -> None:
    problem = ""
    try:
        assert parse_policies(text)
    except ScapError as error:
        problem = error.message
    assert not problem or problem.startswith("policy")


@pytest.mark.parametrize(
    ("select", "matches"),
    [
        ({}, True),
        ({"namespaces": ["prod-*"]}, True),
        ({"namespaces": ["test"]}, False),
        ({"images": ["docker://r/shop/*"], "os": ["debian 1?"]}, True),
        ({"images": ["docker://r/other/*"]}, False),
        ({"labels": {"team": "sh*"}}, True),
        ({"labels": {"absent": "*"}}, False),
        ({"platforms": ["linux/arm64*"]}, False),
    ],
)
def test_selection(select: dict[str, t.Any], matches: bool) -> None:
    image = Image(
        "docker://r/shop/web:1",
        "",
        "linux/amd64",
        labels={"team": "shop"},
        workloads=[Workload("Pod", "prod-1", "p", "c", True), Workload("Pod", "dev", "p", "c", True)],
    )
    assert Select(**select).matches(image, "debian 11") is matches


@pytest.mark.parametrize(("name", "schema"), [("policy", POLICY_FILE), ("waivers", WAIVERS)])
def test_the_schemas_of_editors_are_ours(name: str, schema: dict[str, t.Any]) -> None:
    path = ROOT / "docs" / "schema" / f"{name}.schema.json"
    text = json.dumps(schema, indent=2) + "\n"
    assert path.read_text() == text, f"write {path} anew: it is not what policy/schema.py says"
    jsonschema.Draft202012Validator.check_schema(schema)


EXAMPLES = [
    *((path, POLICY_FILE, load_policies) for path in sorted((ROOT / "examples" / "policies").glob("*.yml"))),
    *((path, WAIVERS, load_waivers) for path in sorted((ROOT / "examples" / "waivers").glob("*.yml"))),
]


@pytest.mark.parametrize(("path", "schema", "load"), EXAMPLES, ids=lambda value: getattr(value, "name", None))
def test_the_examples_are_read_and_fit_their_schema(path: pathlib.Path, schema: t.Any, load: t.Any) -> None:
    assert load(str(path))
    checked = yaml.safe_load(json.dumps(yaml.safe_load(path.read_text()), default=str))
    jsonschema.validate(checked, schema)


@pytest.mark.parametrize(
    "text", ["name: a\ntreshold: {}", "name: a\nthresholds: {rules: {high: -1}}", "policies: []", "description: x"]
)
def test_what_we_refuse_the_schema_refuses(text: str) -> None:
    with pytest.raises(ScapError):
        parse_policies(text)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), POLICY_FILE)
