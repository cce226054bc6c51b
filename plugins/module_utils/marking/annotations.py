# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The annotations of an OpenShift Image, in the words that ManageIQ, CloudForms and Red Hat's documentation use.

`wanted` says what a verdict writes, `patch` what a JSON merge patch (RFC 7386) has to change; annotations of
others are in neither.
"""

from __future__ import annotations

import json
import typing as t

from ..model import Verdict

DENY = "images.openshift.io/deny-execution"
FAILED = "security.manageiq.org/failed-policy"
SUCCESSFUL = "security.manageiq.org/successful-policy"
QUALITY = "quality.images.openshift.io/vulnerability.openscap"
OURS = (DENY, FAILED, SUCCESSFUL, QUALITY)

SUMMARY = (("Critical", 3, ("critical", "high")), ("Important", 2, ("medium",)), ("Medium", 1, ("low",)))
"""label, severityIndex, and our severities that it counts (XCCDF has no critical)."""


def wanted(verdict: Verdict, denied: bool, report: str) -> dict[str, str]:
    """The annotations of a verdict that is proven to be compliant or non-compliant.

    `denied`: whether the image is to be refused now (stage deny); in milder stages no `deny-execution: "true"` is
    written, because a configured ImagePolicy plug-in would obey it.
    """
    compliant = verdict.state == "compliant"
    values = {
        QUALITY: quality(verdict, report),
        SUCCESSFUL if compliant else FAILED: verdict.policy.name,
    }
    if compliant or denied:
        values[DENY] = "true" if denied else "false"
    return values


def quality(verdict: Verdict, report: str) -> str:
    """The JSON of `quality.images.openshift.io/vulnerability.openscap`, members sorted.

    Fields as OpenShift's documentation has them ("Annotating image objects"): every `data` is a string,
    `severityIndex` 3 is the worst; labels as ManageIQ wrote them.
    """
    summary = [
        {"label": label, "severityIndex": index, "data": str(sum(verdict.severity.get(name, 0) for name in names))}
        for label, index, names in SUMMARY
    ]
    summary.append({"label": "Low", "severityIndex": 0, "data": str(verdict.severity.get("unknown", 0))})
    return json.dumps(
        {
            "name": "OpenSCAP",
            "timestamp": verdict.scanned_at,
            "description": "OpenSCAP Score",
            "reference": report,
            "compliant": verdict.state == "compliant",
            "summary": summary,
        },
        sort_keys=True,
    )


def patch(present: t.Mapping[str, str], values: t.Mapping[str, str]) -> dict[str, str | None]:
    """What to change: ours that differ, and None for ours that must go. Empty where nothing has to change."""
    changes: dict[str, str | None] = {name: value for name, value in values.items() if present.get(name) != value}
    changes.update({name: None for name in OURS if name in present and name not in values})
    return changes
