# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report `openreports`, taken by a real API server that has the API's definitions (fields, types and words)."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.files import write_jsonl
from ansible_collections.scap.images.plugins.module_utils.kube.client import connect
from ansible_collections.scap.images.plugins.module_utils.marking import openreports
from ansible_collections.scap.images.plugins.module_utils.model import Image, ScapError, Workload, to_json
from ansible_collections.scap.images.plugins.module_utils.policy.run import judge_folder, load_grounds
from ansible_collections.scap.images.plugins.modules import scap_report

from tests.support import kube
from tests.support.fleet import evidence, results, rule, store

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
WORDS = ["pass", "fail", "warn", "error", "skip"]
REFERENCE = {
    "type": "object",
    "properties": dict.fromkeys(
        ("apiVersion", "fieldPath", "kind", "name", "namespace", "resourceVersion", "uid"), TEXT
    ),
    "x-kubernetes-map-type": "atomic",
}
RESULT = {
    "type": "object",
    "required": ["policy"],
    "properties": {
        **dict.fromkeys(("category", "message", "policy", "rule", "source"), TEXT),
        "properties": {"type": "object", "additionalProperties": TEXT},
        "resources": {"type": "array", "items": REFERENCE},
        "result": {"type": "string", "enum": WORDS},
        "scored": {"type": "boolean"},
        "severity": {"type": "string", "enum": ["critical", "high", "low", "medium", "info"]},
        "timestamp": {
            "type": "object",
            "required": ["nanos", "seconds"],
            "properties": {
                "nanos": {"type": "integer", "format": "int32"},
                "seconds": {"type": "integer", "format": "int64"},
            },
        },
    },
}
SCHEMA = {
    "type": "object",
    "properties": {
        "results": {"type": "array", "items": RESULT},
        "scope": REFERENCE,
        "source": TEXT,
        "summary": {"type": "object", "properties": dict.fromkeys(WORDS, NUMBER)},
    },
}


def _definition(kind: str, scope: str) -> dict[str, t.Any]:
    plural = f"{kind.lower()}s"
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.openreports.io"},
        "spec": {
            "group": "openreports.io",
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "scope": scope,
            "versions": [version],
        },
    }


def test_the_api_server_takes_every_object(cluster: kube.Cluster, tmp_path: pathlib.Path) -> None:
    store(tmp_path, evidence("web"), results(rule("telnet")))
    store(tmp_path, evidence("db"), results())
    store(tmp_path, evidence("bad", coverage=[]), results())
    judge_folder(str(tmp_path), load_grounds([], []), write=True, keep=0)
    try:
        for kind, scope in (("Report", "Namespaced"), ("ClusterReport", "Cluster")):
            cluster.admin.create(CRDS, _definition(kind, scope))
        with cluster.namespace() as namespace:
            images = []
            for name in ("web", "db"):
                found = evidence(name)
                where = [Workload("Deployment", namespace, name, "main", True)]
                images.append(Image(found.reference, found.digest, "linux/amd64", [found.reference], workloads=where))
            write_jsonl(str(tmp_path / "images.jsonl"), map(to_json, images))
            paths = {
                "Report": f"/apis/openreports.io/v1alpha1/namespaces/{namespace}/reports",
                "ClusterReport": "/apis/openreports.io/v1alpha1/clusterreports",
            }
            for path in paths.values():
                kube.until(lambda path=path: cluster.exists(path), "the API is served")
            other = {"apiVersion": "openreports.io/v1alpha1", "kind": "Report", "metadata": {"name": "of-another-tool"}}
            cluster.admin.create(paths["Report"], other)
            answer = _report(cluster, tmp_path)
            assert sorted(answer["applied"]) == ["ClusterReport scap-images-0", f"Report {namespace}/scap-images-0"]
            for body in json.loads(pathlib.Path(answer["paths"]["openreports"]).read_text())["items"]:
                taken = cluster.admin.get(f"{paths[body['kind']]}/{body['metadata']['name']}")
                assert {key: taken[key] for key in body if key != "metadata"} == {
                    key: body[key] for key in body if key != "metadata"
                }
            ours = {"labelSelector": "app.kubernetes.io/managed-by=scap.images"}
            (report,) = cluster.admin.get(paths["Report"], ours)["items"]
            assert report["summary"] == {"pass": 1, "fail": 1, "warn": 0, "error": 0, "skip": 0}
            failed = next(one for one in report["results"] if one["result"] == "fail")
            assert failed["severity"] == "high"
            assert failed["resources"] == [{"kind": "Deployment", "namespace": namespace, "name": "web"}]
            (rest,) = cluster.admin.get(paths["ClusterReport"], ours)["items"]
            assert rest["summary"]["error"] == 1
            again = _report(cluster, tmp_path)
            assert (again["changed"], again["applied"]) == (False, [])
            write_jsonl(str(tmp_path / "images.jsonl"), [])
            assert _report(cluster, tmp_path, check=True)["applied"] == ["openreports.json"]
            assert cluster.admin.get(paths["Report"], ours)["items"] == [report]
            gone = _report(cluster, tmp_path)["applied"]
            assert gone == ["ClusterReport scap-images-0", f"Report {namespace}/scap-images-0"]
            weak = connect(cluster.access("default", namespace))
            assert openreports.remove(weak) == []
            weak.close()
            assert openreports.remove(cluster.admin) == ["ClusterReport scap-images-0"]
            assert [item["metadata"]["name"] for item in cluster.admin.get(paths["Report"])["items"]] == [
                "of-another-tool"
            ]
            with pytest.raises(ScapError) as refused:
                scap_report.run(_params(tmp_path, **cluster.access("default", namespace)), False)
            assert "openreports.io" in refused.value.message
            assert "forbidden" in refused.value.code
    finally:
        for plural in ("reports", "clusterreports"):
            cluster.admin.delete(f"{CRDS}/{plural}.openreports.io")
            kube.until(lambda plural=plural: not cluster.exists(f"{openreports.API}/{plural}"), "the API is gone")


def _params(folder: pathlib.Path, **more: t.Any) -> dict[str, t.Any]:
    known = {"dir": str(folder), "formats": ["openreports"], "dest": None, "digests": None, "apply": True}
    return {**known, **more}


def _report(cluster: kube.Cluster, folder: pathlib.Path, check: bool = False) -> dict[str, t.Any]:
    """What the module answers."""
    return scap_report.run(_params(folder, kubeconfig=cluster.kubeconfig), check)


def test_a_cluster_without_the_api_says_so(cluster: kube.Cluster, tmp_path: pathlib.Path) -> None:
    store(tmp_path, evidence("web"), results(rule("telnet")))
    judge_folder(str(tmp_path), load_grounds([], []), write=True, keep=0)
    with pytest.raises(ScapError, match="install the CRDs of OpenReports"):
        _report(cluster, tmp_path)
    assert openreports.remove(cluster.admin) == []
    with pytest.raises(ScapError, match="add it to formats"):
        scap_report.run(_params(tmp_path, formats=["csv"]), False)
