# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waivers: what they take out, for which images, until when; VEX documents."""

from __future__ import annotations

import datetime
import json
import pathlib
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import Image, ScapError, Workload
from ansible_collections.scap.images.plugins.module_utils.policy import (
    Policy,
    Waiver,
    judge,
    load_waivers,
    parse_waivers,
)

from tests.support import shared_data
from tests.support.fleet import RULE, digest, evidence, results, rule, vulnerability

NOW = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.timezone.utc)
RECORD = results(rule("telnet"), vulnerabilities=[vulnerability(1)])
RULE_WAIVER = Waiver("rule", "telnet", "shop", "needed until the move", "2027-01-31", "SHOP-1")


def judged(*waivers: Waiver, image: Image | None = None) -> t.Any:
    return judge(evidence(feeds=1), RECORD, Policy(), waivers, NOW, image)


@pytest.mark.parametrize(
    "waiver",
    [
        Waiver("cve", "CVE-2026-00001", "shop", "r", "2027-01-31"),
        Waiver("package", "package1", "shop", "r", "2027-01-31"),
        Waiver("definition", "oval:org.example:def:1", "shop", "r", "2027-01-31"),
        Waiver("cve", "CVE-2026-00001", "shop", "r", "2027-01-31", packages=("package1", "other")),
    ],
)
def test_what_is_waived_does_not_count_and_stays_visible(waiver: Waiver) -> None:
    for one in (RULE_WAIVER, Waiver("rule", RULE + "telnet", "shop", "r", "2027-01-31")):
        answer = judged(one, waiver)
        assert answer.state == "compliant"
        assert [entry.id for entry in answer.waived] == [RULE + "telnet", "oval:org.example:def:1"]
        assert answer.waived[0].expires == "2027-01-31"
        assert not answer.failed
        assert len(answer.vulnerabilities) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"expires": "2026-11-22"},
        {"images": ("docker://other/*",)},
        {"digests": (digest("other"),)},
        {"namespaces": ("prod",)},
        {"packages": ("other",), "kind": "cve", "name": "CVE-2026-00001"},
        {"name": "telne"},
    ],
)
def test_what_does_not_fit_waives_nothing(change: dict[str, t.Any]) -> None:
    values = {"kind": "rule", "name": "telnet", "owner": "o", "reason": "r", "expires": "2027-01-31", **change}
    assert judged(Waiver(**values)).state == "non_compliant"


def test_every_namespace_must_be_in_scope() -> None:
    waivers = (
        Waiver("rule", "telnet", "o", "r", "2027-01-31", namespaces=("test-*",)),
        Waiver("cve", "CVE-2026-00001", "o", "r", "2027-01-31", namespaces=("test-*",)),
    )
    places = [Workload("Pod", name, "p", "c", True) for name in ("test-1", "prod")]
    inside = Image("docker://x", digest("web"), workloads=places[:1])
    both = Image("docker://x", digest("web"), workloads=places)
    assert judged(*waivers, image=inside).state == "compliant"
    assert judged(*waivers, image=both).state == "non_compliant"
    assert judged(*waivers).state == "non_compliant"


def test_one_waived_cve_of_two_is_not_enough() -> None:
    record = results(vulnerabilities=[vulnerability(1, cves=["CVE-1-1", "CVE-1-2"])])
    one, two = (Waiver("cve", f"CVE-1-{n}", "o", "r", f"2027-0{n}-28") for n in (1, 2))
    found = evidence(feeds=1)
    assert judge(found, record, Policy(), [one], NOW).state == "non_compliant"
    answer = judge(found, record, Policy(), [two, one], NOW)
    assert (answer.state, answer.waived[0].expires) == ("compliant", "2027-01-28")


@pytest.mark.parametrize(
    ("expires", "code"),
    [
        ("2026-11-22", "waiver_expired"),
        ("2026-11-23", "waiver_ends"),
        ("2026-12-06", "waiver_ends"),
        ("2026-12-07", "proven"),
    ],
)
def test_the_end_is_told_fourteen_days_before(expires: str, code: str) -> None:
    record = results(rule("telnet"))
    answer = judge(evidence(), record, Policy(), [Waiver("rule", "telnet", "o", "r", expires)], NOW)
    assert code in [reason.code for reason in answer.reasons]
    assert (answer.state == "compliant") == (code != "waiver_expired")


WAIVER = {"rule": "telnet", "scope": "all", "owner": "shop", "reason": "r", "expires": "2027-01-31"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"expires": None}, "must be text"),
        ({"expires": "31.1.2027"}, "a date, YYYY-MM-DD"),
        ({"expires": "2027-02-30"}, "is no day"),
        ({"cve": "CVE-2026-1234"}, "exactly one of rule, cve, package, definition"),
        ({"scope": {}}, "is empty; write `all`"),
        ({"scope": {"image": ["x"]}}, "did you mean images?"),
        ({"owner": ""}, "must not be empty"),
        ({"reason": 5}, "must be text, it is a whole number"),
    ],
)
def test_wrong_waivers_are_named_with_their_line(change: dict[str, t.Any], message: str) -> None:
    text = json.dumps({"waivers": [WAIVER, {**WAIVER, "rule": "other", **change}]}, indent=1)
    with pytest.raises(ScapError, match=r"w\.yml:[0-9]+: waivers\[1\]") as caught:
        parse_waivers(text, "w.yml")
    assert message in caught.value.message


def test_missing_keys_and_contradictions() -> None:
    for name in ("scope", "owner", "reason", "expires"):
        with pytest.raises(ScapError, match=f"the key '{name}' is missing"):
            parse_waivers(json.dumps({"waivers": [{key: value for key, value in WAIVER.items() if key != name}]}))
    with pytest.raises(ScapError, match="contradicts line"):
        parse_waivers(json.dumps({"waivers": [WAIVER, {**WAIVER, "expires": "2030-01-01"}]}))
    assert parse_waivers("") == []


def test_openvex(tmp_path: pathlib.Path) -> None:
    statement = {
        "vulnerability": {"name": "CVE-2026-00001"},
        "products": [{"@id": f"pkg:oci/web@{digest('web').replace(':', '%3A')}"}],
        "status": "not_affected",
        "justification": "vulnerable_code_not_in_execute_path",
    }
    other = {**statement, "status": "affected", "vulnerability": {"name": "CVE-2026-00002"}}
    vague = {**statement, "vulnerability": {"name": "CVE-2026-00003"}, "products": [{"@id": "pkg:generic/shop"}]}
    document = {"@context": "https://openvex.dev/ns/v0.2.0", "statements": [statement, other, vague]}
    (tmp_path / "vex.json").write_text(json.dumps(document))
    (tmp_path / "waivers.yml").write_text("vex:\n- {path: vex.json, scope: all, owner: shop, expires: 2027-01-31}\n")
    waivers = load_waivers(str(tmp_path / "waivers.yml"))
    assert [(waiver.name, waiver.digests) for waiver in waivers] == [("CVE-2026-00001", (digest("web"),))]
    assert "not in execute path" in waivers[0].reason
    assert judged(RULE_WAIVER, *waivers).state == "compliant"
    document["statements"] = [statement, {**statement, "status": "affected"}]
    (tmp_path / "vex.json").write_text(json.dumps(document))
    assert load_waivers(str(tmp_path / "waivers.yml")) == []


def test_csaf_of_red_hat(tmp_path: pathlib.Path) -> None:
    source = shared_data.path("csaf", "cve-2024-0727.json")
    (tmp_path / "waivers.yml").write_text(
        f"vex:\n- {{path: {json.dumps(str(source))}, scope: all, owner: shop, expires: 2027-01-31}}\n"
    )
    for waiver in load_waivers(str(tmp_path / "waivers.yml")):
        assert waiver.name == "CVE-2024-0727"
        assert waiver.packages or waiver.digests


@pytest.mark.parametrize("text", ["[]", "{}", "{", '{"statements": 5}', '{"document": {}, "vulnerabilities": [5]}'])
def test_damaged_vex_names_the_line_and_the_file(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "vex.json").write_text(text)
    (tmp_path / "w.yml").write_text("vex:\n- path: vex.json\n  scope: all\n  owner: o\n  expires: 2027-01-31\n")
    with pytest.raises(ScapError, match=r"w\.yml:2: vex\[0\]\.path: .*vex\.json"):
        load_waivers(str(tmp_path / "w.yml"))
