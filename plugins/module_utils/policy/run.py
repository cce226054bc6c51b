# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging runs: everything that scans left in scap_dir, or one result file that another tool wrote."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import typing as t

from ..files import dumps, read_jsonl, whole
from ..model import (
    SEVERITIES,
    STATES,
    Evidence,
    J,
    OperatingSystem,
    ScanInfo,
    ScapError,
    Verdict,
    is_digest,
    to_json,
)
from ..progress import JUDGE, Progress
from ..results import parse_file
from ..store import VERDICTS, discovered, distrusted, evidence_count, evidences, results_of
from .judge import STRICTEST, image_of, judge_foreign, judge_strictest
from .policy import Policy, load_policies, parse_policies
from .waivers import Waiver, Waivers, load_waivers


@dataclasses.dataclass(frozen=True)
class Grounds:
    """What a run judges by."""

    policies: list[Policy]
    waivers: Waivers
    now: datetime.datetime


@dataclasses.dataclass
class Judged:
    """What a run came to."""

    summary: J = dataclasses.field(
        default_factory=lambda: {
            **dict.fromkeys(STATES, 0),
            "images": 0,
            "severity": dict.fromkeys(SEVERITIES, 0),
            "waived": 0,
        }
    )
    verdicts: list[J] = dataclasses.field(default_factory=list)
    """All of them, or none where there are more than were to be kept."""
    changed: bool = False
    before: str = ""
    """The images whose state or policy changes, one a line, as they were."""
    after: str = ""

    def add(self, verdict: Verdict) -> None:
        self.summary["images"] += 1
        self.summary[verdict.state] += 1
        self.summary["waived"] += len(verdict.waived)
        for name, number in verdict.severity.items():
            self.summary["severity"][name] += number


class _UnchangedError(Exception):
    """The file on disk is the one that would be written."""


def load_grounds(policies: t.Sequence[t.Any], waivers: t.Sequence[str]) -> Grounds:
    """Policies (paths, or mappings as files hold them) and waivers (paths).

    ScapError where one is invalid or two files contradict each other.
    """
    found: list[Policy] = []
    for path in policies:
        for policy in load_policies(path) if isinstance(path, str) else parse_policies(json.dumps(path)):
            if policy.name in [other.name for other in found]:
                raise ScapError(
                    "policy_invalid", f"{path}: there is a policy {policy.name!r} in another file; rename one"
                )
            found.append(policy)
    every: dict[Waiver, str] = {}
    subjects: dict[tuple[t.Any, ...], str] = {}
    for path in waivers:
        for waiver in load_waivers(path):
            other = subjects.setdefault(waiver.subject, path)
            if other != path and waiver not in every:
                message = f"{path}: its waiver of {waiver.name} contradicts that of {other}; keep one of them"
                raise ScapError("waivers_invalid", message)
            every[waiver] = path
    return Grounds(found, Waivers(every), datetime.datetime.now(datetime.timezone.utc))


def verdicts_of(root: str, grounds: Grounds) -> t.Iterator[Verdict]:
    """One verdict for each image that has an evidence in scap_dir `root`, one at a time."""
    images = discovered(root)
    distrust = distrusted(root)
    for evidence, folder in evidences(root):
        results = results_of(root, folder, evidence)
        image = images.get(evidence.digest)
        verdict = judge_strictest(evidence, results, grounds.policies, grounds.waivers, grounds.now, image)
        if distrust is not None:
            reasons = [distrust, *(reason for reason in verdict.reasons if reason.code != distrust.code)]
            verdict = dataclasses.replace(verdict, state="error", reasons=reasons)
        yield dataclasses.replace(verdict, evidence=folder)


def judge_folder(root: str, grounds: Grounds, *, write: bool, keep: int) -> Judged:
    """Judge every image of scap_dir `root`; `keep`: how many verdicts are returned at most."""
    if not os.path.isdir(root):
        raise ScapError("dir_missing", f"{root}: there is no such folder; scan images into it first")
    judged = Judged()
    path = os.path.join(root, VERDICTS)
    before = _known(path)
    lines: list[tuple[str, str]] = []
    seen: set[str] = set()
    fresh = hashlib.sha256()
    progress = Progress(root, JUDGE, evidence_count(root))

    def rows() -> t.Iterator[bytes]:
        for verdict in verdicts_of(root, grounds):
            row = to_json(verdict)
            key, state, identity = _identity(row)
            seen.add(key)
            old = before.get(key)
            if old is not None and old.identity == identity:
                row["judged_at"] = old.judged_at
            if old is None or old.state != state:
                lines.append((old.state if old else "", state))
            judged.add(verdict)
            progress.ended(verdict.image.reference, failed=verdict.state == "error")
            judged.verdicts = [*judged.verdicts, row] if judged.summary["images"] <= keep else []
            yield dumps(row) + b"\n"

    with contextlib.suppress(_UnchangedError):
        if write:
            with progress, whole(path) as stream:
                for line in rows():
                    fresh.update(line)
                    stream.write(line)
                judged.changed = not _is(path, fresh.hexdigest())
                if not judged.changed:
                    raise _UnchangedError
        else:
            for line in rows():
                fresh.update(line)
            judged.changed = not _is(path, fresh.hexdigest())
    lines += [(old.state, "") for key, old in before.items() if key not in seen]
    judged.before = "".join(f"{old}\n" for old, _new in lines if old)
    judged.after = "".join(f"{new}\n" for _old, new in lines if new)
    judged.verdicts.sort(key=lambda row: STRICTEST.index(row["state"]))
    return judged


@dataclasses.dataclass(frozen=True)
class _Known:
    state: str
    judged_at: str
    identity: str


def _known(path: str) -> dict[str, _Known]:
    """The verdicts of the run before; none where the file is missing or damaged: it is then written anew."""
    found: dict[str, _Known] = {}
    with contextlib.suppress(ScapError, KeyError, TypeError):
        for row in read_jsonl(path) if os.path.exists(path) else ():
            key, state, identity = _identity(row)
            found[key] = _Known(state, str(row["judged_at"]), identity)
    return found


def _identity(row: J) -> tuple[str, str, str]:
    """What a verdict is about, one line that says what it is, and a checksum of all but its time."""
    image, policy = row["image"], row["policy"]
    rest = {name: value for name, value in row.items() if name != "judged_at"}
    line = f"{image['reference']}: {row['state']} ({policy['name']})"
    return image["digest"] or image["reference"], line, hashlib.sha256(dumps(rest)).hexdigest()


def _is(path: str, sha256: str) -> bool:
    digest = hashlib.sha256()
    with contextlib.suppress(OSError), open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
        return digest.hexdigest() == sha256
    return False


def compare(root: str, grounds: Grounds, others: Grounds) -> list[J]:
    """The images whose state would be another under the policies of `others`."""
    found = []
    for stored, other in zip(verdicts_of(root, grounds), verdicts_of(root, others)):
        if stored.state != other.state:
            found.append(
                {
                    "reference": other.image.reference,
                    "digest": other.image.digest,
                    "before": stored.state,
                    "after": other.state,
                    "policy": other.policy.name,
                    "reasons": [f"{reason.code}: {reason.message}" for reason in other.reasons],
                }
            )
    return found


def judge_file(path: str, reference: str, grounds: Grounds) -> Judged:
    """Judge one result file of any tool; nothing is written."""
    parsed = parse_file(path)
    name, _at, digest = reference.rpartition("@")
    evidence = Evidence(
        reference=reference or parsed.target or path,
        digest=digest if name and is_digest(digest) else "",
        platform="",
        os=OperatingSystem(),
        scan=ScanInfo("file", "", parsed.tool_version, 0.0),
        scanned_at=parsed.ended_at or parsed.results.generated_at,
    )
    policies = [policy for policy in grounds.policies if policy.select.matches(image_of(evidence), "")] or [Policy()]
    verdicts = [judge_foreign(evidence, parsed.results, policy, grounds.waivers, grounds.now) for policy in policies]
    verdict = min(verdicts, key=lambda verdict: STRICTEST.index(verdict.state))
    judged = Judged(verdicts=[to_json(verdict)])
    judged.add(verdict)
    return judged
