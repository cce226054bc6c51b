# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet for the measurements of discovery, made through the API: pods with statuses, OpenShift Images, streams."""

from __future__ import annotations

import concurrent.futures
import hashlib
import typing as t

from ansible_collections.scap.images.plugins.module_utils.kube.client import Client
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError

J = t.Dict[str, t.Any]
NAMESPACES = 20
PREFIX = "scap-fleet-"
IMAGE_GROUP = "/apis/image.openshift.io/v1"
_OURS = "made-by=scap-fleet"


def digest(number: int) -> str:
    return f"sha256:{hashlib.sha256(f'image {number}'.encode()).hexdigest()}"


def namespace(number: int) -> str:
    return f"{PREFIX}{number % NAMESPACES:02d}"


def repository(number: int) -> str:
    return f"registry.example.org/team-{number % 50}/service-{number}"


def pod(number: int, distinct: int) -> tuple[J, J]:
    """A pod as a controller makes it (about 4 kB), and its status."""
    image = number % distinct
    name = f"service-{image}-{number:05d}"
    labels = {"app.kubernetes.io/name": f"service-{image}", "pod-template-hash": "5d8f9c7b6d"}
    container = {
        "name": "main",
        "image": f"{repository(image)}:1.{image % 7}",
        "env": [{"name": f"SETTING_{index}", "value": f"value of setting {index} of {name}"} for index in range(12)],
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
    }
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace(number), "labels": labels},
        "spec": {
            "nodeName": f"node{number % 40}",
            "automountServiceAccountToken": False,
            "imagePullSecrets": [{"name": "registry"}],
            "containers": [container],
        },
    }
    status = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [
            {
                "name": "main",
                "image": container["image"],
                "imageID": f"{repository(image)}@{digest(image)}",
                "ready": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": "2026-01-02T03:04:05Z"}},
            }
        ],
    }
    return body, {"status": status}


def make_pods(client: Client, count: int, distinct: int) -> None:
    """`count` pods with `distinct` images; those that are there already stay."""
    for number in range(NAMESPACES):
        name = namespace(number)
        _create(client, "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        _create(client, f"/api/v1/namespaces/{name}/serviceaccounts", account)

    def one(number: int) -> None:
        body, status = pod(number, distinct)
        path = f"/api/v1/namespaces/{body['metadata']['namespace']}/pods"
        if _create(client, path, body):
            client.patch(f"{path}/{body['metadata']['name']}/status", status)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _done in pool.map(one, range(count)):
            pass


def make_images(client: Client, images: int, streams: int) -> None:
    """`images` OpenShift Images, the first `streams` of them in a stream of their own."""
    for number in range(NAMESPACES):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace(number)}}
        _create(client, "/api/v1/namespaces", body)

    def one(number: int) -> None:
        _create(client, f"{IMAGE_GROUP}/images", image(number))
        if number < streams:
            _create(client, f"{IMAGE_GROUP}/namespaces/{namespace(number)}/imagestreams", stream(number))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _done in pool.map(one, range(images)):
            pass


def remove_images(client: Client) -> None:
    client.request("DELETE", f"{IMAGE_GROUP}/images", params={"labelSelector": _OURS}, timeout=300)
    for number in range(NAMESPACES):
        path = f"{IMAGE_GROUP}/namespaces/{namespace(number)}/imagestreams"
        client.request("DELETE", path, params={"labelSelector": _OURS})
        client.delete(f"/api/v1/namespaces/{namespace(number)}")


def image(number: int) -> J:
    """An OpenShift Image of about 4.5 kB, most of it the configuration that a real one carries."""
    labels = {
        "name": f"team-{number % 50}/service-{number}",
        "vendor": "Example, Inc.",
        "version": f"1.{number % 7}",
        "release": str(number),
        "architecture": "x86_64",
        "build-date": "2026-01-02T03:04:05",
        "url": f"https://catalog.example.org/service-{number}",
        **{f"io.example.label-{index}": f"what label {index} says of every service" for index in range(12)},
    }
    environment = [f"SETTING_{index}=the value that setting {index} has in the image {number}" for index in range(24)]
    return {
        "apiVersion": "image.openshift.io/v1",
        "kind": "Image",
        "metadata": {"name": digest(number), "labels": dict([_OURS.split("=")])},
        "dockerImageReference": f"{repository(number)}@{digest(number)}",
        "dockerImageManifestMediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "dockerImageMetadata": {
            "kind": "DockerImage",
            "apiVersion": "image.openshift.io/1.0",
            "Id": digest(number + 1_000_000),
            "Created": "2026-01-02T03:04:05Z",
            "Architecture": "amd64",
            "Size": 45_000_000 + number,
            "Config": {"Env": environment, "Labels": labels, "Cmd": ["/usr/bin/service"]},
        },
        "dockerImageLayers": [
            {"name": digest(2_000_000 + number * 5 + index), "size": 9_000_000, "mediaType": "application/gzip"}
            for index in range(5)
        ],
    }


def stream(number: int) -> J:
    """An ImageStream with one tag."""
    item = {"created": "2026-01-02T03:04:05Z", "dockerImageReference": f"{repository(number)}@{digest(number)}"}
    return {
        "apiVersion": "image.openshift.io/v1",
        "kind": "ImageStream",
        "metadata": {
            "name": f"service-{number}",
            "namespace": namespace(number),
            "labels": dict([_OURS.split("=")]),
        },
        "status": {
            "dockerImageRepository": f"image-registry.example.svc:5000/{namespace(number)}/service-{number}",
            "tags": [{"tag": "latest", "items": [{**item, "image": digest(number), "generation": 1}]}],
        },
    }


def _create(client: Client, path: str, body: J) -> bool:
    try:
        client.create(path, body)
    except KubeError as error:
        if error.status != 409:
            raise
        return False
    return True
