# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From evidence to verdict: pure functions of records.

What is not proven is `error`, whatever the findings say. Findings that are proven and that the policy objects to are
`non_compliant`, also where others are undecided or the scan is old. Then undecided findings are `error`, then old
grounds `stale`; only what is left is `compliant`.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ..model import Evidence, Image, J, Reason, Results, ScapError, Verdict, VerdictImage, to_json
from .conditions import holds
from .findings import Findings, Sieve
from .grounds import stale, unproven
from .policy import Policy
from .waivers import Waiver, Waivers

STRICTEST = ("non_compliant", "error", "stale", "not_applicable", "compliant")
"""The states, the strictest first."""


def judge(
    evidence: Evidence,
    results: Results | None,
    policy: Policy,
    waivers: t.Sequence[Waiver] | Waivers,
    now: datetime.datetime,
    image: Image | None = None,
) -> Verdict:
    """The verdict on one image under one policy.

    `results`: None where the evidence has none. `image`: what discovery knows of it (namespaces, labels); `now`: aware.
    """
    known = waivers if isinstance(waivers, Waivers) else Waivers(waivers)
    image = image_of(evidence, image)
    found = Findings()
    state, reasons = "error", [evidence.error] if evidence.error is not None else unproven(evidence, results)
    if not reasons and evidence.not_applicable is not None:
        state, reasons = "not_applicable", [evidence.not_applicable]
    elif not reasons and results is not None:
        found = Sieve(policy, known, image, now.astimezone(datetime.timezone.utc).date()).sort(results)
        if policy.conditions:
            _conditions(_verdict(evidence, results, policy, found, now, image, "error", []), image, policy, found)
        old = stale(evidence, policy, now)
        reasons = [*found.violations, *found.undecided, *old]
        state = "non_compliant" if found.violations else "error" if found.undecided else "stale" if old else "compliant"
        reasons = reasons or [
            Reason("proven", f"the policy objects to nothing; {len(evidence.coverage)} checks prove the scan")
        ]
    return _verdict(evidence, results, policy, found, now, image, state, [*reasons, *found.notes])


def judge_foreign(
    evidence: Evidence,
    results: Results,
    policy: Policy,
    waivers: t.Sequence[Waiver] | Waivers,
    now: datetime.datetime,
) -> Verdict:
    """The verdict on results that came without coverage: `non_compliant` where the policy objects, else `error`."""
    known = waivers if isinstance(waivers, Waivers) else Waivers(waivers)
    image = image_of(evidence)
    found = Sieve(policy, known, image, now.astimezone(datetime.timezone.utc).date()).sort(results)
    if policy.conditions:
        _conditions(_verdict(evidence, results, policy, found, now, image, "error", []), image, policy, found)
    state = "non_compliant" if found.violations else "error"
    missing = Reason(
        "not_proven", "the result file brings no proof that its scanner saw the image; scan it with image_scan"
    )
    reasons = found.violations or [*found.undecided, missing]
    return _verdict(evidence, results, policy, found, now, image, state, [*reasons, *found.notes])


def judge_strictest(
    evidence: Evidence,
    results: Results | None,
    policies: t.Sequence[Policy],
    waivers: t.Sequence[Waiver] | Waivers,
    now: datetime.datetime,
    image: Image | None = None,
) -> Verdict:
    """The strictest verdict of the policies that select the image; of the default policy where none does."""
    known = image_of(evidence, image)
    applying = [policy for policy in policies if policy.select.matches(known, evidence.os.label)]
    note = []
    if not applying:
        applying = [Policy()]
        if policies:
            note = [Reason("no_policy", "none of the policies selects this image; the default policy was taken")]
    verdicts = [judge(evidence, results, policy, waivers, now, image) for policy in applying]
    strictest = min(verdicts, key=lambda verdict: STRICTEST.index(verdict.state))
    if len(verdicts) > 1:
        others = ", ".join(
            f"{verdict.policy.name}: {verdict.state}" for verdict in verdicts if verdict is not strictest
        )
        note = [Reason("strictest", f"{strictest.policy.name} is the strictest policy that applies ({others})")]
    return dataclasses.replace(strictest, reasons=[*strictest.reasons, *note])


def image_of(evidence: Evidence, image: Image | None = None) -> Image:
    """What is known of the image: by discovery, and by its scan."""
    image = image or Image(evidence.reference, evidence.digest)
    return dataclasses.replace(
        image,
        reference=evidence.reference,
        digest=evidence.digest,
        platform=evidence.platform or image.platform,
        labels={**image.labels, **evidence.labels},
        references=list(dict.fromkeys([evidence.reference, image.reference, *image.references])),
    )


def _verdict(
    evidence: Evidence,
    results: Results | None,
    policy: Policy,
    found: Findings,
    now: datetime.datetime,
    image: Image,
    state: str,
    reasons: list[Reason],
) -> Verdict:
    return Verdict(
        image=VerdictImage(evidence.reference, evidence.digest, evidence.platform, evidence.os.label),
        state=state,
        reasons=reasons,
        rules=dict(results.rule_counts) if results else {},
        severity=found.severity,
        vulnerabilities=found.every,
        waived=found.waived,
        packages=evidence.packages,
        coverage=evidence.coverage,
        content=evidence.content,
        scan=evidence.scan,
        scanned_at=evidence.scanned_at,
        judged_at=now.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        policy=policy.ref,
        index_digests=list(dict.fromkeys([*evidence.index_digests, *image.index_digests])),
        failed=found.failed,
        evaluated=evidence.evaluated,
    )


def _conditions(draft: Verdict, image: Image, policy: Policy, found: Findings) -> None:
    document: J = to_json(draft)
    for name in ("state", "reasons", "judged_at"):
        del document[name]
    document["image"].update(
        references=image.references,
        namespaces=image.namespaces,
        labels=image.labels,
        workloads=[to_json(workload) for workload in image.workloads],
    )
    for condition in policy.conditions:
        try:
            if holds(condition.deny_when, document):
                found.violations.append(Reason("condition", f"{condition.name}: {condition.message}"))
        except ScapError as error:
            found.undecided.append(Reason(error.code, f"{condition.name}: {error.message}"))
