# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The marker's rights, apart from the scanner's, and the namespace in which it proves what it did."""

from __future__ import annotations

import typing as t

from ..model import J
from .admission import NAMESPACE_NAME
from .names import GROUP, LABELS, proof_namespace

MARKER = "scap-images-marker"
PROVER = "proof"
"""Service account that the pods of a proof name; it has no rights at all."""

RBAC = "rbac.authorization.k8s.io"

RULES: list[J] = [
    {
        "apiGroups": [GROUP],
        "resources": ["imagescans", "deniedimages"],
        "verbs": ["get", "list", "create", "patch", "delete"],
    },
    {"apiGroups": ["image.openshift.io"], "resources": ["images"], "verbs": ["get", "list", "patch"]},
    {"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": ["list"]},
    {
        "apiGroups": ["admissionregistration.k8s.io"],
        "resources": ["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
        "verbs": ["get", "list"],
    },
]

READER_RULES: list[J] = [
    {"apiGroups": [GROUP], "resources": ["imagescans", "deniedimages"], "verbs": ["get", "list", "watch"]},
]

PROOF_RULES: list[J] = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create"]},
]


def objects(namespace: str, selectors: t.Mapping[str, J] | None = None) -> list[J]:
    """Namespaces, roles and service accounts of marking.

    `selectors`: as in admission.objects; the proof's namespace gets labels that the stage `deny` selects.
    """
    proof = proof_namespace(namespace)
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": namespace, "labels": dict(LABELS)},
        },
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": proof,
                "labels": {
                    **selected_by((selectors or {}).get("deny")),
                    **LABELS,
                    "pod-security.kubernetes.io/enforce": "restricted",
                },
            },
        },
        _account(namespace, "marker", True),
        _account(proof, PROVER, False),
        _role("ClusterRole", MARKER, "", RULES),
        _role("ClusterRole", "scap-images-reader", "", READER_RULES, {f"{RBAC}/aggregate-to-view": "true"}),
        _role("Role", MARKER, proof, PROOF_RULES),
        _bound("ClusterRoleBinding", "ClusterRole", namespace, ""),
        _bound("RoleBinding", "Role", namespace, proof),
    ]


def selected_by(selector: J | None) -> dict[str, str]:
    """Labels that a namespace needs for a label selector to choose it, as far as labels can do it."""
    labels = dict((selector or {}).get("matchLabels") or {})
    for expression in (selector or {}).get("matchExpressions") or []:
        if expression.get("operator") == "In":
            labels[expression["key"]] = expression["values"][0]
        elif expression.get("operator") == "Exists":
            labels[expression["key"]] = "true"
    labels.pop(NAMESPACE_NAME, None)
    return labels


def _account(namespace: str, name: str, token: bool) -> J:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(LABELS)},
        "automountServiceAccountToken": token,
    }


def _role(kind: str, name: str, namespace: str, rules: list[J], labels: t.Mapping[str, str] | None = None) -> J:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            **({"namespace": namespace} if namespace else {}),
            "labels": {**LABELS, **(labels or {})},
        },
        "rules": rules,
    }


def _bound(kind: str, role: str, namespace: str, where: str) -> J:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": {"name": MARKER, **({"namespace": where} if where else {}), "labels": dict(LABELS)},
        "roleRef": {"apiGroup": RBAC, "kind": role, "name": MARKER},
        "subjects": [{"kind": "ServiceAccount", "name": "marker", "namespace": namespace}],
    }
