# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images scanned inside the cluster, with real pods, on every rung."""

from __future__ import annotations

import gzip
import json
import pathlib
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.scan.interface import Settings
from ansible_collections.scap.images.plugins.module_utils.scanner.pod import COPY, PULL, RUNGS, USERNS

from tests.data import tiny
from tests.support import kube, scanning

CONTENT = "/usr/share/xml/scap/ssg/content/ssg-debian11-ds.xml"


@pytest.fixture(scope="module")
def place(cluster: kube.Cluster) -> t.Iterator[scanning.Scanning]:
    with scanning.prepared(cluster) as found:
        yield found


@pytest.fixture
def settings(tmp_path: pathlib.Path) -> Settings:
    folder = tmp_path / "scap"
    folder.mkdir()
    return Settings(dir=str(folder), datastream=CONTENT, profile="standard", timeout=300.0)


@pytest.mark.parametrize("rung", RUNGS)
def test_each_rung_gives_the_same_answer(
    place: scanning.Scanning, settings: Settings, tmp_path: pathlib.Path, rung: str
) -> None:
    image = place.pushed(tiny.layout(tmp_path / "tiny"), f"tiny-{rung.replace('_', '-')}:1")
    (found,) = place.scan([image], settings, [rung])
    evidence = found.evidence
    assert evidence.error is None, evidence.error
    assert (evidence.scan.executor, evidence.scan.rung, evidence.digest) == ("kubernetes", rung, image.digest)
    assert [check for check in evidence.coverage if not check.passed] == []
    assert evidence.packages == 2
    with gzip.open(pathlib.Path(found.path) / "results.json.gz") as stream:
        results = json.load(stream)
    failed = {rule["id"] for rule in results["rules"] if rule["result"] == "fail"}
    assert "xccdf_org.ssgproject.content_rule_package_telnetd_removed" in " ".join(failed) or failed
    assert kube.until(lambda: place.cluster.admin.get(place.jobs)["items"] == [], "no Job is left")


def test_rungs_are_three() -> None:
    assert (USERNS, COPY, PULL) == RUNGS
