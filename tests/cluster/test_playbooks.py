# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""setup, a whole scan run and teardown, as a user calls them."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError

from tests.data import tiny
from tests.support import kube, scanner_image

CONTENT = "/usr/share/xml/scap/ssg/content/ssg-debian11-ds.xml"


def _play(name: str, folder: pathlib.Path, variables: t.Mapping[str, t.Any], *options: str) -> str:
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(kube.ROOT / "build" / "dev"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    argv = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), f"scap.images.{name}", *options]
    argv += ["--extra-vars", json.dumps(dict(variables))]
    done = subprocess.run(argv, env=environment, cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_setup_scan_and_teardown(cluster: kube.Cluster, tmp_path: pathlib.Path) -> None:
    reference = cluster.push(tiny.layout(tmp_path / "tiny", {"etc/playbook": "x"}), "playbook:1")
    digest = reference.rpartition("@")[2]
    base = {"scap_namespace": "scap-play", "scap_kubeconfig": cluster.kubeconfig}
    scan = {
        **base,
        "scap_dir": str(tmp_path / "scap"),
        "scap_sources": [{"type": "list", "images": [f"docker://{reference}"]}],
        "scap_insecure_registries": [cluster.registry],
        "scap_scanner_image": scanner_image.pushed(cluster),
        "scap_content": CONTENT,
        "scap_profile": "standard",
        "scap_stage": "deny",
    }
    try:
        _play("setup", tmp_path, base)
        _play("scan", tmp_path, scan)
        verdicts = [json.loads(line) for line in (tmp_path / "scap" / "verdicts.jsonl").read_text().splitlines()]
        assert [(entry["image"]["digest"], entry["state"]) for entry in verdicts] == [(digest, "non_compliant")]
        assert verdicts[0]["scan"]["executor"] == "kubernetes"
        assert verdicts[0]["scan"]["rung"] == "image_volume_userns"
        scans = "/apis/scap-images.github.io/v1alpha1/imagescans"
        assert cluster.exists(f"{scans}/{digest.replace(':', '-')}")
        assert (tmp_path / "scap" / "report" / "index.html").exists()
        [mark] = [json.loads(line) for line in (tmp_path / "scap" / "marks.jsonl").read_text().splitlines()]
        assert (mark["digest"], mark["denied"], mark["blocked"]) == (digest, True, "proven")
        with cluster.namespace() as namespace, pytest.raises(KubeError, match="is marked non_compliant"):
            _try(cluster, namespace, reference)
    finally:
        _play("teardown", tmp_path, base)
    with cluster.namespace() as namespace:
        kube.until(lambda: _try(cluster, namespace, reference), "the image may run again")
    assert _left(cluster) == []
    _play("teardown", tmp_path, base)


def _try(cluster: kube.Cluster, namespace: str, image: str) -> bool:
    spec = {"containers": [{"name": "main", "image": image}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "try"}, "spec": spec}
    return cluster.admin.create(f"/api/v1/namespaces/{namespace}/pods", body, dry_run=True).status < 300


def _left(cluster: kube.Cluster) -> list[str]:
    """Objects that carry the collection's label or name, in the cluster or in the namespaces of this test."""
    rbac, policies = "/apis/rbac.authorization.k8s.io/v1", "/apis/admissionregistration.k8s.io/v1"
    everywhere = [
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        f"{policies}/validatingadmissionpolicies",
        f"{policies}/validatingadmissionpolicybindings",
        f"{rbac}/clusterroles",
        f"{rbac}/clusterrolebindings",
    ]
    ours = {"labelSelector": "app.kubernetes.io/managed-by=scap.images"}
    found = [one["metadata"]["name"] for path in everywhere for one in cluster.admin.get(path, ours)["items"]]
    for path in everywhere:
        found += [
            one["metadata"]["name"]
            for one in cluster.admin.get(path)["items"]
            if one["metadata"]["name"].startswith("scap-images")
        ]
    spaces = [one["metadata"]["name"] for one in cluster.admin.get("/api/v1/namespaces")["items"]]
    return found + [name for name in spaces if name.startswith("scap-play")]
