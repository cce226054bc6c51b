# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scap_dir holds, read back: evidences, the verdicts on them, the images that discovery found."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .files import read_json, read_jsonl, sha256_file
from .model import (
    Evidence,
    Image,
    OperatingSystem,
    Reason,
    RecordError,
    Results,
    ScanInfo,
    ScapError,
    Verdict,
    field,
)

EVIDENCE = "evidence.json"
RESULTS = "results.json.gz"
VERDICTS = "verdicts.jsonl"
IMAGES = "images.jsonl"
CANARIES = "canaries.json"
CANARY_CHECK = "canary_images"
"""The coverage check of what a run's canary images showed."""
_MAX_EVIDENCE = 64 << 20


def evidences(folder: str) -> t.Iterator[tuple[Evidence, str]]:
    """(evidence, its folder relative to `folder`) of each image: the latest one, in the order of their digests.

    One that is damaged stands for its image as an evidence with the error `evidence_damaged`: it could be the latest.
    """
    base = os.path.join(folder, "evidence")
    try:
        images = sorted(name for name in os.listdir(base) if not name.startswith("."))
    except FileNotFoundError:
        return
    except OSError as error:
        raise ScapError("file_unreadable", f"{base}: cannot be read: {error}") from error
    for image in images:
        latest: tuple[tuple[bool, str, str, bool, str], Evidence] | None = None
        for name in _folders(os.path.join(base, image)):
            evidence = _evidence(folder, os.path.join("evidence", image, name), image)
            damaged = evidence.error is not None and evidence.error.code == "evidence_damaged"
            key = (damaged, evidence.scanned_at, evidence.evaluated_at, evidence.error is not None, name)
            if latest is None or key > latest[0]:
                latest = key, evidence
        if latest is not None:
            yield latest[1], os.path.join("evidence", image, latest[0][-1])


def evidence_count(folder: str) -> int:
    """How many images have evidence; 0 where that cannot be told."""
    with contextlib.suppress(OSError):
        return sum(not name.startswith(".") for name in os.listdir(os.path.join(folder, "evidence")))
    return 0


def _folders(base: str) -> list[str]:
    with contextlib.suppress(NotADirectoryError):
        return sorted(name for name in os.listdir(base) if not name.startswith("."))
    return []


def _evidence(folder: str, path: str, image: str) -> Evidence:
    """The evidence in `path`, or one that says why that cannot be used; `image`: DIGEST_HEX, or that of a reference."""
    try:
        evidence = Evidence.from_json(read_json(os.path.join(folder, path, EVIDENCE), _MAX_EVIDENCE))
        if evidence.digest and evidence.digest != f"sha256:{image}":
            raise RecordError(f"it is of {evidence.digest}")
    except (ScapError, RecordError) as error:
        digest = f"sha256:{image}" if len(image) == 64 else ""
        return Evidence(
            reference=digest or path,
            digest=digest,
            platform="",
            os=OperatingSystem(),
            scan=ScanInfo("", "", "", 0.0),
            scanned_at="",
            error=Reason("evidence_damaged", f"{path}: cannot be used: {error}; remove the folder and scan again"),
        )
    return evidence


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
    if not verdict.evidence:
        return None
    try:
        evidence = Evidence.from_json(read_json(os.path.join(folder, verdict.evidence, EVIDENCE), _MAX_EVIDENCE))
    except (ScapError, RecordError):
        return None
    return results_of(folder, verdict.evidence, evidence)


def verdicts(folder: str) -> t.Iterator[Verdict]:
    """The verdicts of verdicts.jsonl; ScapError names a line that is damaged."""
    path = os.path.join(folder, VERDICTS)
    for number, row in enumerate(read_jsonl(path), 1):
        try:
            yield Verdict.from_json(row)
        except RecordError as error:
            raise ScapError("verdicts_damaged", f"{path}: line {number}: {error}; judge again") from error


def discovered(folder: str) -> dict[str, Image]:
    """What discovery found (images.jsonl), by digest; empty where it never ran."""
    path = os.path.join(folder, IMAGES)
    if not os.path.exists(path):
        return {}
    try:
        images = [Image.from_json(row) for row in read_jsonl(path)]
    except RecordError as error:
        raise ScapError("images_damaged", f"{path}: {error}; discover again") from error
    return {image.digest: image for image in images if image.digest}


def distrusted(folder: str) -> Reason | None:
    """Why nothing that the last run scanned or reused can be believed: its canary images (canaries.json)."""
    path = os.path.join(folder, CANARIES)
    if not os.path.exists(path):
        return None
    try:
        record = read_json(path)
        detail = field(record, "detail", str)
        if field(record, "passed", bool):
            return None
    except (ScapError, RecordError) as error:
        detail = f"{path}: cannot be used: {error}; scan again"
    return Reason(f"unproven_{CANARY_CHECK}", f"{CANARY_CHECK}: {detail}")
