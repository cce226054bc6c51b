# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canary images: before a run scans anything else, two images of known answer: one must fail, one must pass.

They go the way of all the others: the same executor, storage, scanner, oscap and reader of results. Where an answer is
another than the known one, nothing that the run finds can be believed: every evidence gets a check that failed, and
canaries.json in scap_dir says so to whoever judges what the run left or reused.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import typing as t

from ..files import read_json, write_json, write_whole
from ..model import Check, Evidence, Image, RecordError, Results, ScapError, now
from ..scanner.acquire.manifest import host_platform
from ..store import CANARIES, CANARY_CHECK, RESULTS
from .accept import accept
from .canary_content import FEED, PROFILE, RULES, STREAM, TRUE, feed, stream
from .canary_images import FAIL, write_archive
from .interface import Executor, Settings

FOLDER = "canaries"


def prove(executor: Executor, settings: Settings) -> Check:
    """Scan the canaries and write canaries.json."""
    folder = os.path.join(settings.dir, FOLDER)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        check = _check(executor, settings, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    record = {"passed": check.passed, "detail": check.detail, "executor": executor.name, "at": now()}
    write_json(os.path.join(settings.dir, CANARIES), record)
    return check


def _check(executor: Executor, settings: Settings, folder: str) -> Check:
    os.mkdir(folder, 0o700)
    archive = os.path.join(folder, "images.tar")
    digests = write_archive(archive, host_platform())
    place = executor.archive(archive)
    images = [Image(reference=f"oci-archive:{place}:{tag}", digest=digest) for tag, digest in digests.items()]
    for name, text in ((STREAM, stream()), (FEED, feed())):
        write_whole(os.path.join(folder, name), text.encode())
    own = dataclasses.replace(
        settings,
        place=FOLDER,
        archive=archive,
        profile=PROFILE,
        datastream=os.path.join(folder, STREAM),
        oval=[os.path.join(folder, FEED)],
        folders=[],
        platform=host_platform(),
        tailoring="",
        reuse=False,
        sample=0.0,
    )
    found: dict[str, str] = {}
    for outcome in executor.scan(images, own):
        evidence, path = accept(outcome, own, executor.name)
        found[evidence.digest] = _problem(evidence, path, evidence.digest == digests[FAIL])
    problems = [
        f"the image that must {tag}: {found.get(digest, 'it was not scanned')}"
        for tag, digest in digests.items()
        if found.get(digest, "missing")
    ]
    if problems:
        return Check(CANARY_CHECK, False, "a canary image got a wrong answer, so no other can be believed; "
                     + "; ".join(problems))  # fmt: skip
    return Check(CANARY_CHECK, True, "in this run the image that must fail failed, and the one that must pass passed")


def _problem(evidence: Evidence, path: str, fails: bool) -> str:
    """What differs from the known answer; empty where nothing does."""
    if evidence.error is not None:
        return f"{evidence.error.code}: {evidence.error.message}"
    unproven = [f"{check.check}: {check.detail}" for check in evidence.coverage if not check.passed]
    if unproven:
        return "; ".join(unproven)
    try:
        results = Results.from_json(read_json(os.path.join(path, RESULTS)))
    except (ScapError, RecordError) as error:
        return str(error)
    rules = {rule.id.rpartition("_rule_")[2]: rule.result for rule in results.rules}
    wanted = {name: result if fails else "pass" for name, result in RULES.items()}
    true = sorted(entry.id for entry in results.vulnerabilities)
    if rules != wanted:
        return f"its rules should be {_words(wanted)}, they are {_words(rules)}"
    if true != ([TRUE] if fails else []):
        return f"{len(true)} definitions are true of it ({', '.join(true)}), it should be {int(fails)}"
    return ""


def _words(results: t.Mapping[str, str]) -> str:
    return ", ".join(f"{name} {result}" for name, result in sorted(results.items())) or "none"
