# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C during a scan of several images: what is said, what is kept, and where the next run goes on."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess

import pytest

from tests.data import tiny
from tests.integration.matrix.environments import CORES, ansible
from tests.support import kube

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="as an ordinary user scans run in test_rootless")

CONTENT = "/usr/share/xml/scap/ssg/content/ssg-debian11-ds.xml"
IMAGES = 12
"""So many that the run cannot end between the first evidence and the interruption."""


def _start(programs: pathlib.Path, folder: pathlib.Path, images: list[str]) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(kube.ROOT / "build" / "dev"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    variables = {
        "scap_image": images,
        "scap_dir": str(folder / "scap"),
        "scap_content": CONTENT,
        "scap_profile": "standard",
        "scap_parallelism": 1,
    }
    argv = [str(programs / "ansible-playbook"), "scap.images.scan_image"]
    argv += ["--extra-vars", json.dumps(variables)]
    return subprocess.Popen(
        argv, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip


def _evidences(folder: pathlib.Path) -> dict[str, int]:
    found = (folder / "scap" / "evidence").glob("[0-9a-f]*/*/evidence.json")
    return {path.parts[-3]: path.stat().st_mtime_ns for path in found}


@pytest.mark.parametrize("release", list(CORES))
def test_the_next_run_goes_on_where_one_was_interrupted(tmp_path: pathlib.Path, release: str) -> None:
    programs = ansible(release)
    images = [tiny.layout(tmp_path / f"image{place}", {"etc/place": str(place)}) for place in range(IMAGES)]
    first = _start(programs, tmp_path, images)
    kube.until(lambda: len(_evidences(tmp_path)) >= 1, "an image is scanned", 120)
    os.killpg(first.pid, signal.SIGINT)
    said, _nothing = first.communicate(timeout=60)
    assert first.returncode != 0
    kept = _evidences(tmp_path)
    assert 1 <= len(kept) < IMAGES, said
    assert f"all of it is kept in {tmp_path / 'scap'}, and the next run goes on from there" in said, said
    second = _start(programs, tmp_path, images)
    said, _nothing = second.communicate(timeout=300)
    assert second.returncode == 0, said
    assert f"of {IMAGES} images; this one goes on from there" in said
    found = _evidences(tmp_path)
    assert len(found) == IMAGES
    assert {name: found[name] for name in kept} == kept
    assert not (tmp_path / "scap" / "progress.json").exists()
    third = _start(programs, tmp_path, images)
    said, _nothing = third.communicate(timeout=300)
    assert "interrupted" not in said
    assert _evidences(tmp_path) == found
