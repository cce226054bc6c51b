"""What would not start again."""

from __future__ import annotations

import typing as t

from ansible_collections.scap.images.plugins.module_utils.marking import blast

from tests.support import shared_data
from tests.support.marking_records import digest

DENIED = {digest("a"): digest("a"), "quay.io/team/a:1": digest("a")}


def pod(name: str, image: str, **changes: t.Any) -> dict[str, t.Any]:
    metadata = {"name": name, "namespace": "shop", **changes.get("metadata", {})}
    status = {"phase": "Running", **changes.get("status", {})}
    return {"metadata": metadata, "spec": {"containers": [{"name": "c", "image": image}]}, "status": status}


def test_by_name_by_what_runs_and_by_owner() -> None:
    owned = {
        "labels": {"pod-template-hash": "5d4f"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "web-5d4f", "controller": True}],
    }
    moved = {"containerStatuses": [{"name": "c", "imageID": f"quay.io/team/a@{digest('a')}"}]}
    volume = pod("volume", "quay.io/team/b:1")
    volume["spec"]["volumes"] = [{"name": "v", "image": {"reference": f"x@{digest('a')}"}}]
    pods = [
        pod("web-1", "quay.io/team/a:1", metadata=owned),
        pod("web-2", "quay.io:443/team/a:1", metadata={**owned, "name": "web-2"}),
        pod("moved", "quay.io/team/a:2", status=moved),
        volume,
        pod("innocent", "quay.io/team/b:1"),
        pod("done", "quay.io/team/a:1", status={"phase": "Succeeded"}),
        pod("system", "quay.io/team/a:1", metadata={"namespace": "kube-system"}),
    ]
    found = blast.measure(pods, DENIED, lambda namespace: namespace == "kube-system")
    assert (found.running, found.stopped, found.percent) == (5, 4, 80.0)
    assert [(one.kind, one.name, one.pods) for one in found.workloads] == [
        ("Deployment", "web", 2),
        ("Pod", "moved", 1),
        ("Pod", "volume", 1),
    ]
    assert found.workloads[0].images == ["quay.io/team/a:1", "quay.io:443/team/a:1"]


def test_nothing_runs() -> None:
    assert blast.measure([], DENIED, lambda namespace: False).percent == 0.0


def test_the_pods_of_a_real_cluster() -> None:
    import json
    import lzma

    with lzma.open(shared_data.path("api", "openshift4", "api_v1_pods_limit_1000.json.xz")) as stream:
        pods = json.load(stream)["items"]
    running = [one for one in pods if one["status"]["phase"] == "Running"]
    image = running[0]["status"]["containerStatuses"][0]["imageID"].rsplit("@", 1)[1]
    found = blast.measure(pods, {image: image}, lambda namespace: False)
    expected = [
        one
        for one in running
        if any(status["imageID"].endswith(image) for status in one["status"].get("containerStatuses", []))
    ]
    assert found.stopped >= len(expected) > 0
    assert all(one.digests == [image] for one in found.workloads)
