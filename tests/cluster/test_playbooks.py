# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""setup, a whole scan run as AWX makes it, and teardown."""

from __future__ import annotations

import json
import pathlib
import typing as t

import ansible_runner  # type: ignore[import-untyped]
import pytest
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError

from tests.data import tiny
from tests.support import kube, receivers, scanner_image
from tests.support.awx import job
from tests.support.plays import play
from tests.support.trees import snapshot

CONTENT = "/usr/share/xml/scap/ssg/content/ssg-debian11-ds.xml"


def _done(runner: ansible_runner.Runner) -> None:
    assert runner.status == "successful", runner.stdout.read()


def _night(folder: pathlib.Path, scap_dir: pathlib.Path, variables: t.Mapping[str, t.Any]) -> list[receivers.Received]:
    """The nightly example, as cron calls it, where the day has scanned everything; the tickets that it opens."""
    with receivers.web() as (address, requests), receivers.mail() as (mail_host, mails):
        hooks = {"scap_tickets": address, "scap_mail_host": mail_host}
        people = {"scap_mail_from": "scap@example.org", "scap_mail_to": "team@example.org"}
        night = {**variables, **hooks, **people, "fleet_dir": str(scap_dir), "fleet_stage": variables["scap_stage"]}
        night["fleet_hooks"] = str(kube.ROOT / "examples" / "hooks")
        evidence = snapshot(scap_dir / "evidence")
        said = play(str(kube.ROOT / "examples" / "nightly" / "fleet.yml"), folder, night)
        assert snapshot(scap_dir / "evidence") == evidence
    assert "report: " in said
    assert ["Subject: 1 of 1 images may not run" in mail for mail in mails] == [True]
    assert (scap_dir / "report" / "scap_images.prom").exists()
    return requests


def _let_the_marker_scan(cluster: kube.Cluster, namespace: str) -> None:
    """One account for the whole run, as examples/awx says."""
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
    cluster.admin.create(
        path,
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "marker-scans"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "scan-controller"},
            "subjects": [{"kind": "ServiceAccount", "name": "marker", "namespace": namespace}],
        },
    )


def test_setup_scan_and_teardown(cluster: kube.Cluster, tmp_path: pathlib.Path) -> None:
    reference = cluster.push(tiny.layout(tmp_path / "tiny", {"etc/playbook": "x"}), "playbook:1")
    digest = reference.rpartition("@")[2]
    ours, scap_dir = "scap-play", tmp_path / "scap"
    base = {"scap_namespace": ours, "scap_kubeconfig": cluster.kubeconfig}
    survey = {
        "scap_namespace": ours,
        "scap_dir": str(scap_dir),
        "scap_sources": json.dumps({"type": "list", "images": [f"docker://{reference}"]}),
        "scap_insecure_registries": cluster.registry,
        "scap_scanner_image": scanner_image.pushed(cluster),
        "scap_content": CONTENT,
        "scap_profile": "standard",
        "scap_parallelism": "2",
        "scap_rescan": "false",
        "scap_stage": "deny",
        "scap_fail_on": "error, non_compliant",
    }
    try:
        _done(job(tmp_path / "setup", "setup", base))
        said = play("scap.images.scan", tmp_path, {**base, **survey}, "--check")
        assert "1 of 1 images would be scanned" in said
        assert f"{reference} by image_volume_userns" in said
        assert not scap_dir.exists()
        assert cluster.admin.get(f"/apis/batch/v1/namespaces/{ours}/jobs")["items"] == []
        _let_the_marker_scan(cluster, ours)
        access = cluster.access("marker", ours)
        runner = job(tmp_path / "job", "scan", survey, access)
        output = runner.stdout.read()
        assert runner.status == "failed", output
        assert "1 of 1 images are error or non_compliant" in output, output
        assert access["api_key"] not in output
        (artifacts,) = filter(None, (event["event_data"].get("artifact_data") for event in runner.events))
        assert artifacts["scap_summary"]["non_compliant"] == 1
        assert artifacts["scap_report"] == str(scap_dir / "report" / "index.html")
        verdicts = [json.loads(line) for line in (scap_dir / "verdicts.jsonl").read_text().splitlines()]
        assert [(entry["image"]["digest"], entry["state"]) for entry in verdicts] == [(digest, "non_compliant")]
        assert verdicts[0]["scan"]["executor"] == "kubernetes"
        assert verdicts[0]["scan"]["rung"] == "image_volume_userns"
        fleet = {key: value for key, value in survey.items() if key not in ("scap_dir", "scap_fail_on", "scap_sources")}
        (ticket,) = _night(tmp_path, scap_dir, {**base, **fleet, "fleet_sources": json.loads(survey["scap_sources"])})
        assert ticket.body["key"] == digest
        scans = "/apis/scap-images.github.io/v1alpha1/imagescans"
        assert cluster.exists(f"{scans}/{digest.replace(':', '-')}")
        assert (scap_dir / "report" / "index.html").exists()
        [mark] = [json.loads(line) for line in (scap_dir / "marks.jsonl").read_text().splitlines()]
        assert (mark["digest"], mark["denied"], mark["blocked"]) == (digest, True, "proven")
        with cluster.namespace() as namespace, pytest.raises(KubeError, match="is marked non_compliant"):
            _try(cluster, namespace, reference)
        # The other steps, each a job; with the marks lifted the image may run, before anything is taken out.
        for step in ("discover", "mark", "lift"):
            _done(job(tmp_path / step, step, {**survey, **base, "scap_lift": "all"}))
        with cluster.namespace() as namespace:
            kube.until(lambda: _try(cluster, namespace, reference), "the image may run again")
    finally:
        _done(job(tmp_path / "teardown", "teardown", base))
    with cluster.namespace() as namespace:
        kube.until(lambda: _try(cluster, namespace, reference), "the image may run again")
    assert _left(cluster) == []
    play("scap.images.teardown", tmp_path, base)


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
