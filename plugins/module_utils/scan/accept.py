# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Staged evidence becomes stored evidence: raw results parsed once, proven against what was expected, moved in place.

The same for every executor. An evidence is written whole or not at all; one with an error never takes the place of a
good one of the same image and content, it stands beside it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
import tempfile
import typing as t

from ..files import read_json, sha256_file, sync_files, sync_folder, write_json
from ..model import (
    Check,
    Evidence,
    OperatingSystem,
    Reason,
    RecordError,
    Results,
    ScanInfo,
    ScapError,
    StoredFile,
    field,
    now,
    strings,
    to_json,
)
from ..results import merge, parse_file
from ..scanner.compiled import TEXTS
from ..store import RESULTS
from .interface import Outcome, Settings

ERROR_SUFFIX = "-error"
_XCCDF = "arf.xml.gz"


def accept(outcome: Outcome, settings: Settings, executor: str, checks: t.Sequence[Check] = ()) -> tuple[Evidence, str]:
    """The evidence that an outcome stands for, and its folder below settings.evidence.

    `checks`: what the run proves of all that it scans; a stored evidence that is reused keeps those of its own run.
    """
    if outcome.reused:
        return Evidence.from_json(read_json(os.path.join(outcome.reused, "evidence.json"))), outcome.reused
    staging = outcome.staging
    if not staging:
        os.makedirs(settings.evidence, mode=0o700, exist_ok=True)
        staging = tempfile.mkdtemp(prefix=".scan-", dir=settings.evidence)
        evidence = _failed(outcome, executor)
    else:
        evidence = _prove(staging)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(staging, TEXTS))
    files = [
        StoredFile(name, sha256_file(os.path.join(staging, name)), os.path.getsize(os.path.join(staging, name)))
        for name in sorted(os.listdir(staging))
        if name != "evidence.json"
    ]
    evidence = dataclasses.replace(evidence, files=files, coverage=[*evidence.coverage, *checks])
    write_json(os.path.join(staging, "evidence.json"), to_json(evidence), durable=False)
    return evidence, _store(staging, evidence, outcome, settings)


def _failed(outcome: Outcome, executor: str) -> Evidence:
    image = outcome.image
    return Evidence(
        reference=image.reference,
        digest=image.digest,
        platform=image.platform,
        os=OperatingSystem(),
        scan=ScanInfo(executor, "", "", 0.0),
        scanned_at=now(),
        index_digests=image.index_digests,
        error=Reason(outcome.code or "scanner_failed", outcome.problem),
    )


def _prove(staging: str) -> Evidence:
    evidence = Evidence.from_json(read_json(os.path.join(staging, "evidence.json")))
    if evidence.error is not None or evidence.not_applicable is not None:
        return evidence
    try:
        results, checks = _parse(staging)
    except (ScapError, RecordError, OSError) as problem:
        code = problem.code if isinstance(problem, ScapError) else "results_malformed"
        return dataclasses.replace(evidence, error=Reason(code, f"{evidence.reference}: {problem}"))
    write_json(os.path.join(staging, RESULTS), to_json(results), durable=False)
    return dataclasses.replace(evidence, coverage=[*evidence.coverage, *checks])


def _parse(staging: str) -> tuple[Results, list[Check]]:
    expected = read_json(os.path.join(staging, "expected.json.gz"))
    parts: list[Results] = []
    checks: list[Check] = []
    rules = strings(expected, "rules")
    if rules:
        texts = _texts(staging)
        part = parse_file(os.path.join(staging, _XCCDF), texts=texts).results
        if texts is not None:
            part.rule_counts["notselected"] = field(expected, "all_rules", int) - len(rules)
        checks.append(check_rules(rules, part))
        parts.append(part)
    for number, definitions in enumerate(field(expected, "oval", list)):
        part = parse_file(os.path.join(staging, f"oval-{number}.xml.gz")).results
        checks.append(check_definitions(definitions, part))
        parts.append(part)
    return merge(parts), checks


def _texts(staging: str) -> dict[str, str] | None:
    """What the original content says of the rules; None where the results say it."""
    path = os.path.join(staging, TEXTS)
    if not os.path.exists(path):
        return None
    texts: dict[str, str] = read_json(path)
    return texts


def check_rules(expected: t.Sequence[str], results: Results) -> Check:
    """Whether exactly the rules that the profile selects were answered, and at least one was really evaluated."""
    answered = {rule.id: rule.result for rule in results.rules}
    missing = [rule for rule in expected if rule not in answered]
    strange = sorted(set(answered) - set(expected))
    evaluated = sum(result in ("pass", "fail", "fixed", "informational") for result in answered.values())
    if missing or strange:
        names = ", ".join([*missing, *strange][:5])
        return Check(
            "rules",
            False,
            f"{len(answered)} of {len(expected)} selected rules were answered, {len(missing)} missing, "
            f"{len(strange)} not selected: {names}",
        )
    if not evaluated:
        return Check(
            "rules",
            False,
            f"none of the {len(expected)} selected rules applies: the content is for another kind of system",
        )
    return Check("rules", True, f"{len(answered)} of {len(expected)} selected rules answered, {evaluated} evaluated")


def check_definitions(expected: int, results: Results) -> Check:
    """Whether every patch and vulnerability definition of an OVAL file was answered."""
    counts = results.definition_counts
    answered = sum(counts.values()) - counts.get("not evaluated", 0)
    if answered < expected or not answered:
        return Check("definitions", False, f"{answered} definitions answered, {expected} are in the file")
    return Check("definitions", True, f"{answered} definitions answered, {counts.get('true', 0)} true")


def _store(staging: str, evidence: Evidence, outcome: Outcome, settings: Settings) -> str:
    """Move a complete staging folder to its place; returns that."""
    unresolved = hashlib.sha256(evidence.reference.encode()).hexdigest()
    base = os.path.join(settings.evidence, evidence.digest.rpartition(":")[2] or unresolved)
    os.makedirs(base, mode=0o700, exist_ok=True)
    key = outcome.key or "0" * 12
    place = os.path.join(base, key)
    failed = evidence.error is not None
    if failed and _is_good(place):
        place += ERROR_SUFFIX
    put_in_place(staging, place)
    if not failed:
        _remove(place + ERROR_SUFFIX)
        if evidence.digest:
            _remove(os.path.join(settings.evidence, unresolved))
    return place


def _is_good(place: str) -> bool:
    try:
        return Evidence.from_json(read_json(os.path.join(place, "evidence.json"))).error is None
    except (ScapError, RecordError):
        return False


def put_in_place(staging: str, place: str) -> None:
    """Make a complete folder durable and give it its name; what had that name before is removed."""
    sync_files(staging)
    old = ""
    if os.path.lexists(place):
        old = tempfile.mkdtemp(prefix=".old-", dir=os.path.dirname(os.path.dirname(place)))
        os.rename(place, os.path.join(old, "evidence"))
    os.rename(staging, place)
    sync_folder(os.path.dirname(place))
    if old:
        _remove(old)


def _remove(folder: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


def sweep(settings: Settings) -> None:
    """Remove what killed runs left: staging folders and replaced evidences."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(settings.evidence):
            if name.startswith((".scan-", ".old-")):
                _remove(os.path.join(settings.evidence, name))
