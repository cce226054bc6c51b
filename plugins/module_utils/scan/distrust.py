# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows when one image of a run has other answers compiled and not: no answer of that content counts.

Every evidence of the run that stands on the same content, compiled, gets a failed check, so that its verdict is
`error`; and the content is not compiled again.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ..files import write_json, write_whole
from ..model import Check, Evidence, to_json
from ..scanner.compiled import CHECK, differs_name


class HasEvidence(t.Protocol):
    """An image of a run with its evidence."""

    evidence: Evidence
    path: str


def distrust(scanned: t.Sequence[HasEvidence], cache: str) -> None:
    """Look at a run's evidences, and rewrite those that can no longer be believed; `cache` is the folder of content."""
    differing = {
        content.sha256: entry.evidence.reference
        for entry in scanned
        for content in entry.evidence.content
        if content.compiled_sha256 and _differs(entry.evidence)
    }
    for sha256 in differing:
        write_whole(os.path.join(cache, differs_name(sha256)), b"")
    for entry in scanned:
        for content in entry.evidence.content:
            if content.compiled_sha256 and content.sha256 in differing and not _differs(entry.evidence):
                other = differing[content.sha256]
                detail = f"{content.id}, compiled, gave another answer for {other} in this run; scan again"
                checks = [*entry.evidence.coverage, Check(CHECK, False, detail)]
                entry.evidence = dataclasses.replace(entry.evidence, coverage=checks)
                write_json(os.path.join(entry.path, "evidence.json"), to_json(entry.evidence))


def _differs(evidence: Evidence) -> bool:
    return any(check.check == CHECK and not check.passed for check in evidence.coverage)
