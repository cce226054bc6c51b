# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster holds of marks now, read in a few paged lists."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import typing as t

from ..kube.client import METADATA_ONLY, Client
from ..kube.errors import KubeError
from ..model import J, ScapError
from . import admission, denied, imagescan
from .names import POD_POLICY, SYSTEM_NAMESPACES, SYSTEM_PREFIXES, binding

OPENSHIFT_IMAGES = "/apis/image.openshift.io/v1/images"
FEW = 20
"""Up to so many images are asked for one by one instead of listed."""

_METADATA_ONE = METADATA_ONLY.replace("PartialObjectMetadataList", "PartialObjectMetadata")
_DENIED_PAGE = 16


@dataclasses.dataclass
class Present:
    """The marks of a cluster."""

    scans: dict[str, J]
    """ImageScan objects by digest."""
    denied: list[J]
    """Every DeniedImages object."""
    annotations: dict[str, dict[str, str]] | None
    """Annotations of OpenShift Images by digest; None where the cluster has no such API."""
    problem: str = ""
    """Why the OpenShift Images could not be read."""


def read(client: Client, digests: t.Collection[str] | None) -> Present:
    """The present marks of these images (None: of all) and the whole denied set. Raises KubeError, ScapError."""
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        scans = pool.submit(_scans, client, digests)
        shards = pool.submit(denied_objects, client)
        images = pool.submit(_openshift, client, digests)
        annotations, problem = images.result()
        return Present(scans.result(), shards.result(), annotations, problem)


def denied_objects(client: Client) -> list[J]:
    """Every DeniedImages object."""
    return _list(client, denied.PATH, _DENIED_PAGE)


def _list(client: Client, path: str, limit: int, accept: str = "application/json") -> list[J]:
    found: list[J] = []
    try:
        for page in client.list_pages(path, limit, accept=accept):
            if page.restarted:
                found.clear()
            found.extend(page.objects)
    except KubeError as error:
        if error.status == 404 and path in (denied.PATH, imagescan.PATH):
            raise ScapError(
                "marking_not_set_up",
                f"{client.host} does not know ImageScan and DeniedImages; run the playbook scap.images.setup first",
            ) from error
        raise
    return found


def _few(client: Client, path: str, names: t.Iterable[str], accept: str) -> list[J]:
    found = []
    for name in names:
        try:
            found.append(client.request("GET", f"{path}/{name}", accept=accept).json())
        except KubeError as error:
            if error.status != 404:
                raise
    return found


def _scans(client: Client, digests: t.Collection[str] | None) -> dict[str, J]:
    if digests is None or len(digests) > FEW:
        objects = _list(client, imagescan.PATH, 500)
    else:
        objects = _few(client, imagescan.PATH, map(imagescan.name, digests), "application/json")
    return {data["metadata"]["name"].replace("-", ":", 1): data for data in objects}


def _openshift(client: Client, digests: t.Collection[str] | None) -> tuple[dict[str, dict[str, str]] | None, str]:
    try:
        if digests is None or len(digests) > FEW:
            objects = _list(client, OPENSHIFT_IMAGES, 500, METADATA_ONLY)
        else:
            client.get(OPENSHIFT_IMAGES.rsplit("/", 1)[0])
            objects = _few(client, OPENSHIFT_IMAGES, digests, f"{_METADATA_ONE},application/json")
    except KubeError as error:
        if error.status == 404:
            return None, ""
        return None, error.message
    return {data["metadata"]["name"]: data["metadata"].get("annotations") or {} for data in objects}, ""


def pods(client: Client) -> t.Iterator[J]:
    """Every pod, page by page; a listing that begins anew raises KubeError (counts would be wrong)."""
    for page in client.list_pages("/api/v1/pods", 500):
        if page.restarted:
            raise KubeError("kube_gone", "the list of pods took longer than the API server keeps it; try again", 410)
        yield from page.objects


def exempt_test(client: Client, namespace: str) -> t.Callable[[str], bool]:
    """Whether a namespace is outside of what the stage `deny` binds, as the binding itself says it."""
    try:
        selector = client.get(f"{admission.BINDINGS}/{binding(POD_POLICY, 'deny')}")["spec"]["matchResources"][
            "namespaceSelector"
        ]
    except KubeError:
        selector = {"matchExpressions": [_not_in(namespace)]}
    labels: dict[str, dict[str, str]] = {}
    for page in client.list_pages("/api/v1/namespaces", 500, accept=METADATA_ONLY):
        labels.update({data["metadata"]["name"]: data["metadata"].get("labels") or {} for data in page.objects})

    def exempt(name: str) -> bool:
        return name.startswith(SYSTEM_PREFIXES) or not selects(
            selector, {admission.NAMESPACE_NAME: name, **labels.get(name, {})}
        )

    return exempt


def _not_in(namespace: str) -> J:
    return {"key": admission.NAMESPACE_NAME, "operator": "NotIn", "values": [*SYSTEM_NAMESPACES, namespace]}


def selects(selector: J, labels: t.Mapping[str, str]) -> bool:
    """Whether a label selector (meta/v1 LabelSelector) chooses an object with these labels."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for expression in selector.get("matchExpressions") or []:
        key, operator, wanted = expression["key"], expression["operator"], expression.get("values") or []
        chosen = {
            "In": labels.get(key) in wanted,
            "NotIn": labels.get(key) not in wanted,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }[operator]
        if not chosen:
            return False
    return True
