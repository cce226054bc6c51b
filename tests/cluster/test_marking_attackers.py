"""Every way around a denial that we know: refused, or listed in docs/enforcement.md as not covered with the reason."""

from __future__ import annotations

import copy
import pathlib
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError
from ansible_collections.scap.images.plugins.module_utils.marking import keys

from tests.support.marking import TEAM, Cluster, pod
from tests.support.marking_records import digest, image, verdict

D, INDEX = digest("evil"), digest("evil's index")
TAG = "registry.example:5000/team/app-evil:1"
HUB = "docker.io/library/evil:1"
DEFAULT_PORT = "quay.example/team/evil:1"
CLUSTER = "image-registry.openshift-image-registry.svc:5000/shop/evil:1"
NAMES = [f"docker://{name}" for name in (TAG, HUB, DEFAULT_PORT, CLUSTER, "docker.io/library/evil")]

REFUSED = {
    "its tag": TAG,
    "its digest": f"registry.example:5000/team/app-evil@{D}",
    "the digest of the index that contains it": f"registry.example:5000/team/app-evil@{INDEX}",
    "upper-case digest": f"registry.example:5000/team/app-evil@sha256:{D[7:].upper()}",
    "tag plus digest": f"registry.example:5000/team/app-evil:innocent@{D}",
    "mirror's name by digest": f"mirror.example/copy@{D}",
    "a name of its own by digest": f"x@{D}",
    "upper-case host": TAG.replace("registry.example", "Registry.EXAMPLE"),
    "registry port 443": DEFAULT_PORT.replace("/", ":443/", 1),
    "registry port 80": DEFAULT_PORT.replace("/", ":80/", 1),
    "short name": "evil:1",
    "short name without a tag": "evil",
    "library left out": "docker.io/evil:1",
    "old name of docker.io": "index.docker.io/library/evil:1",
    "docker.io's own server": "registry-1.docker.io/library/evil:1",
    "the cluster registry's long name": CLUSTER.replace(".svc:", ".svc.cluster.local:"),
}

INNOCENT = {
    "its neighbour's tag": "registry.example:5000/team/app-evil:2",
    "its tag beside an innocent digest": f"{TAG}@{digest('innocent')}",
    "the same path at another registry": "other.example/team/app-evil:1",
    "another port": TAG.replace("5000", "5001"),
    "longer path": "registry.example:5000/team/app-evil/x:1",
}

NOT_COVERED = {
    "mirror's name by tag": "mirror.example/team/app-evil:1",
    "registry by address": "192.0.2.7:5000/team/app-evil:1",
    "host with a final dot": TAG.replace("example:", "example.:"),
    "bare image ID": D[7:],
}


pytest_plugins = ["tests.support.marking"]


@pytest.fixture(scope="module")
def cluster(prepared: Cluster) -> Cluster:
    prepared.clean()
    [mark] = prepared.run(verdict("evil"), images=[image("evil", *NAMES, indexes=[INDEX])]).marks
    assert mark.blocked == "proven"
    return prepared


@pytest.mark.parametrize("way", REFUSED)
def test_spellings(cluster: Cluster, way: str) -> None:
    refusal, _warnings = cluster.try_pod(pod(REFUSED[way]))
    assert "is marked non_compliant since" in refusal
    assert set(keys.looked_up(REFUSED[way])) & {word for word in refusal.split() if ":" in word}, (
        "as Python computes it"
    )


@pytest.mark.parametrize("way", INNOCENT)
def test_innocents(cluster: Cluster, way: str) -> None:
    assert cluster.try_pod(pod(INNOCENT[way]))[0] == ""


@pytest.mark.parametrize("way", NOT_COVERED)
def test_what_is_not_covered_is_documented(cluster: Cluster, way: str) -> None:
    assert cluster.try_pod(pod(NOT_COVERED[way]))[0] == "", "covered by now: say so in the page"
    page = pathlib.Path(__file__).resolve().parents[2] / "docs" / "enforcement.md"
    assert f"| {way} |" in page.read_text(encoding="utf-8")


def _places() -> dict[str, dict[str, t.Any]]:
    main = [{"name": "main", "image": "registry.example/innocent:1"}]
    evil = {"name": "evil", "image": TAG}
    return {
        "second container": {"containers": [*main, evil]},
        "initContainer": {"initContainers": [evil]},
        "sidecar": {"initContainers": [{**evil, "restartPolicy": "Always"}]},
        "image volume": {"volumes": [{"name": "evil", "image": {"reference": TAG, "pullPolicy": "Always"}}]},
        "the last of 200 containers": {
            "containers": [
                *({"name": f"c-{n}", "image": f"registry.example/{'x' * 80}/{n}:1"} for n in range(199)),
                evil,
            ]
        },
    }


@pytest.mark.parametrize("place", _places())
def test_places(cluster: Cluster, place: str) -> None:
    spec = _places()[place]
    assert TAG in cluster.try_pod(pod(**spec))[0]
    innocent = copy.deepcopy(spec)
    for part in innocent.values():
        for one in part:
            if one["name"] == "evil" and "image" in one:
                one["image"] = "registry.example/innocent:1" if isinstance(one["image"], str) else {"reference": "x:1"}
    assert cluster.try_pod(pod(**innocent))[0] == ""


def test_a_pod_of_a_controller(cluster: Cluster) -> None:
    body = pod(TAG)
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u", "controller": True}
    body["metadata"]["ownerReferences"] = [reference]
    assert TAG in cluster.try_pod(body)[0]


def test_a_pod_that_runs_already(cluster: Cluster) -> None:
    """Its image changed, or an ephemeral container added: refused; its labels and its end: never."""
    path = f"/api/v1/namespaces/{TEAM}/pods/runs"
    cluster.admin.create(path.rsplit("/", 1)[0], {**pod(nodeSelector={"no": "node"}), "metadata": {"name": "runs"}})
    try:
        change = {"spec": {"containers": [{"name": "main", "image": TAG}]}}
        with pytest.raises(KubeError, match="is marked non_compliant"):
            cluster.admin.patch(path, change, "application/strategic-merge-patch+json")
        for place, name in (("ephemeralContainers", "evil"), ("ephemeralContainers", "main-2")):
            change = {"spec": {place: [{"name": name, "image": TAG}]}}
            with pytest.raises(KubeError, match="is marked non_compliant"):
                cluster.admin.patch(f"{path}/ephemeralcontainers", change, "application/strategic-merge-patch+json")
        change = {"spec": {"ephemeralContainers": [{"name": "fine", "image": "registry.example/innocent:1"}]}}
        cluster.admin.patch(f"{path}/ephemeralcontainers", change, "application/strategic-merge-patch+json")
        cluster.admin.patch(path, {"metadata": {"labels": {"a": "b"}}})
    finally:
        cluster.admin.request("DELETE", path, params={"gracePeriodSeconds": 0})


LABELS = {"app": "evil"}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "main", "image": TAG}]}}
ONCE = {"metadata": {"labels": LABELS}, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}
CONTROLLERS = {
    "Deployment": ("apps/v1", {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}),
    "DaemonSet": ("apps/v1", {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}),
    "ReplicaSet": ("apps/v1", {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}),
    "StatefulSet": ("apps/v1", {"selector": {"matchLabels": LABELS}, "serviceName": "x", "template": TEMPLATE}),
    "ReplicationController": ("v1", {"selector": LABELS, "template": TEMPLATE}),
    "Job": ("batch/v1", {"template": ONCE}),
    "CronJob": ("batch/v1", {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": ONCE}}}),
}


def _path(version: str, kind: str) -> str:
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{root}/namespaces/{TEAM}/{kind.lower()}s"


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_a_template_brings_a_warning_at_once(cluster: Cluster, kind: str) -> None:
    version, spec = CONTROLLERS[kind]
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": "evil"}, "spec": spec}
    answer = cluster.admin.create(_path(version, kind), body, dry_run=True)
    assert any("scap-images-templates" in text and TAG in text for text in answer.warnings)


def test_a_template_changed_later_brings_it_too(cluster: Cluster) -> None:
    version, spec = CONTROLLERS["Deployment"]
    innocent = copy.deepcopy(spec)
    innocent["template"]["spec"]["containers"][0]["image"] = "registry.example/innocent:1"
    path = _path(version, "Deployment")
    body = {
        "apiVersion": version,
        "kind": "Deployment",
        "metadata": {"name": "later"},
        "spec": {**innocent, "replicas": 0},
    }
    assert cluster.admin.create(path, body).warnings == []
    try:
        answer = cluster.admin.request(
            "PATCH", f"{path}/later", {"spec": {"template": TEMPLATE}}, "application/strategic-merge-patch+json"
        )
        assert any(TAG in text for text in answer.warnings)
    finally:
        cluster.admin.delete(f"{path}/later")
