# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feeds by their remainders: the answers of oscap on the whole feed. A sample; tests/differential has all of it."""

from __future__ import annotations

import lzma
import os
import pathlib

import pytest
from ansible_collections.scap.images.plugins.module_utils.files import read_json

from tests.integration.inventory.lab import Lab, lab
from tests.support import random_oval, shared_data
from tests.support.local_scans import Scanner, unproven
from tests.support.residuals import Both, comparable, differences, tally

__all__ = ["lab"]
KNOWN = {1619, 2692, 3352, 3513, 3520, 3530, 3575, 3583, 3592, 3600, 3624, 3698, 3700, 3701, 3706, 3707}
"""RHSA-2019 that hold for the root of UBI 8.0."""


def test_known_answer(lab: Lab, tmp_path: pathlib.Path) -> None:
    lab.unpack("rhel8-ubi8.0")
    both, feed = Both.of(lab), tmp_path / "rhel8.xml"
    feed.write_bytes(lzma.decompress(shared_data.path("oval", "com.redhat.rhsa-RHEL8.xml.xz").read_bytes()))
    whole, (compiled, ended) = both.whole(str(feed)), both.compiled(str(feed), tmp_path / "cache")
    assert not differences(whole, compiled)
    assert {f"oval:com.redhat.rhsa:def:2019{number}" for number in KNOWN} == {
        entry.id for entry in compiled.results.vulnerabilities
    }
    assert (ended.definitions, ended.roll_call.passed) == (129, True)
    assert ended.remainders < 30


def test_a_scan_names_both_digests_and_keeps_the_reasons(tmp_path: pathlib.Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    feed, scanner = tmp_path / "rhel8.xml", Scanner(tmp_path / "scaps")
    feed.write_bytes(lzma.decompress(shared_data.path("oval", "com.redhat.rhsa-RHEL8.xml.xz").read_bytes()))
    reference = f"oci-archive:{shared_data.path('images', 'rhel8-ubi8.0-bdb.oci.tar')}"
    both = []
    for compiles in (True, False):
        settings = {"profile": "none", "oval": [str(feed)], "compile": compiles, "reuse": False, "sample": 1.0}
        (entry,) = scanner.scan(reference, **settings).values()
        evidence, place = entry.evidence, pathlib.Path(entry.path)
        assert evidence.error is None
        assert not unproven(evidence)
        assert bool(evidence.content[0].compiled_sha256) is compiles
        both.append(read_json(str(place / "results.json.gz")))
        if compiles:
            note = read_json(str(place / "oval-0.remainders.json.gz"))
            assert note["compiled_sha256"] == evidence.content[0].compiled_sha256
            assert len(note["decided"]) + sum(len(members) for _answer, members in note["inherited"]) == 129
            details = [check.detail for check in evidence.coverage if check.check in ("packages", "both_ways")]
            assert any("in the run that gave the answers" in detail for detail in details)
            assert "129 definitions have the same answers compiled and not" in details
    compiled, whole = (comparable(record) for record in both)
    assert compiled == whole
    assert len(whole["vulnerabilities"]) == 16


@pytest.mark.parametrize("manager", ["rpm", "dpkg"])
def test_random_documents(lab: Lab, tmp_path: pathlib.Path, manager: str) -> None:
    random_oval.fill(lab.root, manager)
    documents = ((f"seed-{seed}", random_oval.Document(seed, manager).bytes()) for seed in range(12))
    found = tally(Both.of(lab), documents, tmp_path / "cache")
    assert not found.different
    assert found.refused + found.unread < found.documents / 2
    assert {name for name, count in found.answers.items() if count} >= {"true", "false", "unknown", "not evaluated"}
