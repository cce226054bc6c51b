# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real results with known answers, and one evaluation by the real oscap."""

from __future__ import annotations

import bz2
import collections
import lzma
import pathlib
import shutil
import subprocess
import tarfile
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import Results, ScapError, to_json
from ansible_collections.scap.images.plugins.module_utils.results import parse_file

from tests.support import shared_data

COUNTS = [
    ("manageiq-ssg-fedora-ds-arf.xml.xz", "arf", {"pass": 23, "fail": 50, "notselected": 140}, "1.2.8"),
    (
        "compliance-operator-xccdf-result.xml.xz",
        "xccdf",
        {
            "pass": 32,
            "fail": 193,
            "error": 4,
            "informational": 2,
            "notselected": 229,
            "notapplicable": 1,
            "notchecked": 3,
        },
        "1.3.1",
    ),
    ("foreman-arf_report.bz2", "arf", {"pass": 1, "fail": 25, "notchecked": 2}, "1.2.9"),
    ("openscap-report-arf_no_system_data.xml", "arf", {"fail": 1}, "1.3.5"),
    (
        "openscap-test_xccdf_overrides.arf.xml.xz",
        "arf",
        {"pass": 11, "fail": 12, "notchecked": 1, "notselected": 4},
        "1.0.9",
    ),
]
RHEL8_TRUE = "1619 2692 3352 3513 3520 3530 3575 3583 3592 3600 3624 3698 3700 3701 3706 3707"


@pytest.mark.parametrize(("name", "kind", "counts", "version"), COUNTS)
def test_rule_counts(name: str, kind: str, counts: dict[str, int], version: str) -> None:
    parsed = parse_file(str(shared_data.path("results", name)))
    results = parsed.results
    assert parsed.kind == kind
    assert {result: number for result, number in results.rule_counts.items() if number} == counts
    assert collections.Counter(result for _rule, result in parsed.rule_results) == counts
    assert len(results.rules) == sum(counts.values()) - counts.get("notselected", 0)
    assert not results.vulnerabilities
    assert not results.definition_counts, "OVAL inside an ARF belongs to its rules"
    assert parsed.tool == "OpenSCAP"
    assert parsed.tool_version == version
    assert Results.from_json(to_json(results)) == results


def test_texts_of_what_failed_and_of_nothing_else() -> None:
    parsed = parse_file(str(shared_data.path("results", "manageiq-ssg-fedora-ds-arf.xml.xz")))
    assert parsed.profile == "xccdf_org.ssgproject.content_profile_common"
    assert parsed.benchmark_id == "xccdf_org.ssgproject.content_benchmark_FEDORA"
    rules = {rule.id.rpartition("_rule_")[2]: rule for rule in parsed.results.rules}
    rule = rules["ensure_gpgcheck_never_disabled"]
    assert (rule.result, rule.severity) == ("fail", "high")
    assert rule.title == "gpgcheck Enabled For All Yum Package Repositories"
    assert rule.description.endswith("of the form:\ngpgcheck=0")
    assert all(rule.title for rule in parsed.results.rules if rule.result == "fail")
    assert not any(rule.title or rule.fix for rule in parsed.results.rules if rule.result == "pass")


def test_oval_of_another_tool() -> None:
    parsed = parse_file(str(shared_data.path("results", "smart_proxy-oval-results.xml.bz2")))
    assert parsed.kind == "oval"
    assert parsed.tool_version == "1.2.17"
    assert parsed.results.definition_counts["true"] == 67 == len(parsed.definitions)
    found = {entry.id: entry for entry in parsed.results.vulnerabilities}
    entry = found["oval:com.redhat.rhsa:def:20204265"]
    assert entry.severity == "high"
    assert entry.cves == ["CVE-2020-2181", "CVE-2020-2182", "CVE-2020-2224", "CVE-2020-2225", "CVE-2020-2226"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("openscap_parser-invalid_report.xml", "results_malformed"),
        ("smart_proxy-corrupted_arf_report.bz2", "results_malformed"),
    ],
)
def test_no_result_is_an_error_that_names_the_file(name: str, code: str) -> None:
    with pytest.raises(ScapError, match=name) as raised:
        parse_file(str(shared_data.path("results", name)))
    assert raised.value.code == code


@pytest.mark.parametrize("name", ["com.redhat.rhsa-RHEL8.xml.xz", "alma-org.almalinux.alsa-9.xml.bz2"])
def test_definitions_that_nobody_evaluated_are_no_results(name: str) -> None:
    with pytest.raises(ScapError, match="oval_definitions"):
        parse_file(str(shared_data.path("oval", name)))


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[pathlib.Path]:
    """OVAL results of the RHEL 8 feed on the RHEL 8 root by the real oscap."""
    if shutil.which("oscap") is None:
        pytest.skip("oscap is not installed")
    folder = tmp_path_factory.mktemp("oval")
    root, home = folder / "root", folder / "home"
    home.mkdir()
    (home / ".rpmmacros").write_text("%_dbpath /var/lib/rpm\n")
    with tarfile.open(shared_data.path("roots", "rhel8-ubi8.0.tar.xz")) as archive:
        archive.extractall(root)
    (folder / "feed.xml").write_bytes(
        lzma.decompress(shared_data.path("oval", "com.redhat.rhsa-RHEL8.xml.xz").read_bytes())
    )
    subprocess.run(
        ["oscap", "oval", "eval", "--results", "results.xml", "feed.xml"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "OSCAP_PROBE_ROOT": str(root)},
        check=True,
        capture_output=True,
        timeout=120,
    )
    yield folder / "results.xml"
    shutil.rmtree(folder)


def test_rhel8_feed_on_the_rhel8_root(evaluated: pathlib.Path) -> None:
    parsed = parse_file(str(evaluated))
    results = parsed.results
    assert {key: value for key, value in results.definition_counts.items() if value} == {"true": 16, "false": 113}
    assert not results.undecided
    assert sorted(entry.id.rpartition(":")[2] for entry in results.vulnerabilities) == [
        f"2019{number}" for number in RHEL8_TRUE.split()
    ]
    found = {entry.id.rpartition(":")[2]: entry for entry in results.vulnerabilities}
    lua = found["20193706"]
    assert (lua.severity, lua.cves, lua.packages, lua.fixed_in) == (
        "medium",
        ["CVE-2019-6706"],
        ["lua-libs"],
        ["0:5.3.4-11.el8"],
    )
    assert found["20191619"].severity == "high"
    for entry in results.vulnerabilities:
        assert entry.packages
        assert len(entry.packages) == len(entry.fixed_in)
        assert all(entry.fixed_in)
    packed = evaluated.with_name("named-wrongly.gz")
    packed.write_bytes(bz2.compress(evaluated.read_bytes()))
    assert parse_file(str(packed)) == parsed
