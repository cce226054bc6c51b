"""Discovery on a real API server: what runs, what is scaled to zero, what changed, what is forbidden."""

from __future__ import annotations

import base64
import contextlib
import pathlib
import subprocess

import pytest
import yaml
from ansible_collections.scap.images.plugins.module_utils.discovery.shapes import SHAPES
from ansible_collections.scap.images.plugins.module_utils.discovery.workloads import KINDS, Extract
from ansible_collections.scap.images.plugins.module_utils.kube.client import STRATEGIC, connect
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError
from ansible_collections.scap.images.plugins.modules.image_discover import ARGUMENTS, run

from tests.data import tiny
from tests.support import checkpoints, kube
from tests.support import registry as registries
from tests.support.marking import RUN, server

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BASE = {name: option.get("default") for name, option in ARGUMENTS.items()}
SPACE, OTHER = f"scap-test-discover-{RUN}", f"scap-test-discover-other-{RUN}"
DIGEST = f"sha256:{'a' * 64}"


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    with server(tmp_path_factory.mktemp("apiserver")) as options:
        yield from _prepared(connect(options))


def _prepared(client):
    for name in (SPACE, OTHER, "scap-images"):
        body = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {"scap-test": "discover"}},
        }
        client.apply(f"/api/v1/namespaces/{name}", body)
    for name in (SPACE, OTHER):
        user = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        client.apply(f"/api/v1/namespaces/{name}/serviceaccounts/default", user)
    for thing in yaml.safe_load((ROOT / "examples" / "rbac" / "discover.yml").read_text())["items"]:
        client.apply(_path(thing), thing)
    yield client
    for thing in yaml.safe_load((ROOT / "examples" / "rbac" / "discover.yml").read_text())["items"]:
        client.delete(_path(thing))
    for name in (SPACE, OTHER):
        for path in ("pods", "serviceaccounts"):
            client.request("DELETE", f"/api/v1/namespaces/{name}/{path}", params={"gracePeriodSeconds": 0})
        client.delete(f"/apis/apps/v1/namespaces/{name}/deployments/zero")
        client.delete(f"/api/v1/namespaces/{name}")


def _path(thing):
    metadata, kind = thing["metadata"], thing["kind"]
    if kind == "ServiceAccount":
        return f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{metadata['name']}"
    return f"/apis/{thing['apiVersion']}/{kind.lower()}s/{metadata['name']}"


def _make(client, name, image, image_id="", namespace=SPACE):
    """A pod that no scheduler takes, so that its status stays what it is told."""
    spec = {
        "schedulerName": "scap-test-none",
        "automountServiceAccountToken": False,
        "containers": [{"name": "main", "image": image}],
    }
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
    path = f"/api/v1/namespaces/{namespace}/pods"
    with contextlib.suppress(KubeError):  # it may be there already; its status cannot be set where it is not
        client.create(path, body)
    entry = {
        "name": "main",
        "image": image,
        "imageID": image_id,
        "ready": True,
        "restartCount": 0,
        "state": {"running": {}},
    }
    status = {"phase": "Running", "containerStatuses": [entry] if image_id else []}
    client.patch(f"{path}/{name}/status", {"status": status})


def _discover(client, folder=None, **options):
    """As the service account of the shipped rights."""
    values = {**BASE, "host": client.host, "api_key": _token(client), "validate_certs": False, "resolve": "none"}
    values.update({"sources": [{"type": "workloads"}], "namespaces": [SPACE], "dir": folder, **options})
    return run(values, False)


def _token(client, namespace="scap-images", name="discover"):
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    return client.create(path, body).json()["status"]["token"]


def test_what_runs_and_what_is_scaled_to_zero_with_the_shipped_rights(owner):
    _make(owner, "web", "registry.example/web:1", f"registry.example/web@{DIGEST}")
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "zero"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "main", "image": "registry.example/idle:1"}]},
            },
        },
    }
    owner.apply(f"/apis/apps/v1/namespaces/{SPACE}/deployments/zero", deployment)
    found = _discover(owner)
    by = {image["reference"]: image for image in found["images"]}
    assert by["docker://registry.example/web:1"]["digest"] == DIGEST
    assert by["docker://registry.example/web:1"]["workloads"][0]["running"] is True
    assert by["docker://registry.example/idle:1"]["workloads"][0]["kind"] == "Deployment"
    assert [record for record in found["skipped"] if record["source"] == "workloads"] == []
    assert len(_discover(owner, namespaces=[], namespace_selector="scap-test=discover")["images"]) >= 2


def test_what_faces_outside_comes_first_with_the_shipped_rights(owner, tmp_path):
    for name in ("hidden", "open"):
        _make(owner, name, f"registry.example/{name}:1", f"registry.example/{name}@{DIGEST}")
        owner.patch(f"/api/v1/namespaces/{SPACE}/pods/{name}", {"metadata": {"labels": {"app": name}}})
    spec = {"type": "NodePort", "selector": {"app": "open"}, "ports": [{"port": 80}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "outside"}, "spec": spec}
    owner.apply(f"/api/v1/namespaces/{SPACE}/services/outside", service)
    what = {"sources": [{"type": "workloads"}], "priority": "exposed", "folder": str(tmp_path)}
    for mode in ("full", "incremental"):
        found = _discover(owner, **what)
        assert found["images"][0]["exposed"] == [f"Service {SPACE}/outside (NodePort)"]
        assert "docker://registry.example/open:1" in found["images"][0]["references"]
        assert [record for record in found["skipped"] if record["source"] == "workloads"] == []
        assert found["summary"]["sources"][0]["mode"] == mode
    owner.delete(f"/api/v1/namespaces/{SPACE}/services/outside")
    assert not any(image["exposed"] for image in _discover(owner, **what)["images"])


def test_a_private_tag_is_resolved_by_its_pods_pull_secret(owner, tmp_path):
    """Where the user's own credentials are refused and its rights reach to the secret; else both are told."""
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{SPACE}"
    version = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "pull"}}
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["pull"], "verbs": ["get"]}
    role = {**version, "kind": "Role", "rules": [rule]}
    subject = {"kind": "ServiceAccount", "name": "discover", "namespace": "scap-images"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "pull"}
    binding = {**version, "kind": "RoleBinding", "subjects": [subject], "roleRef": reference}
    nobody = tmp_path / "nobody.json"
    nobody.write_text('{"auths": {}}')
    with registries.guarded(tmp_path / "registry", "ann", "very-private") as registry:
        registry.push(tiny.layout(tmp_path / "tiny"), "team/private:1")
        image = f"{registry.address}/team/private:1"
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "main", "image": image}]}}
        template["spec"]["imagePullSecrets"] = [{"name": "gone"}, {"name": "pull"}]
        spec = {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template}
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "zero"}, "spec": spec}
        config = base64.b64encode(registry.authfile.read_bytes()).decode()
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "pull"},
            "data": {".dockerconfigjson": config},
        }
        owner.apply(f"/apis/apps/v1/namespaces/{SPACE}/deployments/zero", body)
        owner.apply(f"/api/v1/namespaces/{SPACE}/secrets/pull", {**secret, "type": "kubernetes.io/dockerconfigjson"})
        what = {"sources": [{"type": "workloads", "kinds": ["Deployment"]}], "resolve": "tags"}
        what.update({"authfile": str(nobody), "ca_file": str(registry.authority)})
        refused = _discover(owner, **what)
        assert refused["images"] == []
        [record] = [one for one in refused["skipped"] if one["reference"] == f"docker://{image}"]
        assert "HTTP 401" in record["reason"]
        assert 'resources: ["secrets"], verbs: ["get"]' in record["reason"]
        owner.apply(f"{rbac}/roles/pull", role)
        owner.apply(f"{rbac}/rolebindings/pull", binding)
        [found] = kube.until(lambda: _discover(owner, **what)["images"], "the role is obeyed")
        assert found["digest"] == _digest_of(registry, "team/private:1")
        assert "very-private" not in str(_discover(owner, **what))


def _digest_of(registry, name):
    folder = str(registry.authority.parent)
    argv = ["skopeo", "inspect", "--format", "{{.Digest}}", "--cert-dir", folder, "--authfile", str(registry.authfile)]
    argv.append(f"docker://{registry.address}/{name}")
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def test_the_second_run_reads_only_the_changes(owner, tmp_path):
    _make(owner, "stays", "registry.example/stays:1", f"registry.example/stays@{DIGEST}")
    what = {"sources": [{"type": "workloads", "kinds": ["Pod"]}]}
    first = _discover(owner, str(tmp_path), **what)
    again = _discover(owner, str(tmp_path), **what)
    assert (first["changed"], again["changed"]) == (True, False)
    source = again["summary"]["sources"][0]
    assert (source["mode"], source["requests"] <= 3) == ("incremental", True)
    _make(owner, "comes", "registry.example/comes:1", f"registry.example/comes@{DIGEST.replace('a', 'b')}")
    owner.request("DELETE", f"/api/v1/namespaces/{SPACE}/pods/stays", params={"gracePeriodSeconds": 0})
    changed = _discover(owner, str(tmp_path), **what)
    assert changed["summary"]["sources"][0]["mode"] == "incremental"
    names = {image["reference"] for image in changed["images"]}
    assert "docker://registry.example/comes:1" in names
    assert "docker://registry.example/stays:1" not in names
    assert names == {image["reference"] for image in _discover(owner, **what)["images"]}


def test_a_checkpoint_that_is_too_old_leads_to_a_full_list(owner, tmp_path):
    what = {"sources": [{"type": "workloads", "kinds": ["Pod"]}]}
    _discover(owner, str(tmp_path), **what)
    checkpoints.age(tmp_path)
    found = _discover(owner, str(tmp_path), **what)
    assert found["summary"]["sources"][0]["mode"] == "full"
    assert found["changed"] is False


def test_a_user_without_rights_is_told_the_rule(owner):
    _make(owner, "hidden", "registry.example/hidden:1", namespace=OTHER)
    token = _token(owner, OTHER, "default")
    found = _discover(owner, api_key=token, sources=[{"type": "workloads", "kinds": ["Pod"]}], namespaces=[OTHER])
    assert found["images"] == []
    reasons = {record["reference"]: record["reason"] for record in found["skipped"]}
    assert 'resources: ["pods"], verbs: ["list"]' in reasons[f"/api/v1/namespaces/{OTHER}/pods"]
    assert "/api/v1/nodes" in reasons


def _template(image):
    container = {"name": "main", "image": image, "env": [{"name": "A", "value": "b"}], "ports": [{"containerPort": 80}]}
    spec = {
        "containers": [container, {**container, "name": "second", "image": f"{image}-second"}],
        "initContainers": [{**container, "name": "init", "image": f"{image}-init"}],
        "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "data", "image": {"reference": f"{image}-data"}}],
        "imagePullSecrets": [{"name": "pull"}, {"name": "other"}],
        "nodeSelector": {"no": "node"},
    }
    return {"metadata": {"labels": {"app": "shape"}}, "spec": spec}


def test_protobuf_says_what_json_says(owner):
    """Of every kind the same row, whichever encoding the API server was asked for."""
    once = {**_template("registry.example/job:1")["spec"], "restartPolicy": "Never"}
    select = {"selector": {"matchLabels": {"app": "shape"}}}
    template = _template("registry.example/shape:1")
    specs = {
        "Pod": {**template["spec"], "schedulerName": "scap-test-none", "automountServiceAccountToken": False},
        "ReplicationController": {"replicas": 0, "selector": {"app": "shape"}, "template": template},
        "Deployment": {**select, "replicas": 0, "template": template},
        "StatefulSet": {**select, "replicas": 0, "serviceName": "x", "template": template},
        "DaemonSet": {**select, "template": template},
        "ReplicaSet": {**select, "replicas": 0, "template": template},
        "Job": {"suspend": True, "template": {"spec": once}},
        "CronJob": {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": {"template": {"spec": once}}}},
    }
    assert set(SHAPES) == set(specs) == set(KINDS) - {"DeploymentConfig"}
    for kind, spec in specs.items():
        group, resource, path = KINDS[kind]
        where = f"{group}/namespaces/{SPACE}/{resource}"
        version = group.partition("/apis/")[2] or "v1"
        body = {"apiVersion": version, "kind": kind, "metadata": {"name": "shape", "labels": {"a": "b"}}, "spec": spec}
        owner.create(where, body)
        try:
            if kind == "Pod":
                _make(owner, "shape", "registry.example/shape:1", f"registry.example/shape@{DIGEST}")
                debug = {"ephemeralContainers": [{"name": "debug", "image": "registry.example/debug:1"}]}
                owner.patch(f"{where}/shape/ephemeralcontainers", {"spec": debug}, STRATEGIC)
            extract = Extract(path.split("."))
            rows = {thing["metadata"]["name"]: extract(thing) for thing in owner.get(where)["items"]}
            pages = list(owner.list_pages(where, 1, shape=SHAPES[kind]))
            assert set(pages[0].objects[0]) <= {"metadata", "spec", "status"}
            assert "managedFields" not in pages[0].objects[0]["metadata"]
            assert {thing["metadata"]["name"]: extract(thing) for page in pages for thing in page.objects} == rows
            assert len(rows["shape"][2]) == (5 if kind == "Pod" else 4)
            assert all(name in str(rows["shape"]) for name in ("-second", "-init", "-data", "'pull', 'other'"))
        finally:
            owner.request(
                "DELETE", f"{where}/shape", params={"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
            )
