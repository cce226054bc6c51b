# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ImageScan: one cluster-scoped object a digest, a few hundred bytes of what its verdict says."""

from __future__ import annotations

from ..model import SEVERITIES, J, Mark, Verdict
from .names import API_VERSION, GROUP, LABELS, STATE_LABEL

PLURAL = "imagescans"
PATH = f"/apis/{API_VERSION}/{PLURAL}"
MAX_TEXT = 512

_CONDITIONS = {"compliant": "True", "non_compliant": "False"}


def name(digest: str) -> str:
    """`sha256-HEX`."""
    return digest.replace(":", "-")


def build(verdict: Verdict, mark: Mark, report: str, present: J | None) -> J:
    """The object that server-side apply sends.

    `present`: the object as the cluster has it; its condition's transition time is kept while the status stays.
    """
    reason = verdict.reasons[0].message if verdict.reasons else ""
    status: J = {
        "state": verdict.state,
        "severity": {key: verdict.severity.get(key, 0) for key in SEVERITIES},
        "rules": {key: verdict.rules.get(key, 0) for key in ("pass", "fail", "error")},
        "vulnerabilities": len(verdict.vulnerabilities),
        "denied": mark.denied,
        "blocked": mark.blocked[:MAX_TEXT],
    }
    if mark.denied:
        status["stage"] = mark.stage
    status["conditions"] = [_condition(verdict, reason, present)]
    return {
        "apiVersion": API_VERSION,
        "kind": "ImageScan",
        "metadata": {
            "name": name(verdict.image.digest),
            "labels": {**LABELS, STATE_LABEL: verdict.state},
        },
        "spec": {
            "digest": verdict.image.digest,
            "image": verdict.image.reference[:MAX_TEXT],
            "platform": verdict.image.platform[:MAX_TEXT],
            "os": verdict.image.os[:MAX_TEXT],
            "policy": {"name": verdict.policy.name[:MAX_TEXT], "sha256": verdict.policy.sha256},
            "content": [
                {"kind": piece.kind, "id": piece.id[-MAX_TEXT:], "profile": piece.profile, "sha256": piece.sha256}
                for piece in verdict.content[:16]
            ],
            "scannedAt": verdict.scanned_at,
            "report": report[:MAX_TEXT],
        },
        "status": status,
    }


def same(wanted: J, present: J | None) -> bool:
    """Whether the cluster's object already says everything that `wanted` says."""
    if present is None:
        return False
    labels = present.get("metadata", {}).get("labels") or {}
    return (
        present.get("spec") == wanted["spec"]
        and present.get("status") == wanted["status"]
        and all(labels.get(key) == value for key, value in wanted["metadata"]["labels"].items())
    )


def _condition(verdict: Verdict, reason: str, present: J | None) -> J:
    status = _CONDITIONS.get(verdict.state, "Unknown")
    changed = verdict.judged_at
    for condition in ((present or {}).get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Compliant" and condition.get("status") == status:
            changed = condition.get("lastTransitionTime", changed)
    return {
        "type": "Compliant",
        "status": status,
        "reason": "".join(part.capitalize() for part in verdict.state.split("_")),
        "message": reason[:MAX_TEXT],
        "lastTransitionTime": changed,
    }


def _schema() -> J:
    text = {"type": "string", "maxLength": MAX_TEXT}
    count = {"type": "integer", "minimum": 0}
    digest = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
    hexadecimal = {"type": "string", "pattern": "^([0-9a-f]{64})?$"}
    time = {"type": "string", "format": "date-time"}
    content = {
        "type": "object",
        "properties": {"kind": text, "id": text, "profile": text, "sha256": hexadecimal},
        "required": ["kind", "id"],
    }
    condition = {
        "type": "object",
        "properties": {
            "type": text,
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "reason": text,
            "message": {"type": "string", "maxLength": 2048},
            "lastTransitionTime": time,
        },
        "required": ["type", "status", "reason", "message", "lastTransitionTime"],
    }
    spec = {
        "type": "object",
        "properties": {
            "digest": digest,
            "image": text,
            "platform": text,
            "os": text,
            "policy": {"type": "object", "properties": {"name": text, "sha256": hexadecimal}},
            "content": {
                "type": "array",
                "items": content,
                "maxItems": 16,
                "x-kubernetes-list-type": "atomic",
            },
            "scannedAt": time,
            "report": text,
        },
        "required": ["digest", "image", "scannedAt"],
    }
    status = {
        "type": "object",
        "properties": {
            "state": {
                "type": "string",
                "enum": ["compliant", "non_compliant", "error", "not_applicable", "stale"],
            },
            "severity": {"type": "object", "properties": dict.fromkeys(SEVERITIES, count)},
            "rules": {"type": "object", "properties": dict.fromkeys(("pass", "fail", "error"), count)},
            "vulnerabilities": count,
            "stage": {"type": "string", "enum": ["report", "warn", "deny"]},
            "denied": {"type": "boolean"},
            "blocked": text,
            "conditions": {
                "type": "array",
                "items": condition,
                "maxItems": 8,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        },
        "required": ["state"],
    }
    named = "self.metadata.name == self.spec.digest.replace(':', '-')"
    return {
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
        "required": ["spec", "status"],
        "x-kubernetes-validations": [{"rule": named, "message": "the name is the digest with - in place of :"}],
    }


def definition() -> J:
    """The CustomResourceDefinition. Without a status subresource: a mark is written by one request."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}", "labels": dict(LABELS)},
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {
                "kind": "ImageScan",
                "listKind": "ImageScanList",
                "plural": PLURAL,
                "singular": "imagescan",
                "shortNames": ["iscan"],
            },
            "versions": [
                {
                    "name": "v1alpha1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _schema()},
                    "additionalPrinterColumns": [
                        {"name": "State", "type": "string", "jsonPath": ".status.state"},
                        {"name": "High", "type": "integer", "jsonPath": ".status.severity.high"},
                        {"name": "Image", "type": "string", "jsonPath": ".spec.image"},
                        {"name": "Scanned", "type": "date", "jsonPath": ".spec.scannedAt"},
                        {"name": "Stage", "type": "string", "jsonPath": ".status.stage", "priority": 1},
                        {"name": "Blocked", "type": "string", "jsonPath": ".status.blocked", "priority": 1},
                    ],
                }
            ],
        },
    }
