# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New feeds for evidences that are there: evaluated on what these kept, on every core; no image, no pod.

What comes out is an evidence of its own beside the old one: its rules, the new feeds' definitions, `evaluated: from
evidence`, the time of the scan. Where only a scan can tell, the evidence keeps its results and says that it is due.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import threading
import typing as t

from ..files import read_json, sha256_file, write_json
from ..model import (
    Check,
    Content,
    Evidence,
    J,
    Reason,
    RecordError,
    Results,
    ScapError,
    StoredFile,
    field,
    now,
    to_json,
)
from ..results import merge, parse_file
from ..scanner.content import UNUSED, content_key, feed_contents, fitting
from ..scanner.contentinfo import content_info
from ..scanner.kept import NAME as KEPT
from ..scanner.oval.index import make_index
from ..scanner.program import PACKAGES
from ..store import EVIDENCE, RESULTS, evidences, results_of
from . import zipapp
from .accept import check_definitions, put_in_place
from .local import user_prefix

FROM_EVIDENCE = "from evidence"
DUE_SUFFIX = "-due"
_MAIN = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from scap_images.scanner.again import main; sys.exit(main(sys.argv[1:]))"
)
_REPLACED = ("definitions", "feed")
"""Checks that speak of the feeds alone."""
_UNCOMPILED = "the feed itself was evaluated"


@dataclasses.dataclass(frozen=True)
class Again:
    """What a run is made with."""

    dir: str
    """scap_dir."""
    oval: list[str]
    """Paths of the feeds, unpacked."""
    python: str
    timeout: float = 1200.0
    tools: str = "/"
    parallelism: int = 0
    """Processes; 0: one a processor."""


@dataclasses.dataclass
class Summary:
    """What a run came to."""

    evaluated: int = 0
    unchanged: int = 0
    """Evidences of these very feeds."""
    due: int = 0
    skipped: int = 0
    """In error, not applicable, or of a system that none of the feeds is for: these keep what they have."""


@dataclasses.dataclass(frozen=True)
class _Work:
    evidence: Evidence
    path: str
    """Absolute folder of the old evidence."""
    staging: str
    feeds: list[int]
    """The numbers of those that are for it."""
    contents: list[Content]
    """Of the new evidence, feeds not yet compiled."""


def judge_again(run: Again) -> Summary:
    """Evaluate the feeds on the latest evidence of every image; raises ScapError where none can be."""
    cache = os.path.join(run.dir, "content")
    os.makedirs(cache, mode=0o700, exist_ok=True)
    infos = [content_info(path, cache) for path in run.oval]
    for path, info in zip(run.oval, infos):
        if info.kind != "oval":
            raise ScapError("content_unsupported", f"{path}: is a data stream, not OVAL")
        with contextlib.suppress(ScapError):
            make_index(path, info.sha256, cache)
    feeds = feed_contents(run.oval, infos)
    summary, works = Summary(), []
    for evidence, folder in evidences(run.dir):
        rest = [content for content in evidence.content if content.kind != "oval"]
        ours = fitting(evidence.os, infos)
        if not ours and len(rest) == len(evidence.content):
            ours = list(range(len(feeds)))  # as a scan with them would say: they are not for it
        contents = [*rest, *(feeds[number] for number in ours)]
        if evidence.error is not None or evidence.not_applicable is not None or not evidence.digest or not ours:
            summary.skipped += 1
        elif evidence.due is None and content_key(evidence.content) == content_key(contents):
            summary.unchanged += 1
        else:
            works.append(_Work(evidence, os.path.join(run.dir, folder), "", ours, contents))
    lock = threading.Lock()

    def end(work: _Work, answer: J, parts: list[Results]) -> None:
        due = _store(run, work, answer, parts)
        with lock:
            summary.due += due
            summary.evaluated += not due

    processors = sorted(os.sched_getaffinity(0))
    count = run.parallelism or len(processors)
    with (
        tempfile.TemporaryDirectory(prefix="scap-again-") as scratch,
        concurrent.futures.ThreadPoolExecutor(count) as pool,
    ):
        program = zipapp.write(scratch)
        groups = _alike(works)
        shares = [groups[number::count] for number in range(count)]
        processes: list[subprocess.Popen[bytes]] = []
        waiting = [
            pool.submit(_evaluate, run, program, share, processor, os.path.join(scratch, str(number)), end, processes)
            for number, (share, processor) in enumerate(zip(shares, itertools.cycle(processors)))
            if share
        ]
        try:
            concurrent.futures.wait(waiting)
        except BaseException:
            for process in processes:
                process.terminate()
            raise
    for future in waiting:
        future.result()
    return summary


def _alike(works: t.Sequence[_Work]) -> list[list[_Work]]:
    """Images of which the same was kept, to the byte, get the same answers: most of a fleet shares a few bases."""
    groups: dict[tuple[t.Any, ...], list[_Work]] = {}
    for work in works:
        files = {file.name: file.sha256 for file in work.evidence.files}
        kept, packages = files.get(KEPT, work.path), files.get(PACKAGES, work.path)
        key = kept, packages, work.evidence.packages, work.evidence.platform, *work.feeds
        groups.setdefault(key, []).append(work)
    return list(groups.values())


_End = t.Callable[[_Work, J, t.List[Results]], None]


def _evaluate(
    run: Again,
    program: str,
    share: t.Sequence[list[_Work]],
    processor: int,
    scratch: str,
    end: _End,
    processes: list[subprocess.Popen[bytes]],
) -> None:
    """One process for this share of the images, which evaluates one of each group on a processor of its own."""
    os.mkdir(scratch, mode=0o700)
    base = os.path.join(run.dir, "evidence")
    groups = [
        [dataclasses.replace(work, staging=tempfile.mkdtemp(prefix=".scan-", dir=base)) for work in group]
        for group in share
    ]
    request = {
        "oval": run.oval,
        "cache": os.path.join(run.dir, "content"),
        "timeout": run.timeout,
        "tools": run.tools,
        "processor": processor,
        "images": [
            {
                "evidence": work.path,
                "files": {file.name: file.sha256 for file in work.evidence.files},
                "packages": work.evidence.packages,
                "platform": work.evidence.platform,
                "oval": work.feeds,
                "staging": work.staging,
            }
            for work, *_alike in groups
        ],
    }
    path = os.path.join(scratch, "request.json")
    write_json(path, request, durable=False)
    argv = [*user_prefix(), run.python, "-I", "-S", "-c", _MAIN, program, path, scratch]
    try:
        with (
            open(os.path.join(scratch, "stderr"), "w+b") as errors,
            subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=errors) as process,
        ):
            processes.append(process)
            for first, *others in groups:
                line = process.stdout.readline() if process.stdout is not None else b""
                try:
                    answer = json.loads(line)
                except ValueError:
                    process.kill()
                    errors.seek(0)
                    said = errors.read()[-500:].decode("utf-8", "replace")
                    raise ScapError("scanner_failed", f"judging from evidence ended: {said or 'no word'}") from None
                answer, parts = _read(first.staging, answer)
                for other in others:
                    _share(first.staging, other.staging)
                for work in (first, *others):
                    end(work, answer, parts)
    finally:
        for group in groups:
            for work in group:
                shutil.rmtree(work.staging, ignore_errors=True)


def _share(source: str, target: str) -> None:
    """Let a folder hold the files of another; as copies where a file has too many names already."""
    for name in os.listdir(source):
        paths = os.path.join(source, name), os.path.join(target, name)
        try:
            os.link(*paths)
        except OSError:
            shutil.copyfile(*paths)


def _read(staging: str, answer: J) -> tuple[J, list[Results]]:
    """The answer, and the records that its results come to; what cannot be read makes an answer that says so."""
    if "code" in answer:
        return answer, []
    parts: list[Results] = []
    try:
        checks = list(field(answer, "checks", list))
        for number, count in enumerate(read_json(os.path.join(staging, "expected.json.gz"))["oval"]):
            part = parse_file(os.path.join(staging, f"oval-{number}.xml.gz")).results
            checks.append(to_json(check_definitions(count, part)))
            parts.append(part)
    except (ScapError, RecordError) as error:
        return {"code": getattr(error, "code", "evidence_damaged"), "message": str(error)}, []
    return {**answer, "checks": checks}, parts


def _store(run: Again, work: _Work, answer: J, parts: list[Results]) -> bool:
    """Put the new evidence in its place; whether it is one that is due."""
    try:
        if "code" in answer:
            raise ScapError(field(answer, "code", str), field(answer, "message", str))
        evidence = _evidence(run, work, answer, parts)
        suffix = ""
    except (ScapError, RecordError) as error:
        reason = Reason("scan_due", f"only a scan can tell what the new feed comes to: {error}")
        for name in os.listdir(work.staging):
            os.unlink(os.path.join(work.staging, name))
        _link(work, keep=lambda _name: True)
        evidence = dataclasses.replace(work.evidence, due=reason, evaluated_at=now())
        suffix = DUE_SUFFIX
    files = [_stored(work, name) for name in sorted(os.listdir(work.staging)) if name != EVIDENCE]
    write_json(os.path.join(work.staging, EVIDENCE), to_json(dataclasses.replace(evidence, files=files)), durable=False)
    put_in_place(work.staging, os.path.join(os.path.dirname(work.path), content_key(work.contents) + suffix))
    return bool(suffix)


def _evidence(run: Again, work: _Work, answer: J, parts: list[Results]) -> Evidence:
    old = results_of(run.dir, os.path.relpath(work.path, run.dir), work.evidence)
    if old is None:
        raise ScapError("evidence_damaged", f"{work.path}: its results cannot be read")
    checks = [Check.from_json(entry) for entry in field(answer, "checks", list)]
    contents = [Content.from_json(entry) for entry in field(answer, "contents", list)]
    rules = dataclasses.replace(old, vulnerabilities=[], definition_counts={}, undecided=[], generated_at="")
    write_json(os.path.join(work.staging, RESULTS), to_json(merge([rules, *parts])), durable=False)
    names = [content.id for content in work.evidence.content if content.kind == "oval"]
    of_feeds = (UNUSED, _UNCOMPILED, *(f"{name}{mark}" for name in names for mark in (" ", ",")))
    before = [
        check
        for check in work.evidence.coverage
        if check.check not in _REPLACED and not check.detail.startswith(of_feeds)
    ]
    _link(work, keep=lambda name: not name.startswith(("oval-", "results.", "expected.")))
    return dataclasses.replace(
        work.evidence,
        content=[*(content for content in work.evidence.content if content.kind != "oval"), *contents],
        coverage=[*before, *checks],
        evaluated=FROM_EVIDENCE,
        evaluated_at=now(),
        due=None,
    )


def _stored(work: _Work, name: str) -> StoredFile:
    """Of a file that stayed, what the old evidence says: damage is not made good by looking again."""
    path = os.path.join(work.staging, name)
    for file in work.evidence.files:
        if file.name == name and os.path.samefile(os.path.join(work.path, name), path):
            return file
    return StoredFile(name, sha256_file(path), os.path.getsize(path))


def _link(work: _Work, keep: t.Callable[[str], bool]) -> None:
    """The old evidence's files that stay as they are."""
    for file in work.evidence.files:
        if keep(file.name):
            os.link(os.path.join(work.path, file.name), os.path.join(work.staging, file.name))
