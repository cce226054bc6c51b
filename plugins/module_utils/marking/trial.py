# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new policy is on trial before it is in force.

An API server looks for new kinds every 30 seconds. A policy whose kind of parameters it has not found yet, and that
fails closed, refuses whatever it matches: the first setup would stop every new pod for that long. So it matches the
proof's namespace alone at first, with a binding that refuses for want of parameters: when the API server
gives that reason, it has found the kind.
"""

from __future__ import annotations

import typing as t

from ..kube.client import Client
from ..kube.errors import KubeError
from ..model import J
from .admission import BINDINGS, GROUP_VERSION, NAMESPACE_NAME
from .names import LABELS, PROOF_POLICY
from .proof import innocent_pod, said

SECONDS = 90.0
_FOUND = "no params found"
_NO_SUCH_LABEL = {"matchLabels": {"scap-images.github.io/trial": "none"}}


class Trial:
    """Of one policy."""

    def __init__(self, client: Client, policy: J, namespace: str) -> None:
        self._client = client
        self._policy = policy
        self._only_there = {"matchLabels": {NAMESPACE_NAME: namespace}}
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._binding = f"{BINDINGS}/{policy['metadata']['name']}-trial"

    def is_open(self) -> bool:
        """Whether one was begun and not ended."""
        return self._client.exists(self._binding)

    def manifest(self) -> J:
        """The policy, for the proof's namespace alone."""
        spec = self._policy["spec"]
        matched = {**spec["matchConstraints"], "namespaceSelector": self._only_there}
        return {**self._policy, "spec": {**spec, "matchConstraints": matched}}

    def begin(self, policy: J) -> None:
        """Bind the policy that the API server has stored."""
        metadata = policy["metadata"]
        owner = {key: policy[key] for key in ("apiVersion", "kind")}
        binding = {
            "apiVersion": GROUP_VERSION,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {
                "name": self._binding.rpartition("/")[2],
                "labels": dict(LABELS),
                "ownerReferences": [{**owner, "name": metadata["name"], "uid": metadata["uid"]}],
            },
            "spec": {
                "policyName": metadata["name"],
                "paramRef": {"selector": _NO_SUCH_LABEL, "parameterNotFoundAction": "Deny"},
                "matchResources": {"namespaceSelector": self._only_there},
                "validationActions": ["Deny"],
            },
        }
        self._client.apply(self._binding, binding)

    def passed(self) -> bool:
        """Whether the API server has found the kind of the parameters."""
        try:
            self._client.create(self._pods, innocent_pod(), dry_run=True)
        except KubeError as error:
            return _FOUND in said(error)
        return False

    def end(self) -> None:
        self._client.delete(self._binding)


def needed(manifest: J) -> bool:
    """Whether a new object of this manifest can refuse what it should not."""
    spec = manifest.get("spec") or {}
    return manifest["kind"] == "ValidatingAdmissionPolicy" and "paramKind" in spec and spec["failurePolicy"] == "Fail"


def proof_namespace_of(manifests: t.Iterable[J]) -> str:
    """The namespace for dry runs that these manifests bring; empty where they bring none."""
    for manifest in manifests:
        constraints = (manifest.get("spec") or {}).get("matchConstraints")
        if constraints and manifest["metadata"]["name"] == PROOF_POLICY:
            return str(constraints["namespaceSelector"]["matchLabels"][NAMESPACE_NAME])
    return ""
