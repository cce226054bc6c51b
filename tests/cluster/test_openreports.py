# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report `openreports`, taken by a real API server that has the API's definitions (fields, types and words)."""

from __future__ import annotations

import functools
import json
import pathlib
import typing as t

from ansible_collections.scap.images.plugins.module_utils.files import write_jsonl
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError
from ansible_collections.scap.images.plugins.module_utils.model import Image, Workload, to_json
from ansible_collections.scap.images.plugins.module_utils.policy.run import judge_folder, load_grounds
from ansible_collections.scap.images.plugins.module_utils.reporting.run import write_reports

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
            path = write_reports(str(tmp_path), ["openreports"]).paths["openreports"]
            paths = {
                "Report": f"/apis/openreports.io/v1alpha1/namespaces/{namespace}/reports",
                "ClusterReport": "/apis/openreports.io/v1alpha1/clusterreports",
            }
            for body in json.loads(pathlib.Path(path).read_text())["items"]:
                where_to = f"{paths[body['kind']]}/{body['metadata']['name']}"
                taken = kube.until(functools.partial(_apply, cluster, where_to, body), "the API is served")
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
    finally:
        for plural in ("reports", "clusterreports"):
            cluster.admin.delete(f"{CRDS}/{plural}.openreports.io")


def _apply(cluster: kube.Cluster, path: str, body: dict[str, t.Any]) -> dict[str, t.Any] | None:
    """The object as the server keeps it; None while it does not serve the API yet."""
    try:
        return cluster.admin.apply(path, body)
    except KubeError as error:
        if error.status != 404:
            raise
        return None
