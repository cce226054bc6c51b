# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiled content gives the answers of the original; the rest of them is compared by `make differential`."""

from __future__ import annotations

import os
import pathlib
import re

import pytest
from ansible_collections.scap.images.plugins.module_utils.files import read_json, sha256_file
from ansible_collections.scap.images.plugins.module_utils.model import Evidence
from ansible_collections.scap.images.plugins.module_utils.scanner import contentinfo
from ansible_collections.scap.images.plugins.module_utils.scanner.compiled import is_sampled
from ansible_collections.scap.images.plugins.module_utils.scanner.tailor import tailor

from tests.data import demo_images
from tests.integration.inventory.lab import versions
from tests.support import both_ways
from tests.support.local_scans import Scanner, unproven

SAMPLE = [
    ("1.3.7", "ssg-rhel8-ds.xml", "stig"),
    ("1.3.7", "ssg-ubuntu2004-ds.xml", "cis_level1_server"),
    ("1.4.2", "ssg-debian12-ds.xml", "anssi_bp28_enhanced"),
]
PROFILE = "anssi_np_nt28_average"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    folder = tmp_path_factory.mktemp("compile")
    for parent in (folder, *folder.parents):
        if parent.name.startswith("pytest-"):
            parent.chmod(0o755)
    folder.chmod(0o755)
    return both_ways.hostile(folder / "root", both_ways.minimal)


@pytest.mark.parametrize(("version", "name", "profile"), SAMPLE)
def test_every_rule_of_a_hostile_root(
    root: pathlib.Path, tmp_path: pathlib.Path, version: str, name: str, profile: str
) -> None:
    if version not in versions():
        pytest.skip(f"oscap {version} is not here: tests/setup/trixie")
    (source,) = [path for path in both_ways.streams(version) if path.name == name]
    stream = both_ways.everywhere(source, tmp_path)
    info = contentinfo.content_info(str(stream))
    chosen = contentinfo.choose_profile(info, profile, name)
    ways = both_ways.Ways(version, root, tmp_path)
    found = ways.compare(stream, chosen, info.sha256)
    assert not found.differing
    assert found.rules == len(chosen.rules)
    assert found.evaluated > len(chosen.rules) // 5
    compiled = ways.compiled(stream, chosen, info.sha256)
    assert ways.validate(compiled).returncode == 0
    assert os.path.getsize(compiled) < os.path.getsize(stream) / 3


@pytest.mark.parametrize("version", versions())
def test_random_data_streams(tmp_path: pathlib.Path, version: str) -> None:
    for folder in (tmp_path, tmp_path.parent):
        folder.chmod(0o755)
    place = both_ways.random_root(tmp_path / "root")
    assert [both_ways.compare_random(version, place, tmp_path, seed) for seed in range(10)] == [[]] * 10


def _results(folder: pathlib.Path) -> dict[str, object]:
    (path,) = folder.glob("evidence/*/*/results.json.gz")
    results = read_json(str(path))
    del results["generated_at"]
    return dict(results)


def test_a_report_loses_nothing_and_a_false_answer_is_noticed(root: pathlib.Path, tmp_path: pathlib.Path) -> None:
    image = f"oci:{demo_images.layout()}:legacy"
    compiled, original = Scanner(tmp_path / "compiled"), Scanner(tmp_path / "original")
    first = compiled.one(image, profile=PROFILE, compile=True, sample=1.0)
    second = original.one(image, profile=PROFILE, compile=False)
    assert not unproven(first)
    assert not unproven(second)
    assert [check.check for check in first.coverage if check.check in ("compiled", "both_ways")] == [
        "compiled",
        "both_ways",
    ]
    assert first.content[0].sha256 == second.content[0].sha256
    assert first.content[0].compiled_sha256
    assert not second.content[0].compiled_sha256
    assert _results(tmp_path / "compiled") == _results(tmp_path / "original")
    assert {file.name for file in first.files} == {file.name for file in second.files}

    # The compiled file turns a rule's answer round; validation was done before.
    files = (tmp_path / "compiled" / "content").glob("*.compiled-*.xml")
    path = max(files, key=lambda file: file.stat().st_size)  # the other is the canary images'
    path.write_bytes(re.sub(rb"(<[\w:.-]*criteria)(>| [^>]*?)(?=>)", rb'\1 negate="true"\2', path.read_bytes()))
    digests = [demo_images.digests(demo_images.layout())[tag] for tag in ("legacy", "repaired")]
    share = next(n / 10_000 for n in range(10_000) if any(is_sampled(digest, n / 10_000) for digest in digests))
    again = compiled.scan(
        image, f"oci:{demo_images.layout()}:repaired", profile=PROFILE, compile=True, sample=share, reuse=False
    )
    assert len(again) == 2
    for entry in again.values():
        assert set(unproven(entry.evidence)) == {"both_ways"}
        kept = Evidence.from_json(read_json(os.path.join(entry.path, "evidence.json")))
        assert kept == entry.evidence
    assert sum("arf-original.xml.gz" in [file.name for file in entry.evidence.files] for entry in again.values()) == 1

    # From now on the original speaks.
    last = compiled.one(image, profile=PROFILE, compile=True)
    assert not unproven(last)
    assert not last.content[0].compiled_sha256
    assert "gave another answer once" in next(check.detail for check in last.coverage if check.check == "compiled")


TAILORING = """<t:Tailoring xmlns:t="http://checklists.nist.gov/xccdf/1.2" id="xccdf_org.example_tailoring_a">
<t:version time="2026-01-01T00:00:00">1</t:version>
<t:Profile id="xccdf_org.example_profile_ours" extends="xccdf_org.ssgproject.content_profile_anssi_np_nt28_high">
<t:title>Ours</t:title>
<t:select idref="xccdf_org.ssgproject.content_rule_package_telnetd_removed" selected="false"/>
<t:select idref="xccdf_org.ssgproject.content_rule_sshd_set_keepalive" selected="true"/>
<t:set-value idref="xccdf_org.ssgproject.content_value_var_sshd_set_keepalive">0</t:set-value>
<t:refine-rule idref="xccdf_org.ssgproject.content_rule_file_permissions_etc_shadow" severity="high"/>
</t:Profile></t:Tailoring>"""


def test_a_tailoring_gives_what_oscap_makes_of_it(root: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (source,) = [path for path in both_ways.streams("1.3.7") if path.name == "ssg-debian11-ds.xml"]
    stream = both_ways.everywhere(source, tmp_path)
    tailoring = tmp_path / "tailoring.xml"
    tailoring.write_text(TAILORING)
    path, (name,) = tailor(str(stream), str(tailoring), str(tmp_path))
    info = contentinfo.content_info(path)
    chosen = contentinfo.choose_profile(info, name, path)
    ways = both_ways.Ways("1.3.7", root, tmp_path)
    compiled = ways.compiled(pathlib.Path(path), chosen, info.sha256)
    ours = ways.evaluate(compiled, name, tmp_path / "ours")
    bare = ways.evaluate(str(stream), name, tmp_path / "bare", str(tailoring))
    assert ours == bare
    assert list(ours) == chosen.rules
    assert ours["xccdf_org.ssgproject.content_rule_file_permissions_etc_shadow"][1] == "high"


def test_a_tailored_scan(tmp_path: pathlib.Path) -> None:
    tailoring = tmp_path / "tailoring.xml"
    tailoring.write_text(TAILORING)
    scanner = Scanner(tmp_path / "scan")
    image = f"oci:{demo_images.layout()}:legacy"
    evidence = scanner.one(image, tailoring=str(tailoring), compile=True)
    assert not evidence.error
    assert not unproven(evidence)
    assert [(content.kind, content.profile) for content in evidence.content] == [
        ("datastream", "xccdf_org.example_profile_ours"),
        ("tailoring", "xccdf_org.example_profile_ours"),
    ]
    digests = [
        sha256_file(str(path)) for path in (both_ways.streams("1.3.7")[0].parent / evidence.content[0].id, tailoring)
    ]
    assert [content.sha256 for content in evidence.content] == digests
    (entry,) = scanner.scan(image, tailoring=str(tailoring), compile=True).values()
    assert entry.reused
    tailoring.write_text(TAILORING.replace('selected="false"', 'selected="true"'))
    (entry,) = scanner.scan(image, tailoring=str(tailoring), compile=True).values()
    assert not entry.reused
