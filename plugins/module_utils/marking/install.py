# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts manifests into a cluster and takes them out again, in an order that never locks anybody out."""

from __future__ import annotations

import time
import typing as t

from ..kube.client import METADATA_ONLY, Client
from ..kube.errors import KubeError
from ..model import J, ScapError
from . import trial
from .names import SYSTEM_PREFIXES

_OWN_METADATA = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
_FIRST_TO_GO = ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy")
_CRD = "CustomResourceDefinition"
_LAST_TO_GO = ("Namespace", _CRD)


def path(manifest: J) -> str:
    """The object's path below the API server."""
    version, kind, metadata = manifest["apiVersion"], manifest["kind"], manifest["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
    return f"{root}{namespace}/{_plural(kind)}/{metadata['name']}"


def title(manifest: J) -> str:
    """`Kind namespace/name`, for people."""
    metadata = manifest["metadata"]
    namespace = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{manifest['kind']} {namespace}{metadata['name']}"


def merged(manifests: t.Iterable[J]) -> list[J]:
    """Manifests of several parts; an object that two of them describe (a namespace) gets the labels of both."""
    found: dict[str, J] = {}
    for manifest in manifests:
        first = found.setdefault(path(manifest), manifest)
        if first is not manifest:
            labels = {**(first["metadata"].get("labels") or {}), **(manifest["metadata"].get("labels") or {})}
            found[path(manifest)] = {**first, "metadata": {**first["metadata"], "labels": labels}}
    return list(found.values())


def system_namespaces(client: Client) -> list[str]:
    """The namespaces that belong to the cluster by their names (`kube-...`, `openshift-...`)."""
    names: list[str] = []
    for page in client.list_pages("/api/v1/namespaces", 500, accept=METADATA_ONLY):
        names.extend(data["metadata"]["name"] for data in page.objects)
    return sorted({name for name in names if name.startswith(SYSTEM_PREFIXES)})


def install(client: Client, manifests: t.Sequence[J], check: bool = False, timeout: float = 60.0) -> list[str]:
    """Apply what differs, in the given order; returns the titles of what changed. Raises KubeError, ScapError."""
    changed = []
    served: list[J] = []
    namespace = trial.proof_namespace_of(manifests)
    for manifest in manifests:
        if served and manifest["kind"] != _CRD and not check:
            _await_established(client, served, timeout)
            served = []
        try:
            before = client.get(path(manifest))
        except KubeError as error:
            if error.status != 404:
                raise
            before = {}
        try:
            if namespace and not check and trial.needed(manifest):
                _try(client, manifest, namespace, not before)
            after = client.apply(path(manifest), manifest, dry_run=check)
        except KubeError as error:
            if error.status == 404 and manifest["kind"] in _FIRST_TO_GO:
                raise ScapError(
                    "admission_missing",
                    f"{client.host} serves no {manifest['kind']}: Kubernetes 1.30 or OpenShift 4.17 and newer do, and"
                    " only there images can be denied; without it take marking out of components",
                ) from error
            if not (check and error.status == 404):  # its namespace would be created by this very run
                raise
            after = manifest
        if content(before) != content(after):
            changed.append(title(manifest))
        if manifest["kind"] == _CRD:
            served.append(manifest)
    return changed


def _try(client: Client, policy: J, namespace: str, new: bool) -> None:
    """Put a policy that is new, or whose trial was cut, on trial in the namespace for dry runs."""
    tried = trial.Trial(client, policy, namespace)
    if new or tried.is_open():
        tried.begin(client.apply(path(policy), tried.manifest()))
        _wait(tried.passed, trial.SECONDS, f"the API server does not know the parameters of {title(policy)}")
        tried.end()


def remove(client: Client, manifests: t.Sequence[J], check: bool = False, timeout: float = 60.0) -> list[str]:
    """Delete what is there: bindings and policies first, CRDs with their objects and namespaces last.

    Waits until it is gone; ScapError `setup_unfinished` names what is not.
    """
    order = {kind: place for place, kind in enumerate(_FIRST_TO_GO)}
    order.update({kind: 100 + place for place, kind in enumerate(_LAST_TO_GO)})
    ordered = sorted(manifests, key=lambda manifest: order.get(manifest["kind"], 50))
    removed = [manifest for manifest in ordered if client.delete(path(manifest), dry_run=check)]
    if not check:
        left: list[J] = list(removed)

        def gone() -> bool:
            left[:] = [manifest for manifest in left if client.exists(path(manifest))]
            return not left

        _wait(gone, timeout, lambda: f"still there: {', '.join(map(title, left))}; its finalizers have not run yet")
    return [title(manifest) for manifest in removed]


def _wait(done: t.Callable[[], bool], timeout: float, message: str | t.Callable[[], str]) -> None:
    deadline, pause = time.monotonic() + timeout, 0.05
    while not done():
        if time.monotonic() > deadline:
            text = message if isinstance(message, str) else message()
            raise ScapError("setup_unfinished", f"after {timeout:g} seconds: {text}")
        time.sleep(pause)
        pause = min(2 * pause, 1.0)


def _await_established(client: Client, crds: t.Sequence[J], timeout: float) -> None:
    _wait(lambda: all(_established(client, crd) for crd in crds), timeout, "the CRDs are not established")


def _established(client: Client, crd: J) -> bool:
    conditions = (client.get(path(crd)).get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Established" and one.get("status") == "True" for one in conditions)


def content(data: J) -> J:
    """An object without what the server keeps for itself."""
    metadata = {key: value for key, value in (data.get("metadata") or {}).items() if key not in _OWN_METADATA}
    return {**{key: value for key, value in data.items() if key != "status"}, "metadata": metadata}


def _plural(kind: str) -> str:
    word = kind.lower()
    if word.endswith("constraints"):  # already plural
        return word
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith("s") else f"{word}s"
