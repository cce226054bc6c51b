# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ValidatingAdmissionPolicies and their bindings, as data.

Two policies share one lookup. `scap-images-pods` sees every pod however it came about, its ephemeral containers
included, and fails closed; `scap-images-templates` warns early about Deployments and the like and fails open.
Neither can lock out its own removal: Kubernetes applies no admission policy to admission policies and bindings,
nothing but pods and workloads is matched, and the system's namespaces are exempt in the policy as well as in
the binding (a policy whose CRD is gone refuses whatever the policy itself matches, before any binding is asked).
"""

from __future__ import annotations

import typing as t

from ..model import J
from . import expressions
from .names import (
    API_VERSION,
    LABELS,
    POD_POLICY,
    PROOF_POLICY,
    STAGE_LABEL,
    STAGES,
    SYSTEM_NAMESPACES,
    TEMPLATE_POLICY,
    binding,
    proof_namespace,
)

GROUP_VERSION = "admissionregistration.k8s.io/v1"
POLICIES = f"/apis/{GROUP_VERSION}/validatingadmissionpolicies"
BINDINGS = f"/apis/{GROUP_VERSION}/validatingadmissionpolicybindings"
NAMESPACE_NAME = "kubernetes.io/metadata.name"

_ACTIONS = {"report": ["Audit"], "warn": ["Warn", "Audit"], "deny": ["Deny", "Audit"]}
_TEMPLATE_ACTIONS = {"report": ["Audit"], "warn": ["Warn", "Audit"], "deny": ["Warn", "Audit"]}

_PODS = [
    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["pods"]},
    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["pods/ephemeralcontainers"]},
]
_WRITES = ["CREATE", "UPDATE"]
_TEMPLATES = [
    {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": _WRITES,
        "resources": ["deployments", "daemonsets", "statefulsets", "replicasets"],
    },
    {"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": _WRITES, "resources": ["jobs", "cronjobs"]},
    {"apiGroups": [""], "apiVersions": ["v1"], "operations": _WRITES, "resources": ["replicationcontrollers"]},
    {
        "apiGroups": ["apps.openshift.io"],
        "apiVersions": ["v1"],
        "operations": _WRITES,
        "resources": ["deploymentconfigs"],
    },
]


def exempt_names(namespace: str, exempt: t.Iterable[str]) -> list[str]:
    """The namespaces that no mark may stop: the system's, the scanner's own, the user's."""
    return sorted({*SYSTEM_NAMESPACES, namespace, *exempt})


def _outside(names: t.Sequence[str], selector: J | None = None) -> J:
    expressions_ = [
        *((selector or {}).get("matchExpressions") or []),
        {"key": NAMESPACE_NAME, "operator": "NotIn", "values": list(names)},
    ]
    labels = (selector or {}).get("matchLabels")
    return {**({"matchLabels": labels} if labels else {}), "matchExpressions": expressions_}


def _policy(name: str, rules: list[J], spec: str, failure: str, exempt: t.Sequence[str]) -> J:
    return {
        "apiVersion": GROUP_VERSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name, "labels": dict(LABELS)},
        "spec": {
            "failurePolicy": failure,
            "paramKind": {"apiVersion": API_VERSION, "kind": "DeniedImages"},
            "matchConstraints": {"namespaceSelector": _outside(exempt), "resourceRules": rules},
            "matchConditions": [expressions.match_condition(spec)],
            "variables": expressions.variables(spec),
            "validations": [
                {
                    "expression": expressions.ALLOWED,
                    "messageExpression": expressions.MESSAGE,
                    "message": "an image of it is marked as not compliant",
                    "reason": "Forbidden",
                }
            ],
        },
    }


def _binding(policy: str, stage: str, actions: list[str], sets: t.Sequence[str], selector: J) -> J:
    stages = {"key": STAGE_LABEL, "operator": "In", "values": list(sets)}
    return {
        "apiVersion": GROUP_VERSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": binding(policy, stage), "labels": dict(LABELS)},
        "spec": {
            "policyName": policy,
            "paramRef": {"selector": {"matchExpressions": [stages]}, "parameterNotFoundAction": "Allow"},
            "matchResources": {"namespaceSelector": selector},
            "validationActions": actions,
        },
    }


def sets_of(stage: str, selectors: t.Mapping[str, J]) -> list[str]:
    """The denied sets that a stage's binding reads.

    Its own, and a stricter stage's where that one is restricted to some namespaces: elsewhere its images are treated
    by the next milder stage.
    """
    sets = [stage]
    for stricter in STAGES[STAGES.index(stage) + 1 :]:
        if not selectors.get(stricter):
            break
        sets.append(stricter)
    return sets


def objects(namespace: str, exempt: t.Iterable[str] = (), selectors: t.Mapping[str, J] | None = None) -> list[J]:
    """The policies, then their bindings.

    `exempt`: more namespaces that no mark may stop; `selectors`: stage to the label selector of the namespaces where it
    is in force (left out: everywhere).
    """
    names = exempt_names(namespace, exempt)
    chosen = dict(selectors or {})
    policies = [
        _policy(POD_POLICY, _PODS, expressions.POD_SPEC, "Fail", names),
        _policy(TEMPLATE_POLICY, _TEMPLATES, expressions.TEMPLATE_SPEC, "Ignore", names),
    ]
    bindings = [
        _binding(policy, stage, actions[stage], sets_of(stage, chosen), _outside(names, chosen.get(stage)))
        for policy, actions in ((POD_POLICY, _ACTIONS), (TEMPLATE_POLICY, _TEMPLATE_ACTIONS))
        for stage in STAGES
    ]
    return [*policies, _proof_policy(namespace), *bindings, _proof_binding(namespace)]


def _proof_policy(namespace: str) -> J:
    """Nothing is ever stored in the proof's namespace: whoever may create pods there may only try to."""
    only_there = {"matchLabels": {NAMESPACE_NAME: proof_namespace(namespace)}}
    return {
        "apiVersion": GROUP_VERSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": PROOF_POLICY, "labels": dict(LABELS)},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": only_there,
                "resourceRules": [
                    {**_PODS[0], "operations": ["CREATE"]},
                    *({**rule, "operations": ["CREATE"]} for rule in _TEMPLATES),
                ],
            },
            "validations": [
                {
                    "expression": expressions.DRY_RUN,
                    "message": "this namespace is for server-side dry runs only (dryRun=All)",
                    "reason": "Forbidden",
                }
            ],
        },
    }


def _proof_binding(namespace: str) -> J:
    return {
        "apiVersion": GROUP_VERSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": PROOF_POLICY, "labels": dict(LABELS)},
        "spec": {"policyName": PROOF_POLICY, "validationActions": ["Deny"]},
    }
