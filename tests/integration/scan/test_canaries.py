# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canary images: with a scanner that lies, nothing of its run is believed and no mark changes."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.marking.inputs import believable
from ansible_collections.scap.images.plugins.module_utils.model import Verdict
from ansible_collections.scap.images.plugins.module_utils.policy.run import load_grounds, verdicts_of
from ansible_collections.scap.images.plugins.module_utils.scan import engine
from ansible_collections.scap.images.plugins.module_utils.scan.interface import Settings
from ansible_collections.scap.images.plugins.module_utils.scan.local import LocalExecutor

from tests.data import tiny
from tests.support import trixie
from tests.support.local_scans import Scanner, unproven

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")

OSCAP = "usr/bin/oscap"
LIES = {
    "every failed rule passes": "sed -i 's/>fail</>pass</' /scap/out/arf.xml",
    "no definition is true": "sed -i '/definition_id=/s/result=.true./result=\"false\"/' /scap/out/oval-0.xml",
    "nothing is evaluated": "sed -i 's/>\\(pass\\|fail\\)</>notapplicable</' /scap/out/arf.xml",
}


@pytest.fixture
def tools(tmp_path: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """A root with the tools of this machine, in which oscap can be replaced."""
    root = tmp_path / "tools"
    for name in ("usr", "upper", "work"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    options = f"lowerdir=/usr,upperdir={root}/upper,workdir={root}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(root / "usr")], check=True)
    try:
        yield root
    finally:
        subprocess.run(["umount", str(root / "usr")], check=True)


def lie(tools: pathlib.Path, command: str) -> None:
    real = tools / "usr/bin/oscap.real"
    if not real.exists():
        (tools / OSCAP).rename(real)
    (tools / OSCAP).write_text(f'#!/bin/sh\noscap.real "$@"; status=$?\n{command} 2>/dev/null\nexit $status\n')
    (tools / OSCAP).chmod(0o755)


def states(folder: pathlib.Path) -> dict[str, Verdict]:
    return {
        verdict.image.reference.rpartition("/")[2]: verdict
        for verdict in verdicts_of(str(folder), load_grounds([], []))
    }


def test_a_scanner_that_lies(tmp_path: pathlib.Path, tools: pathlib.Path) -> None:
    """What it scanned is an error for good, what it reused is one until a run is right again; no mark follows it."""
    first = tiny.layout(tmp_path / "first")
    second = tiny.layout(tmp_path / "second", {"etc/motd": "another image\n"})
    scanner = Scanner(tmp_path / "scap", way="unpack", tools=str(tools))
    assert unproven(scanner.one(first)) == {}
    before = states(scanner.folder)
    assert {verdict.state for verdict in before.values()} == {"non_compliant"}
    assert believable(list(before.values())) == (list(before.values()), "")
    for name, command in LIES.items():
        lie(tools, command)
        found = scanner.scan(first, second)
        assert found[first].reused, name
        assert set(unproven(found[second].evidence)) >= {"canary_images"}, name
        judged = states(scanner.folder)
        assert [verdict.state for verdict in judged.values()] == ["error", "error"], name
        assert {verdict.reasons[0].code for verdict in judged.values()} == {"unproven_canary_images"}, name
        left, note = believable(list(judged.values()))
        assert left == []
        assert "2 images were scanned by a run whose canary images got wrong answers" in note
    (tools / "usr/bin/oscap.real").rename(tools / OSCAP)
    found = scanner.scan(first, second)
    assert (found[first].reused, found[second].reused) == (True, False)
    assert {verdict.state for verdict in states(scanner.folder).values()} == {"non_compliant"}
    assert not (scanner.folder / "canaries").exists()
    assert len(os.listdir(scanner.folder / "evidence")) == 2
    damage = json.loads((scanner.folder / "canaries.json").read_text())
    assert damage["passed"] is True
    for text in ("", "{}", '{"passed": 1, "detail": ""}', '{"passed": true}'):
        (scanner.folder / "canaries.json").write_text(text)
        assert {verdict.state for verdict in states(scanner.folder).values()} == {"error"}, text


@pytest.mark.skipif(not pathlib.Path(trixie.path()).is_dir(), reason="oscap 1.4 is not here")
def test_the_canaries_are_right_with_oscap_1_4(tmp_path: pathlib.Path) -> None:
    evidence = Scanner(tmp_path / "scap", tools=trixie.path()).one(tiny.layout(tmp_path / "layout"))
    assert "canary_images" in {check.check for check in evidence.coverage if check.passed}


def test_a_run_of_nothing_scans_no_canaries(tmp_path: pathlib.Path) -> None:
    scanner = Scanner(tmp_path / "scap")
    assert list(engine.scan([], LocalExecutor(scanner._options), Settings(dir=str(tmp_path / "scap")))) == []
    assert not (tmp_path / "scap" / "canaries.json").exists()
