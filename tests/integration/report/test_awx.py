# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wrapper playbooks of examples/awx that need no cluster, run by ansible-runner as AWX does."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

import ansible_runner  # type: ignore[import-untyped]
import pytest

from tests.support.fleet import evidence, results, rule, store
from tests.support.trees import snapshot

ROOT = pathlib.Path(__file__).resolve().parents[3]


def _environment(folder: pathlib.Path) -> dict[str, str]:
    return {
        "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder / "home"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "dev"),
        "ANSIBLE_NOCOLOR": "true",
    }


def _job(folder: pathlib.Path, playbook: str, survey: t.Mapping[str, str]) -> ansible_runner.Runner:
    """A job: the project is only read, the HOME its own, each variable a text."""
    project = folder / "project"
    shutil.copytree(ROOT / "examples" / "awx", project)
    (folder / "home").mkdir()
    before = snapshot(project)
    runner = ansible_runner.run(
        private_data_dir=str(folder),
        playbook=f"{playbook}.yml",
        inventory="localhost ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'",
        extravars=dict(survey),
        envvars=_environment(folder),
        quiet=True,
    )
    assert snapshot(project) == before
    return runner


@pytest.mark.parametrize(
    ("playbook", "survey", "status", "said"),
    [
        ("judge", {"scap_fail_on": "error, stale"}, "failed", "1 of 3 images are error or stale"),
        ("judge", {}, "successful", "Judge the images"),
        ("report", {"scap_report_formats": "html,csv"}, "successful", "report: "),
        ("report", {"scap_fail_on": "non_compliant"}, "failed", "1 of 3 images are non_compliant"),
    ],
)
def test_a_job(tmp_path: pathlib.Path, playbook: str, survey: dict[str, str], status: str, said: str) -> None:
    root = tmp_path / "scap"
    root.mkdir()
    for name, record in (("web", results(rule("telnet"))), ("db", results())):
        store(root, evidence(name), record)
    store(root, evidence("bad", coverage=[]), results())
    if playbook == "report":
        assert _job(tmp_path / "before", "judge", {"scap_dir": str(root)}).status == "successful"
    runner = _job(tmp_path / "job", playbook, {"scap_dir": str(root), **survey})
    output = runner.stdout.read()
    assert runner.status == status, output
    assert said in output
    if playbook == "report":
        (artifacts,) = filter(None, (event["event_data"].get("artifact_data") for event in runner.events))
        assert artifacts["scap_summary"]["images"] == 3
        assert artifacts["scap_report"] == str(root / "report" / "index.html")


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "awx").glob("*.yml")), ids=lambda path: path.stem)
def test_each_wrapper_is_a_playbook_that_there_is(tmp_path: pathlib.Path, path: pathlib.Path) -> None:
    argv = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), "--syntax-check", str(path)]
    done = subprocess.run(argv, env={**_environment(tmp_path), "LC_ALL": "C.UTF-8"}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (ROOT / "playbooks" / path.name).exists()


def test_every_playbook_has_a_wrapper() -> None:
    ours = {path.name for path in (ROOT / "playbooks").glob("*.yml")}
    assert {path.name for path in (ROOT / "examples" / "awx").glob("*.yml")} == ours
