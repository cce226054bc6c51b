# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of a gate in a build pipeline, as a pipeline runs it: archives, and a registry that gets what passed."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

from tests.data import tiny
from tests.support import kube, registry

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="as an ordinary user scans run in test_rootless")

CONTENT = "/usr/share/xml/scap/ssg/content/ssg-debian11-ds.xml"


def _gate(folder: pathlib.Path, archive: str, target: str) -> subprocess.CompletedProcess[str]:
    """One build, in a folder of its own, as a pipeline gives each."""
    environment = {
        **os.environ,
        "PWD": str(folder),
        "ANSIBLE_COLLECTIONS_PATH": str(kube.ROOT / "build" / "dev"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    variables = {
        "archive": archive,
        "target": target,
        "skopeo_options": ["--insecure-policy", "--dest-tls-verify=false"],
        "scap_content": CONTENT,
        "scap_profile": "standard",
        "scap_policy": str(folder / "policy.yml"),
    }
    argv = [str(pathlib.Path(sys.executable).parent / "ansible-playbook")]
    argv += [str(kube.ROOT / "examples" / "pipeline" / "gate.yml"), "--extra-vars", json.dumps(variables)]
    return subprocess.run(argv, env=environment, cwd=folder, check=False, capture_output=True, text=True)


def test_only_what_is_compliant_is_pushed(tmp_path: pathlib.Path) -> None:
    builds = {name: tmp_path / name for name in ("good", "bad", "broken")}
    rules = {"required": ["package_inetutils-telnetd_removed"]}
    for folder in builds.values():
        folder.mkdir()
        policy = {"name": "gate", "thresholds": {"rules": {}}, "rules": rules}
        (folder / "policy.yml").write_text(json.dumps(policy))
    without_telnet = {"var/lib/dpkg/status": tiny.status({"base-files": "11.1+deb11u11"})}
    for name, files in (("good", without_telnet), ("bad", {})):
        source = tiny.layout(tmp_path / f"layout-{name}", files)
        argv = ["skopeo", "--insecure-policy", "copy", "-q", source, f"oci-archive:{builds[name]}/built.tar"]
        subprocess.run(argv, check=True)
    (builds["broken"] / "built.tar").write_bytes(b"not an archive")
    with registry.running(tmp_path / "registry") as plain:
        said = {name: _gate(folder, "built.tar", f"{plain.address}/shop/{name}:1") for name, folder in builds.items()}
    assert said["good"].returncode == 0, said["good"].stdout + said["good"].stderr
    for name, state in (("bad", "non_compliant"), ("broken", "error")):
        assert said[name].returncode != 0
        assert "1 of 1 images are non_compliant or error" in said[name].stdout
        verdict = json.loads((builds[name] / "scap-images" / "verdicts.jsonl").read_text())
        assert verdict["state"] == state
    pushed = tmp_path / "registry" / "data" / "docker" / "registry" / "v2" / "repositories" / "shop"
    assert [path.name for path in pushed.iterdir()] == ["good"]
    report = builds["bad"] / "scap-images" / "report"
    assert {"index.html", "junit.xml", "results.sarif"} <= {path.name for path in report.iterdir()}
