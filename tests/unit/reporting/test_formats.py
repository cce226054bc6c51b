# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats for machines, read back with readers of their own."""

from __future__ import annotations

import csv
import json
import pathlib
import re
import typing as t
import xml.etree.ElementTree as ET

import pytest
from ansible_collections.scap.images.plugins.module_utils.files import write_json
from ansible_collections.scap.images.plugins.module_utils.model import Package, Reason, to_json
from ansible_collections.scap.images.plugins.module_utils.policy.run import judge_folder, load_grounds
from ansible_collections.scap.images.plugins.module_utils.reporting.run import FORMATS, write_reports

from tests.support.fleet import evidence, many, results, rule, store, vulnerability
from tests.support.shared_data import path as shared

EVIL = "=cmd|' /C calc'!A0 \"quoted\", <b>&amp; \x00\x1b\u202e\n]]>"


@pytest.fixture
def fleet(tmp_path: pathlib.Path) -> pathlib.Path:
    """Four images: one fails in every way and is waived in part, one is compliant, one an error, one not applicable."""
    found = results(
        rule("telnet", title=EVIL),
        rule("nis", "fail", "medium"),
        vulnerabilities=[vulnerability(1), vulnerability(2, title=EVIL, packages=["a", "b"], fixed_in=["1", ""])],
    )
    folder = store(tmp_path, evidence("web", feeds=1), found)
    packages = [Package("package1", "1.0", "2", manager="rpm")]
    write_json(str(folder / "packages.json.gz"), [to_json(package) for package in packages])
    store(tmp_path, evidence("db"), results())
    store(tmp_path, evidence(f"bad{EVIL}", digest="", error=Reason("registry_down", EVIL)), None)
    store(tmp_path, evidence("scratch", not_applicable=Reason("no_content", "none")), None)
    waivers = [
        {"rule": "nis", "scope": "all", "owner": "o", "reason": EVIL.replace("\x00", ""), "expires": "2999-01-01"},
        {"definition": vulnerability(1).id, "scope": "all", "owner": "o", "reason": "r", "expires": "2999-01-01"},
    ]
    (tmp_path / "w.yml").write_text(json.dumps({"waivers": waivers}))
    grounds = load_grounds([], [str(tmp_path / "w.yml")])
    judge_folder(str(tmp_path), grounds, write=True, keep=0)
    return tmp_path


def written(root: pathlib.Path, name: str) -> pathlib.Path:
    return pathlib.Path(write_reports(str(root), [name]).paths[name])


def test_csv(fleet: pathlib.Path) -> None:
    rows = list(csv.DictReader(written(fleet, "csv").open(newline="", encoding="utf-8")))
    by_state: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_state.setdefault(row["state"], []).append(row)
    assert {state: len(found) for state, found in by_state.items()} == {
        "non_compliant": 4,
        "compliant": 1,
        "error": 1,
        "not_applicable": 1,
    }
    assert sorted(row["waived_until"] for row in by_state["non_compliant"]) == ["", "", "2999-01-01", "2999-01-01"]
    assert by_state["error"][0]["reason"].startswith("'=cmd")
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_junit(fleet: pathlib.Path) -> None:
    suites = {suite.get("name", "").rpartition("/")[2]: suite for suite in ET.parse(written(fleet, "junit")).getroot()}
    assert len(suites) == 4
    web = suites["web:1"]
    assert (web.get("tests"), web.get("failures"), web.get("skipped"), web.get("errors")) == ("5", "3", "2", "0")
    assert len(web.findall("testcase")) == 5
    assert len(web.findall("testcase/failure")) == 3
    assert len(web.findall("testcase/skipped")) == 2
    assert suites["db:1"].get("failures") == "0"
    assert suites["scratch:1"].find("testcase/skipped") is not None
    (failed,) = [suite for suite in suites.values() if suite.get("errors") == "1"]
    assert failed.find("testcase/error") is not None


def test_sarif(fleet: pathlib.Path) -> None:
    (run,) = json.loads(written(fleet, "sarif").read_text("utf-8"))["runs"]
    assert len(run["results"]) == 4
    assert sum("suppressions" in result for result in run["results"]) == 2
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {it["ruleId"] for it in run["results"]}
    assert run["invocations"][0]["executionSuccessful"] is False
    assert len(run["invocations"][0]["toolExecutionNotifications"]) == 1


def test_cyclonedx(fleet: pathlib.Path) -> None:
    document = json.loads(written(fleet, "cyclonedx").read_text("utf-8"))
    references = {component["bom-ref"] for component in document["components"]}
    assert len(references) == 4
    assert {it["id"] for it in document["vulnerabilities"]} == {"CVE-2026-00001", "CVE-2026-00002"}
    assert all(entry["ref"] in references for it in document["vulnerabilities"] for entry in it["affects"])
    web = next(component for component in document["components"] if component["name"].endswith("web:1"))
    assert web["purl"].startswith("pkg:oci/web@sha256%3A")
    assert "repository_url=registry.example%3A5000/shop/web" in web["purl"]


def test_prometheus(fleet: pathlib.Path) -> None:
    lines = written(fleet, "prometheus").read_text("utf-8").splitlines()
    sample = re.compile(r'scap_images_[a-z_]+(\{[a-z]+="(\\.|[^"\\])*"(,[a-z]+="(\\.|[^"\\])*")*\})? [0-9]+\Z')
    assert all(line.startswith("# ") or sample.match(line) for line in lines)
    assert 'scap_images_images{state="non_compliant"} 1' in lines
    assert 'scap_images_images{state="error"} 1' in lines
    assert 'scap_images_findings{severity="high"} 2' in lines
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))


def test_gitlab(fleet: pathlib.Path) -> None:
    document = json.loads(written(fleet, "gitlab").read_text("utf-8"))
    assert document["scan"]["type"] == "container_scanning"
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\Z", document["scan"]["end_time"])
    found = document["vulnerabilities"]
    assert [it["location"]["dependency"]["package"]["name"] for it in found] == ["a", "b"]
    assert ["solution" in it for it in found] == [True, False]
    assert len({it["id"] for it in found}) == 2
    assert document["scan"]["messages"][0]["value"].startswith("docker://")


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_of_nothing_and_of_many(tmp_path: pathlib.Path, name: str) -> None:
    (tmp_path / "verdicts.jsonl").write_text("")
    assert written(tmp_path, name).exists()
    many(tmp_path, 40)
    judge_folder(str(tmp_path), load_grounds([], []), write=True, keep=0)
    path = written(tmp_path, name)
    assert path.stat().st_size > 500
    if path.suffix == ".json":
        assert json.loads(path.read_text("utf-8"))
    assert write_reports(str(tmp_path), [name]).changed == []


def test_a_real_result_of_another_tool(tmp_path: pathlib.Path) -> None:
    from ansible_collections.scap.images.plugins.module_utils.policy.run import judge_file

    source = shared("results", "smart_proxy-oval-results.xml.bz2")
    verdict: dict[str, t.Any] = judge_file(str(source), "docker://r/x:1", load_grounds([], [])).verdicts[0]
    (tmp_path / "verdicts.jsonl").write_text(json.dumps(verdict) + "\n")
    for name in FORMATS:
        assert written(tmp_path, name).exists()
    rows = list(csv.DictReader((tmp_path / "report" / "findings.csv").open(newline="", encoding="utf-8")))
    assert len(rows) == len(verdict["vulnerabilities"])
