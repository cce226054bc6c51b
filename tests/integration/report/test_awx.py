# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wrapper playbooks of examples/awx that need no cluster, run by ansible-runner as AWX does."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from tests.data import tiny
from tests.support.awx import environment, job
from tests.support.fleet import evidence, results, rule, store

ROOT = pathlib.Path(__file__).resolve().parents[3]
CONTENT = "/usr/share/xml/scap/ssg/content/ssg-debian11-ds.xml"


@pytest.mark.parametrize(
    ("playbook", "survey", "status", "said"),
    [
        ("judge", {"scap_fail_on": "error, stale"}, "failed", "1 of 3 images are error or stale"),
        ("judge", {}, "successful", "Judge the images"),
        ("report", {"scap_report_formats": "html,csv"}, "successful", "report: "),
        ("report", {"scap_fail_on": "non_compliant"}, "failed", "1 of 3 images are non_compliant"),
    ],
)
def test_ajob(tmp_path: pathlib.Path, playbook: str, survey: dict[str, str], status: str, said: str) -> None:
    root = tmp_path / "scap"
    root.mkdir()
    for name, record in (("web", results(rule("telnet"))), ("db", results())):
        store(root, evidence(name), record)
    store(root, evidence("bad", coverage=[]), results())
    if playbook == "report":
        assert job(tmp_path / "before", "judge", {"scap_dir": str(root)}).status == "successful"
    runner = job(tmp_path / "job", playbook, {"scap_dir": str(root), **survey})
    output = runner.stdout.read()
    assert runner.status == status, output
    assert said in output
    if playbook == "report":
        (artifacts,) = filter(None, (event["event_data"].get("artifact_data") for event in runner.events))
        assert artifacts["scap_summary"]["images"] == 3
        assert artifacts["scap_report"] == str(root / "report" / "index.html")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_a_job_that_scans(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "scap"
    images = [tiny.layout(tmp_path / name, {"etc/name": name}) for name in ("one", "two")]
    survey = {"scap_dir": str(root), "scap_image": ", ".join(images), "scap_profile": "standard"}
    runner = job(tmp_path / "job", "scan_image", {**survey, "scap_content": CONTENT, "scap_fail_on": "non_compliant"})
    output = runner.stdout.read()
    assert runner.status == "failed", output
    assert "2 of 2 images are non_compliant" in output
    assert "non_compliant     1       2" in output  # the table at the end
    assert (root / "report" / "index.html").exists()


def test_a_job_that_bundles(tmp_path: pathlib.Path) -> None:
    bundle = tmp_path / "content.bundle.tar"
    runner = job(tmp_path / "job", "bundle", {"scap_content": CONTENT, "scap_bundle": str(bundle)})
    assert runner.status == "successful", runner.stdout.read()
    assert bundle.stat().st_size > 100_000


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "awx").glob("*.yml")), ids=lambda path: path.stem)
def test_each_wrapper_is_a_playbook_that_there_is(tmp_path: pathlib.Path, path: pathlib.Path) -> None:
    argv = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), "--syntax-check", str(path)]
    done = subprocess.run(argv, env={**environment(tmp_path), "LC_ALL": "C.UTF-8"}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (ROOT / "playbooks" / path.name).exists()


def test_every_playbook_has_a_wrapper() -> None:
    ours = {path.name for path in (ROOT / "playbooks").glob("*.yml")}
    assert {path.name for path in (ROOT / "examples" / "awx").glob("*.yml")} == ours
