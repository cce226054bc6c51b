# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node runs pods as a real one does, and leaves nothing behind."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from tests.cluster.node import down, up
from tests.cluster.node.place import Place, load
from tests.cluster.node.processes import Ledger, with_argument
from tests.support import kube, scanner_image

J = t.Dict[str, t.Any]


@pytest.fixture(scope="module")
def image(cluster: kube.Cluster) -> str:
    return scanner_image.pushed(cluster)


def _pod(name: str, image: str, script: str) -> J:
    container = {"name": "main", "image": image, "command": ["/bin/sh", "-c", script]}
    container["volumeMounts"] = [{"name": "root", "mountPath": "/root-of-image"}]
    spec = {
        "hostUsers": False,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "volumes": [{"name": "root", "image": {"reference": image, "pullPolicy": "IfNotPresent"}}],
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def test_image_volume_in_a_user_namespace_logs_and_exec(cluster: kube.Cluster, image: str) -> None:
    with cluster.namespace() as namespace:
        pods = f"/api/v1/namespaces/{namespace}/pods"
        script = "cat /root-of-image/etc/debian_version /proc/self/uid_map; sleep 600"
        cluster.admin.create(pods, _pod("one", image, script))
        kube.until(lambda: cluster.admin.get(f"{pods}/one")["status"]["phase"] == "Running", "the pod runs")
        said = kube.until(lambda: cluster.kubectl("logs", "-n", namespace, "one"), "the pod says something").split()
        assert said[0].startswith("13")
        assert (said[1], int(said[2]) >= 65536, said[3]) == ("0", True, "65536")
        inside = cluster.kubectl("exec", "-n", namespace, "one", "-i", "--", "cat", stdin="through and back")
        assert inside == "through and back"
        with pytest.raises(AssertionError, match=r"[Rr]ead-only"):
            cluster.kubectl("exec", "-n", namespace, "one", "--", "touch", "/root-of-image/etc/x")
        assert cluster.kubectl("run", "-n", namespace, "two", f"--image={image}", "--dry-run=server", "-o", "name")


def test_start_twice_and_stop_leaves_nothing(cluster: kube.Cluster, image: str, tmp_path: pathlib.Path) -> None:
    before = _control_groups()
    folder = tmp_path / "second"
    try:
        place = up.start(folder)
        running = Ledger(folder / "processes.json").read()
        assert up.start(folder) == place
        assert Ledger(folder / "processes.json").read() == running
        other = kube.Cluster(place)
        pushed = scanner_image.pushed(other)
        pods = "/api/v1/namespaces/default/pods"
        other.admin.create(pods, _pod("left", pushed, "sleep 600"))
        kube.until(lambda: other.admin.get(f"{pods}/left")["status"]["phase"] == "Running", "the pod runs")
        assert len(_traces(place)) > 5
    finally:
        down.stop(folder)
    assert load(folder) is None
    assert not [process for process in running if process.alive()]
    assert _traces(place) == []
    assert _control_groups() <= before
    assert not place.run.exists()
    assert os.listdir(folder) == []


def _traces(place: Place) -> list[str]:
    """Mounts, links, log links, network results and processes of this cluster."""
    mounts = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    found = [mount for mount in mounts if mount.startswith((f"{place.folder}/", f"{place.run}/"))]
    found += [link for link in os.listdir("/sys/class/net") if link == place.name]
    logs = pathlib.Path("/var/log/containers")
    found += [str(link) for link in logs.glob("*") if str(link.readlink()).startswith(f"{place.folder}/")]
    found += [str(result) for result in pathlib.Path("/var/lib/cni/results").glob(f"{place.name}-*")]
    return found + [process.name for process in with_argument(str(place.containerd))]


def _control_groups() -> set[str]:
    return {
        folder for folder, _folders, _files in os.walk("/sys/fs/cgroup") if "k8s.io" in folder or "kubepods" in folder
    }
