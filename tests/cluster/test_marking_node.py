"""Real pods on a real node: they run, are refused once their image is marked, and run again after the lift."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import secrets
import typing as t
import urllib.request

import pytest
from ansible_collections.scap.images.plugins.module_utils.kube.client import STRATEGIC
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError
from ansible_collections.scap.images.plugins.module_utils.marking.state import OPENSHIFT_IMAGES
from ansible_collections.scap.images.plugins.module_utils.model import Image, VerdictImage
from ansible_collections.scap.images.plugins.modules.image_discover import ARGUMENTS, run

from tests.cluster.node import programs, registry
from tests.support import kube
from tests.support.distribution import MANIFEST, Repository
from tests.support.marking import Cluster
from tests.support.marking_records import verdict

pytest_plugins = ["tests.support.marking"]

J = t.Dict[str, t.Any]
INTERNAL = "image-registry.openshift-image-registry.svc:5000"
LABELS = {"app": "evil"}


@dataclasses.dataclass
class Fleet:
    """One image under every name that pods can give it, in a namespace of its own."""

    node: kube.Cluster
    marking: Cluster
    namespace: str
    name: str
    digest: str
    index: str

    @property
    def tag(self) -> str:
        return f"{self.node.registry}/library/{self.name}:1"

    def ways(self) -> dict[str, J]:
        """A pod for each way to name the image."""
        repository = self.tag[:-2]
        names = {
            "tag": self.tag,
            "digest": f"{repository}@{self.digest}",
            "index": f"{repository}@{self.index}",
            "short": f"{self.name}:1",
            "stream": f"{INTERNAL}/{self.namespace}/{self.name}:v1",
        }
        pods: dict[str, J] = {way: {"containers": [{"name": "main", "image": image}]} for way, image in names.items()}
        pods["init"] = {
            "containers": [{"name": "main", "image": f"{self.node.registry}/pause:1"}],
            "initContainers": [{"name": "evil", "image": self.tag, "restartPolicy": "Always"}],
        }
        pods["volume"] = {
            "containers": [{"name": "main", "image": f"{self.node.registry}/pause:1"}],
            "volumes": [{"name": "evil", "image": {"reference": self.tag}}],
        }
        return pods

    def pods(self) -> list[J]:
        return list(self.node.admin.get(f"/api/v1/namespaces/{self.namespace}/pods")["items"])

    def create(self, name: str, spec: J) -> None:
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {**_QUICK, **spec}}
        self.node.admin.create(f"/api/v1/namespaces/{self.namespace}/pods", body)

    def run(self, names: t.Collection[str]) -> None:
        """Wait until the pods of these names run, all of their containers started."""

        def missing() -> list[str]:
            pods = self.pods()
            return [name for name in names if not any(_runs(pod) and _is(pod, name) for pod in pods)]

        _until_none(missing, "run")

    def end(self, names: t.Collection[str]) -> None:
        for pod in self.pods():
            if any(_is(pod, name) for name in names):
                path = f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}"
                self.node.admin.request("DELETE", path, params={"gracePeriodSeconds": 0})

    def found(self) -> list[Image]:
        """What discovery finds in the namespace."""
        options = {
            "kubeconfig": self.node.kubeconfig,
            "sources": [{"type": "openshift"}, {"type": "workloads"}],
            "namespaces": [self.namespace],
            "insecure_registries": [self.node.registry],
        }
        defaults = {name: option.get("default") for name, option in ARGUMENTS.items()}
        return [Image.from_json(row) for row in run({**defaults, **options}, False)["images"]]

    def mark(self) -> None:
        changes: J = {"index_digests": [self.index]}
        bad = verdict("evil", image=VerdictImage(f"docker://{self.tag}", self.digest, "linux/amd64", ""), **changes)
        [mark] = self.marking.run(bad, images=self.found()).marks
        assert mark.blocked == "proven", mark

    def refusal(self, name: str, spec: J) -> str:
        with pytest.raises(KubeError) as caught:
            self.create(name, spec)
        return str((caught.value.body or {}).get("message"))


_QUICK: J = {"terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False}


def _until_none(missing: t.Callable[[], list[str]], what: str) -> None:
    try:
        kube.until(lambda: not missing(), what)
    except AssertionError as error:
        raise AssertionError(f"{error}: {missing()} do not") from error


def _is(pod: J, name: str) -> bool:
    found = pod["metadata"]["name"]
    return bool(found == name or found.startswith(f"{name}-"))


def _runs(pod: J) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    statuses = [one for part in ("containerStatuses", "initContainerStatuses") for one in pod["status"].get(part, [])]
    return pod["status"]["phase"] == "Running" and all("running" in one["state"] for one in statuses)


@pytest.fixture
def fleet(cluster: kube.Cluster, prepared: Cluster, tmp_path: pathlib.Path) -> t.Iterator[Fleet]:
    prepared.clean()
    name = f"evil-{secrets.token_hex(3)}"
    layout = registry.pause(tmp_path, programs.build()["pause"], name)
    with cluster.namespace() as namespace:
        digest = cluster.push(f"oci:{layout}:1", f"library/{name}:1").rpartition("@")[2]
        cluster.push(f"oci:{layout}:1", f"{namespace}/{name}:v1")
        index = _index(cluster, name, digest)
        group = f"/apis/image.openshift.io/v1/namespaces/{namespace}"
        meta = {"apiVersion": "image.openshift.io/v1", "metadata": {"name": name, "namespace": namespace}}
        image = {"metadata": {"name": digest}, "dockerImageReference": f"{INTERNAL}/{namespace}/{name}@{digest}"}
        cluster.admin.create(f"{group}/imagestreams", {**meta, "kind": "ImageStream"})
        mapping = {**meta, "kind": "ImageStreamMapping", "tag": "v1", "image": image}
        cluster.admin.create(f"{group}/imagestreammappings", mapping)
        try:
            yield Fleet(cluster, prepared, namespace, name, digest, index)
        finally:
            prepared.lift()
            cluster.admin.delete(f"{OPENSHIFT_IMAGES}/{digest}")


def _index(cluster: kube.Cluster, name: str, digest: str) -> str:
    """An index around the image, as a build of several platforms pushes it; its digest."""
    request = urllib.request.Request(f"http://{cluster.registry}/v2/library/{name}/manifests/{digest}")
    request.add_header("Accept", MANIFEST)
    with urllib.request.urlopen(request) as answer:
        data = answer.read()
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == digest
    return Repository(cluster.registry, f"library/{name}").index("all", {"amd64": digest}, {digest: len(data)})


def test_every_way_to_name_it(fleet: Fleet) -> None:
    ways = fleet.ways()
    for way, spec in ways.items():
        fleet.create(way, spec)
    fleet.create("host", {"containers": [{"name": "main", "image": f"{fleet.node.registry}/pause:1"}]})
    fleet.run([*ways, "host"])
    debug = f"/api/v1/namespaces/{fleet.namespace}/pods/host/ephemeralcontainers"

    def debugged(name: str) -> None:
        fleet.node.admin.patch(
            debug, {"spec": {"ephemeralContainers": [{"name": name, "image": fleet.tag}]}}, STRATEGIC
        )

    def is_debugged(name: str) -> bool:
        host = next(pod for pod in fleet.pods() if pod["metadata"]["name"] == "host")
        found = host["status"].get("ephemeralContainerStatuses", [])
        return any(one["name"] == name and "running" in one["state"] for one in found)

    debugged("first")
    kube.until(lambda: is_debugged("first"), "the ephemeral container runs")

    fleet.mark()
    fleet.end(ways)
    kube.until(lambda: not any(_is(pod, way) for pod in fleet.pods() for way in ways), "the pods are gone")
    for way, spec in ways.items():
        assert "is marked non_compliant since" in fleet.refusal(way, spec), way
    with pytest.raises(KubeError, match="is marked non_compliant since"):
        debugged("second")
    fleet.create("innocent", {"containers": [{"name": "main", "image": f"{fleet.node.registry}/pause:1"}]})
    fleet.run(["host", "innocent"])

    fleet.marking.lift(fleet.digest)
    for way, spec in ways.items():
        fleet.create(way, spec)
    debugged("third")
    fleet.run(ways)
    kube.until(lambda: is_debugged("third"), "the ephemeral container runs again")


def _controllers(image: str) -> dict[str, tuple[str, J]]:
    def template(**more: t.Any) -> J:
        spec = {**_QUICK, "containers": [{"name": "main", "image": image}], **more}
        return {"metadata": {"labels": dict(LABELS)}, "spec": spec}

    once = template(restartPolicy="Never")

    def select(name: str) -> J:
        labelled = template()
        labelled["metadata"]["labels"]["of"] = name
        return {"selector": {"matchLabels": {"of": name}}, "template": labelled}

    return {
        "Deployment": ("apps/v1", select("deployment")),
        "StatefulSet": ("apps/v1", {**select("statefulset"), "serviceName": "x"}),
        "DaemonSet": ("apps/v1", select("daemonset")),
        "ReplicaSet": ("apps/v1", select("replicaset")),
        "ReplicationController": ("v1", {"selector": {"of": "rc"}, "template": _labelled(template(), "rc")}),
        "Job": ("batch/v1", {"template": once}),
        "CronJob": ("batch/v1", {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": once}}}),
    }


def _labelled(template: J, of: str) -> J:
    template["metadata"]["labels"] = {**LABELS, "of": of}
    return template


def test_through_every_controller(fleet: Fleet) -> None:
    admin, kinds = fleet.node.admin, _controllers(fleet.tag)
    names = [f"by-{kind.lower()}" for kind in kinds]

    def path(kind: str) -> str:
        version = kinds[kind][0]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        return f"{root}/namespaces/{fleet.namespace}/{kind.lower()}s"

    for kind, (version, spec) in kinds.items():
        body = {"apiVersion": version, "kind": kind, "metadata": {"name": f"by-{kind.lower()}"}, "spec": spec}
        assert admin.create(path(kind), body).warnings == []
    _run_once(fleet, path("Job"), "first")
    fleet.run(names)

    fleet.mark()
    fleet.end(names)
    version, spec = kinds["Job"]  # the first one waits before it makes another pod
    admin.create(
        path("Job"), {"apiVersion": version, "kind": "Job", "metadata": {"name": "by-job-again"}, "spec": spec}
    )
    _run_once(fleet, path("Job"), "second")

    def untold() -> list[str]:
        events = admin.get(f"/api/v1/namespaces/{fleet.namespace}/events")["items"]
        said = [one["involvedObject"]["name"] for one in events if "is marked non_compliant" in one["message"]]
        return [name for name in names if not any(one == name or one.startswith(f"{name}-") for one in said)]

    _until_none(untold, "say in an event why no pod is created")
    left = [pod["metadata"] for pod in fleet.pods() if any(_is(pod, name) for name in names)]
    assert [one["name"] for one in left if "deletionTimestamp" not in one] == []

    fleet.marking.lift(fleet.digest)
    touch = {"metadata": {"annotations": {"touched": "so that the controller need not wait until its next attempt"}}}
    for kind in kinds:
        for one in admin.get(path(kind))["items"]:
            admin.patch(f"{path(kind)}/{one['metadata']['name']}", touch)
    fleet.run(names)


def _run_once(fleet: Fleet, jobs: str, number: str) -> None:
    """What `kubectl create job --from=cronjob/...` does."""
    admin = fleet.node.admin
    cron = admin.get(f"{jobs.replace('/jobs', '/cronjobs')}/by-cronjob")
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "by-cronjob", "uid": cron["metadata"]["uid"]}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"by-cronjob-{number}",
            "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": json.loads(json.dumps(cron["spec"]["jobTemplate"]["spec"])),
    }
    admin.create(jobs, job)
