# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenShift face answers as an API server of Kubernetes does, and only to those who may ask."""

from __future__ import annotations

import json
import lzma
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.kube.client import (
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    Client,
    connect,
)
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError

from tests.support import kube, shared_data

GROUP = "/apis/image.openshift.io/v1"
IMAGES = f"{GROUP}/images"
J = t.Dict[str, t.Any]


def _image(number: int) -> J:
    name = f"sha256:{number:064x}"
    return {
        "apiVersion": "image.openshift.io/v1",
        "kind": "Image",
        "metadata": {"name": name, "labels": {"made-by": "test-openshift"}},
        "dockerImageReference": f"registry.example/team/app@{name}",
        "dockerImageMetadata": {"Architecture": "amd64", "Size": 7},
        "dockerImageLayers": [{"name": "sha256:1", "size": 1, "mediaType": "x"}],
    }


@pytest.fixture
def admin(cluster: kube.Cluster) -> t.Iterator[Client]:
    ours = {"labelSelector": "made-by=test-openshift"}
    cluster.admin.request("DELETE", IMAGES, params=ours)
    yield cluster.admin
    cluster.admin.request("DELETE", IMAGES, params=ours)


def test_pages_watch_and_patches(admin: Client) -> None:
    for number in range(7):
        admin.create(IMAGES, _image(number))
    selector = {"labelSelector": "made-by=test-openshift"}
    first = admin.get(IMAGES, {**selector, "limit": 5})
    rest = admin.get(IMAGES, {**selector, "limit": 5, "continue": first["metadata"]["continue"]})
    assert [len(first["items"]), len(rest["items"])] == [5, 2]
    one = f"{IMAGES}/{first['items'][0]['metadata']['name']}"
    assert admin.get(one)["dockerImageMetadata"] == {"Architecture": "amd64", "Size": 7}
    version = rest["metadata"]["resourceVersion"]
    admin.patch(one, {"metadata": {"annotations": {"a": "1"}}}, MERGE)
    admin.patch(one, [{"op": "add", "path": "/metadata/annotations/b", "value": "2"}], JSON_PATCH)
    admin.patch(one, {"metadata": {"annotations": {"c": "3"}}}, STRATEGIC)
    applied = {"apiVersion": "image.openshift.io/v1", "kind": "Image", "metadata": {"annotations": {"d": "4"}}}
    applied["metadata"]["name"] = first["items"][0]["metadata"]["name"]
    admin.apply(one, applied)
    dry = admin.patch(one, {"metadata": {"annotations": {"e": "5"}}}, MERGE, dry_run=True)
    assert dry["metadata"]["annotations"]["e"] == "5"
    kept = admin.get(one)["metadata"]
    assert kept["annotations"] == {"a": "1", "b": "2", "c": "3", "d": "4"}
    assert {entry["operation"] for entry in kept["managedFields"]} == {"Apply", "Update"}
    with admin.stream("GET", IMAGES, {"watch": "true", "resourceVersion": version, **selector}, quiet=2.0) as pieces:
        events = [json.loads(line) for line in b"".join(pieces).splitlines()]
    assert [event["type"] for event in events] == ["MODIFIED"] * 4
    assert list(events[-1]["object"]["metadata"]["annotations"]) == ["a", "b", "c", "d"]


def test_unknown_fields_tables_and_what_never_changes(admin: Client) -> None:
    admin.create(IMAGES, _image(1))
    one = f"{IMAGES}/{_image(1)['metadata']['name']}"
    strict = {"fieldValidation": "Strict"}
    with pytest.raises(KubeError) as refused:
        admin.request("POST", IMAGES, {**_image(2), "surprise": 1}, params=strict)
    assert refused.value.status == 400
    assert "surprise" in str((refused.value.body or {}).get("message"))
    table = admin.request("GET", IMAGES, accept="application/json;as=Table;v=v1;g=meta.k8s.io").json()
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Image Reference"]
    admin.patch(one, {"dockerImageLayers": []}, MERGE)
    assert len(admin.get(one)["dockerImageLayers"]) == 1


def test_streams_tags_and_mappings(cluster: kube.Cluster) -> None:
    admin = cluster.admin
    with cluster.namespace() as namespace:
        base = f"{GROUP}/namespaces/{namespace}"
        meta = {"apiVersion": "image.openshift.io/v1", "metadata": {"name": "app", "namespace": namespace}}
        admin.create(f"{base}/imagestreams", {**meta, "kind": "ImageStream"})
        mapping = {**meta, "kind": "ImageStreamMapping", "tag": "v1"}
        admin.create(f"{base}/imagestreammappings", {**mapping, "image": _image(11)})
        admin.create(f"{base}/imagestreammappings", {**mapping, "image": _image(12)}, dry_run=True)
        tag = admin.get(f"{base}/imagestreamtags/app:v1")
        assert tag["image"]["metadata"]["name"] == _image(11)["metadata"]["name"]
        admin.create(f"{base}/imagestreammappings", {**mapping, "image": _image(12)})
        stream = admin.get(f"{base}/imagestreams/app")
        history = [event["image"] for event in stream["status"]["tags"][0]["items"]]
        assert history == [_image(12)["metadata"]["name"], _image(11)["metadata"]["name"]]
        assert stream["status"]["dockerImageRepository"].endswith(f"/{namespace}/app")
        assert len(admin.get(f"{base}/imagestreamtags")["items"]) == 1
        image = admin.get(f"{base}/imagestreamimages/app@{_image(11)['metadata']['name']}")
        assert image["image"]["dockerImageMetadata"]["Size"] == 7
        admin.patch(f"{base}/imagestreamtags/app:v1", {"metadata": {"annotations": {"x": "y"}}}, MERGE)
        assert admin.get(f"{base}/imagestreamtags/app:v1")["tag"]["annotations"] == {"x": "y"}
        assert admin.delete(f"{base}/imagestreamtags/app:v1")
        assert not cluster.exists(f"{base}/imagestreamtags/app:v1")
        for number in (11, 12):
            admin.delete(f"{IMAGES}/{_image(number)['metadata']['name']}")


def test_rights_are_the_real_api_servers(cluster: kube.Cluster, admin: Client) -> None:
    admin.create(IMAGES, _image(1))
    name = "scap-test-image-reader"
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}}
    role["rules"] = [{"apiGroups": ["image.openshift.io"], "resources": ["images"], "verbs": ["get", "list"]}]
    with cluster.namespace() as namespace:
        user = connect(cluster.access("default", namespace))
        with pytest.raises(KubeError) as refused:
            user.get(IMAGES)
        assert refused.value.status == 403
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        subject = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
        binding = {**role, "kind": "ClusterRoleBinding", "subjects": [subject]}
        binding["roleRef"] = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
        del binding["rules"]
        try:
            admin.apply(f"{rbac}/clusterroles/{name}", role)
            admin.apply(f"{rbac}/clusterrolebindings/{name}", binding)
            kube.until(lambda: _readable(user), "the binding is obeyed")
            with pytest.raises(KubeError) as kept:
                user.patch(f"{IMAGES}/{_image(1)['metadata']['name']}", {"metadata": {"labels": {"x": "y"}}}, MERGE)
            assert kept.value.status == 403
        finally:
            admin.delete(f"{rbac}/clusterrolebindings/{name}")
            admin.delete(f"{rbac}/clusterroles/{name}")


def _readable(user: Client) -> bool:
    try:
        return "items" in user.get(IMAGES)
    except KubeError as error:
        if error.status == 403:
            return False
        raise


def test_recorded_images_can_be_loaded(admin: Client) -> None:
    path = shared_data.path("api", "openshift4", "apis_image.openshift.io_v1_images_limit_1000.json.xz")
    recorded = json.loads(lzma.decompress(path.read_bytes()))["items"]
    for entry in recorded[:20]:
        metadata = {"name": entry["metadata"]["name"], "annotations": entry["metadata"].get("annotations", {})}
        metadata["labels"] = {"made-by": "test-openshift"}
        body = {**entry, "apiVersion": "image.openshift.io/v1", "kind": "Image", "metadata": metadata}
        admin.create(IMAGES, body)
        stored = admin.get(f"{IMAGES}/{metadata['name']}")
        assert {key: stored.get(key) for key in entry if key != "metadata"} == {
            key: value for key, value in entry.items() if key != "metadata"
        }


def test_kubectl_explains_the_types(cluster: kube.Cluster) -> None:
    assert "FIELD: dockerImageLayers" in cluster.kubectl("explain", "images.image.openshift.io.dockerImageLayers")
