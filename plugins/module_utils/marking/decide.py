# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verdict does to an image's mark: pure functions of records."""

from __future__ import annotations

import dataclasses
import typing as t

from ..model import Verdict
from .names import STAGES

_WORST_FIRST = ("non_compliant", "error", "stale", "not_applicable", "compliant")


@dataclasses.dataclass(frozen=True)
class Decision:
    """What is to be done with one image."""

    deny: bool
    """Its keys belong into the denied set of `stage`."""
    lift: bool
    """Its keys leave every denied set."""
    stage: str
    """The stage of its keys; the run's stage where it has none."""
    annotate: bool
    """Whether the OpenShift Image's annotations follow the verdict (else they stay as they are)."""
    detail: str


def proven(verdict: Verdict) -> bool:
    """Whether a verdict is `compliant` with proof: there is coverage, and every check of it passed."""
    return verdict.state == "compliant" and bool(verdict.coverage) and all(check.passed for check in verdict.coverage)


def blind(verdict: Verdict) -> str:
    """The failed canary of a verdict's coverage, empty where none failed: such a scan changes no mark."""
    for check in verdict.coverage:
        if "canar" in check.check and not check.passed:
            return f"{check.check}: {check.detail}"
    return ""


def per_image(verdicts: t.Iterable[Verdict]) -> dict[str, Verdict]:
    """The verdict that counts for each digest: of several policies the worst, an unproven compliant before a proven."""
    chosen: dict[str, Verdict] = {}
    for verdict in verdicts:
        present = chosen.get(verdict.image.digest)
        if present is None or _rank(verdict) < _rank(present):
            chosen[verdict.image.digest] = verdict
    return chosen


def decide(verdict: Verdict, present: str, stage: str, deny_on: t.Collection[str]) -> Decision:
    """What a verdict does where the image's keys are denied at stage `present` (empty: not at all).

    `deny_on`: the states that deny an image (`non_compliant` and, if the policy wants it, `error` or `stale`). A
    stage is raised by a run, never lowered: a milder stage would lift a denial, and only a proven compliant or
    `state: absent` may.
    """
    kept = present or stage
    canary = blind(verdict)
    if canary:
        return Decision(bool(present), False, kept, False, f"nothing changed: the scan's canary failed ({canary})")
    if verdict.state in deny_on:
        highest = max(kept, stage, key=STAGES.index)
        detail = "" if highest == stage else f"stays at stage {highest}; lift the mark to lower it to {stage}"
        return Decision(True, False, highest, verdict.state == "non_compliant", detail)
    if proven(verdict):
        return Decision(False, bool(present), stage, True, "lifted: proven compliant" if present else "")
    if verdict.state == "compliant":
        detail = "compliant without proof of coverage counts as an error"
    elif verdict.state == "non_compliant":
        return Decision(bool(present), False, kept, True, "non_compliant is not among the states that deny")
    else:
        detail = f"{verdict.state}: {verdict.reasons[0].message}" if verdict.reasons else verdict.state
    return Decision(bool(present), False, kept, False, f"{detail}{'; the denial stays' if present else ''}")


def _rank(verdict: Verdict) -> tuple[int, int]:
    state = "error" if verdict.state == "compliant" and not proven(verdict) else verdict.state
    return _WORST_FIRST.index(state), 1 if blind(verdict) else 0
