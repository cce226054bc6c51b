# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several clusters in one run, by the example: two names for the real one, each of which sees one namespace."""

from __future__ import annotations

import json
import pathlib
import shutil
import typing as t

import yaml

from tests.data import tiny
from tests.support import kube
from tests.support.plays import play

EXAMPLE = kube.ROOT / "examples" / "fleet"


def _deployment(cluster: kube.Cluster, namespace: str, name: str, reference: str) -> None:
    """One that is scaled to zero: it names the image, and no pod has to start."""
    labels = {"app": name}
    spec = {"containers": [{"name": "main", "image": reference}]}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
    cluster.admin.create(f"/apis/apps/v1/namespaces/{namespace}/deployments", body)


def _rows(path: pathlib.Path) -> list[dict[str, t.Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_example(cluster: kube.Cluster, tmp_path: pathlib.Path) -> None:
    """What both have is scanned once, the report shows where it is, and each cluster knows of every bad image."""
    references = {
        name: cluster.push(tiny.layout(tmp_path / name, {"etc/fleet": name}), f"fleet-{name}:1")
        for name in ("both", "east", "west")
    }
    digests = {name: reference.rpartition("@")[2] for name, reference in references.items()}
    shutil.copytree(EXAMPLE, tmp_path / "fleet")
    folder = tmp_path / "store"
    ours = {"scap_namespace": "scap-fleet", "scap_kubeconfig": cluster.kubeconfig}
    with cluster.namespace() as east, cluster.namespace() as west:
        inventory = yaml.safe_load((EXAMPLE / "inventory.yml").read_text())
        for name, namespace in (("east", east), ("west", west)):
            _deployment(cluster, namespace, "web", references["both"])
            _deployment(cluster, namespace, "own", references[name])
            shutil.copy(cluster.kubeconfig, tmp_path / f"{name}.kubeconfig")
            host = {"scap_kubeconfig": str(tmp_path / f"{name}.kubeconfig"), "scap_namespaces": [namespace]}
            inventory["clusters"]["hosts"][name] = host
        (tmp_path / "fleet" / "inventory.yml").write_text(yaml.safe_dump(inventory))
        variables = {
            "fleet_dir": str(folder),
            "fleet_executor": "local",
            "scap_namespace": "scap-fleet",
            "scap_insecure_registries": [cluster.registry],
            "scap_validate_certs": False,
            "scap_profile": "standard",
        }
        try:
            play("scap.images.setup", tmp_path, ours)
            said = play("fleet.yml", tmp_path / "fleet", variables, "-i", "inventory.yml")
        finally:
            play("scap.images.teardown", tmp_path, ours)
    assert len(list((folder / "evidence").glob("*/*/evidence.json"))) == 3, said
    verdicts = _rows(folder / "verdicts.jsonl")
    assert {entry["image"]["digest"] for entry in verdicts} == set(digests.values())
    found = {
        row["digest"]: {place["namespace"] for place in row["workloads"]} for row in _rows(folder / "images.jsonl")
    }
    assert found[digests["both"]] == {f"east/{east}", f"west/{west}"}
    assert found[digests["west"]] == {f"west/{west}"}
    page = (folder / "report" / "index.html").read_text()
    assert f"east/{east}" in page
    for name in ("east", "west"):
        assert {row["digest"] for row in _rows(folder / "clusters" / name / "marks.jsonl")} == set(digests.values())
