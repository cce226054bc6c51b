# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evidences that scans left in scap_dir: the latest of each image, and only what its checksums confirm."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import hashlib
import io
import json
import os
import typing as t

from ..files import MAX_JSON, read_json, read_jsonl
from ..model import Evidence, Image, OperatingSystem, Reason, RecordError, Results, ScanInfo, ScapError

RESULTS = "results.json.gz"
EVIDENCE = "evidence.json"


@dataclasses.dataclass(frozen=True)
class Stored:
    """One evidence as it lies on disk."""

    evidence: Evidence
    results: Results | None
    folder: str
    """Relative to scap_dir."""


def latest(root: str) -> t.Iterator[Stored]:
    """The latest evidence of each image below scap_dir `root`, one at a time, in the order of their digests.

    One that cannot be read stands for its image as an evidence with an error: it could have been the latest.
    """
    base = os.path.join(root, "evidence")
    try:
        images = sorted(name for name in os.listdir(base) if not name.startswith("."))
    except FileNotFoundError as error:
        raise ScapError("no_evidence", f"{base}: there is none; scan images into {root} first") from error
    except OSError as error:
        raise ScapError("file_unreadable", f"{base}: cannot be read: {error}") from error
    for name in images:
        chosen: tuple[tuple[bool, str, bool], str, Evidence] | None = None
        for key in _folders(os.path.join(base, name)):
            folder = os.path.join("evidence", name, key)
            evidence = _evidence(root, folder, name)
            damaged = evidence.error is not None and evidence.error.code == "evidence_damaged"
            rank = (damaged, evidence.scanned_at, evidence.error is not None)
            if chosen is None or rank > chosen[0]:
                chosen = (rank, folder, evidence)
        if chosen is not None:
            yield _with_results(root, chosen[1], chosen[2])


def _folders(base: str) -> list[str]:
    with contextlib.suppress(NotADirectoryError):
        return sorted(key for key in os.listdir(base) if not key.startswith("."))
    return []


def _evidence(root: str, folder: str, name: str) -> Evidence:
    try:
        evidence = Evidence.from_json(read_json(os.path.join(root, folder, EVIDENCE), 64 << 20))
        if evidence.digest and evidence.digest != f"sha256:{name}":
            raise RecordError(f"it is of {evidence.digest}")
    except (ScapError, RecordError) as error:
        return _damaged(folder, name, str(error))
    return evidence


def _damaged(folder: str, name: str, why: str) -> Evidence:
    digest = f"sha256:{name}" if len(name) == 64 else ""
    reason = Reason("evidence_damaged", f"{folder}: the evidence cannot be used: {why}; scan the image again")
    return Evidence(
        reference=digest or folder,
        digest=digest,
        platform="",
        os=OperatingSystem(),
        scan=ScanInfo("", "", "", 0.0),
        scanned_at="",
        error=reason,
    )


def _with_results(root: str, folder: str, evidence: Evidence) -> Stored:
    if evidence.error is not None or evidence.not_applicable is not None:
        return Stored(evidence, None, folder)
    try:
        return Stored(evidence, read_results(root, folder, evidence), folder)
    except (ScapError, RecordError) as error:
        reason = Reason("results_damaged", f"{evidence.reference}: {error}; scan the image again")
        return Stored(dataclasses.replace(evidence, error=reason), None, folder)


def read_results(root: str, folder: str, evidence: Evidence) -> Results | None:
    """The compact record of an evidence, None where it has none; ScapError where its checksum does not fit."""
    known = next((file for file in evidence.files if file.name == RESULTS), None)
    if known is None:
        return None
    path = os.path.join(root, folder, RESULTS)
    packed = _raw(path)
    if hashlib.sha256(packed).hexdigest() != known.sha256:
        raise ScapError("file_malformed", f"{path}: its sha256 is not the one that the evidence names")
    try:
        with gzip.open(io.BytesIO(packed)) as stream:
            data = stream.read(MAX_JSON + 1)
    except (OSError, EOFError) as error:
        raise ScapError("file_malformed", f"{path}: is not gzip: {error}") from error
    if len(data) > MAX_JSON:
        raise ScapError("file_too_large", f"{path}: larger than {MAX_JSON} bytes unpacked")
    try:
        return Results.from_json(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise ScapError("file_malformed", f"{path}: {error}") from error


def _raw(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(MAX_JSON)
    except OSError as error:
        raise ScapError("file_unreadable", f"{path}: cannot be read: {error}") from error


def discovered(root: str) -> dict[str, Image]:
    """What discovery left in scap_dir (images.jsonl), by digest; empty where it never ran."""
    path = os.path.join(root, "images.jsonl")
    if not os.path.exists(path):
        return {}
    images = (Image.from_json(row) for row in read_jsonl(path))
    return {image.digest: image for image in images if image.digest}
