# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evidences of a scap_dir and the verdicts on them."""

from __future__ import annotations

import os
import typing as t

from .files import read_json, read_jsonl, sha256_file
from .model import Evidence, RecordError, Results, ScapError, Verdict

RESULTS = "results.json.gz"
VERDICTS = "verdicts.jsonl"


def evidences(folder: str) -> t.Iterator[tuple[Evidence, str]]:
    """(evidence, its folder relative to `folder`) of each image: the latest one. ScapError names one that is
    damaged."""
    base = os.path.join(folder, "evidence")
    try:
        images = sorted(name for name in os.listdir(base) if not name.startswith("."))
    except FileNotFoundError:
        return
    for image in images:
        latest: tuple[str, str, Evidence] | None = None
        for name in sorted(os.listdir(os.path.join(base, image))):
            path = os.path.join(base, image, name, "evidence.json")
            try:
                evidence = Evidence.from_json(read_json(path))
            except RecordError as error:
                raise ScapError("evidence_damaged", f"{path}: {error}; remove its folder and scan again") from error
            key = (evidence.scanned_at, name, evidence)
            if latest is None or key[:2] > latest[:2]:
                latest = key
        if latest is not None:
            yield latest[2], os.path.join("evidence", image, latest[1])


def results_of(folder: str, path: str, evidence: Evidence) -> Results | None:
    """The compact record of an evidence; None where it is missing or not the one that was stored."""
    stored = {file.name: file for file in evidence.files}.get(RESULTS)
    name = os.path.join(folder, path, RESULTS)
    try:
        if stored is None or sha256_file(name) != stored.sha256:
            return None
        return Results.from_json(read_json(name))
    except (OSError, ScapError, RecordError):
        return None


def stored_results(folder: str, verdict: Verdict) -> Results | None:
    """The compact record that a verdict stands on; None where it has none, or that is damaged."""
    try:
        evidence = Evidence.from_json(read_json(os.path.join(folder, verdict.evidence, "evidence.json")))
    except (ScapError, RecordError):
        return None
    return results_of(folder, verdict.evidence, evidence)


def verdicts(folder: str) -> t.Iterator[Verdict]:
    """The verdicts of verdicts.jsonl; ScapError names a line that is damaged."""
    path = os.path.join(folder, VERDICTS)
    for row in read_jsonl(path):
        try:
            yield Verdict.from_json(row)
        except RecordError as error:
            raise ScapError("verdicts_damaged", f"{path}: {error}; judge again") from error
