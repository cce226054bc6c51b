# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What scanning needs in a cluster before the first scan: namespace, accounts, rights, network policies."""

from __future__ import annotations

from ..model import J
from .kubernetes_job import LABELS, NETWORK

CONTROLLER = "scan-controller"
"""Service account whose token a controller may use; it makes Jobs and fetches evidence, and can do nothing else."""
SCANNER = "scanner"
"""Service account of the scan pods; it has no rights and no token."""
RBAC = "rbac.authorization.k8s.io"

RULES: list[J] = [
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "create", "delete"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get", "create"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": [SCANNER], "verbs": ["get"]},
]
"""Rights of the controller in the namespace of the scans: make and remove Jobs, see their pods and why one does not
start, fetch evidence, put content there, give a pod that pulls its credentials (secrets are created, never read) and
know those of the pods' account."""

READ_PULL_SECRETS: list[J] = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
"""Rights of the ClusterRole NAMESPACE-pull-secrets. It is bound by nobody but the user, in the namespaces whose images
are pulled with the secrets of their own pods."""


def objects(namespace: str) -> list[J]:
    """Manifests, in the order in which they are applied."""
    managed = {"app.kubernetes.io/managed-by": "scap.images"}

    def made(version: str, kind: str, name: str, **parts: object) -> J:
        metadata: J = {"name": name, "namespace": namespace, "labels": dict(managed)}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **parts}

    privileges = {f"pod-security.kubernetes.io/{mode}": "privileged" for mode in ("enforce", "warn", "audit")}
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": namespace, "labels": {**managed, **privileges}},
        },
        made("v1", "ServiceAccount", SCANNER, automountServiceAccountToken=False),
        made("v1", "ServiceAccount", CONTROLLER),
        made(f"{RBAC}/v1", "Role", CONTROLLER, rules=RULES),
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": f"{namespace}-pull-secrets", "labels": managed},
            "rules": READ_PULL_SECRETS,
        },
        made(
            f"{RBAC}/v1",
            "RoleBinding",
            CONTROLLER,
            roleRef={"apiGroup": RBAC, "kind": "Role", "name": CONTROLLER},
            subjects=[{"kind": "ServiceAccount", "name": CONTROLLER, "namespace": namespace}],
        ),
        made(
            "networking.k8s.io/v1", "NetworkPolicy", "scan-without-network", spec=_policy("none", ["Ingress", "Egress"])
        ),
        made("networking.k8s.io/v1", "NetworkPolicy", "scan-to-registries", spec=_policy("registry", ["Ingress"])),
    ]


def _policy(network: str, types: list[str]) -> J:
    """Forbids these directions to the scan pods with this network label."""
    return {"podSelector": {"matchLabels": {**LABELS, NETWORK: network}}, "policyTypes": types}
