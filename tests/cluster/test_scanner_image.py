# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scanner image as the playbook builds it: really built, pushed, and found complete by setup."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from tests.support import kube, scanner_image
from tests.support.plays import play


@pytest.fixture
def builder(tmp_path: pathlib.Path) -> dict[str, str]:
    """A storage of its own, and a way to build that needs no privileges of the host."""
    conf = tmp_path / "storage.conf"
    conf.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n')
    return {"CONTAINERS_STORAGE_CONF": str(conf), "BUILDAH_ISOLATION": "chroot"}


@pytest.mark.skipif(os.geteuid() != 0, reason="apt in a build needs root here")
def test_built_pushed_and_complete(cluster: kube.Cluster, tmp_path: pathlib.Path, builder: dict[str, str]) -> None:
    """From the Containerfile of Debian, upon what the tests' own scanner image has already."""
    target = f"{cluster.registry}/scanner-built:1"
    variables = {
        "scap_scanner_target": target,
        "scap_scanner_base": scanner_image.pushed(cluster),
        "scap_build_options": ["--network=host"],
        "scap_validate_certs": False,
    }
    (tmp_path / "out").mkdir()
    said = play("scap.images.scanner_image", tmp_path / "out", variables, "--check", more=builder)
    assert "changed=0" in said
    said = play("scap.images.scanner_image", tmp_path / "out", variables, more=builder)
    found = re.search(r"scap_scanner_image: (\S+@sha256:[0-9a-f]{64})", said)
    assert found is not None, said
    assert found[1].startswith(target.rpartition(":")[0] + "@")
    ours = {"scap_namespace": "scap-built", "scap_kubeconfig": cluster.kubeconfig}
    try:
        play("scap.images.setup", tmp_path / "out", {**ours, "scap_scanner_image": found[1]})
    finally:
        play("scap.images.teardown", tmp_path / "out", ours)
    subprocess.run(["podman", "system", "reset", "--force"], env={**os.environ, **builder}, check=True)


def test_what_cannot_be_built_says_so(tmp_path: pathlib.Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "mkdir", "python3", "sleep", "chmod", "rm"):
        (programs / name).symlink_to(str(shutil.which(name)))
    nothing = {"PATH": str(programs)}
    for variables, said in (
        ({}, "names no place in a registry"),
        ({"scap_scanner_target": "registry.test/scanner:1", "scap_builder": "buildah"}, "install podman or buildah"),
    ):
        with pytest.raises(AssertionError, match=said):
            play("scap.images.scanner_image", tmp_path, variables, more=nothing)


_OC = """#!/bin/sh
echo "$@" >> {folder}/asked
case "$3" in
    apply) cat > {folder}/applied; echo "buildconfig.build.openshift.io/scanner created" ;;
    get) printf %s registry.test/scans/scanner@sha256:{digest} ;;
esac
"""


def test_what_a_cluster_is_asked_to_build(tmp_path: pathlib.Path) -> None:
    """No build API can run here: a script in the place of `oc` keeps what it is given."""
    program = tmp_path / "bin" / "oc"
    program.parent.mkdir()
    program.write_text(_OC.format(folder=tmp_path, digest="1" * 64))
    program.chmod(0o755)
    variables = {"scap_builder": "openshift", "scap_namespace": "scans", "scap_scanner_base": "mirror.test/debian:13"}
    path = {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    said = play("scap.images.scanner_image", tmp_path, variables, more=path)
    assert f"scap_scanner_image: registry.test/scans/scanner@sha256:{'1' * 64}" in said
    asked = [line.split()[2] for line in (tmp_path / "asked").read_text().splitlines()]
    assert asked == ["apply", "start-build", "get"]
    _stream, build = yaml.safe_load((tmp_path / "applied").read_text())["items"]
    assert build["spec"]["completionDeadlineSeconds"] == 1800
    lines = [line for line in build["spec"]["source"]["dockerfile"].splitlines() if not line.startswith("#")]
    assert lines[0] == "FROM mirror.test/debian:13"
    assert lines[1].startswith("RUN ")
