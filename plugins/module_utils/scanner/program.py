# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that runs beside the image: one process, one image, one evidence.

`main` reads a Request, acquires the image, detects its OS, reads its packages, evaluates the content and proves what
it can on the spot. It leaves a staging folder (evidence.json and raw results, compressed) and says where in its last
line of standard output, a JSON object: `{"staging": PATH}` or `{"reused": PATH}`. Lines before that report steps.
Whatever goes wrong with the image is an evidence with an error, and exit status 0.

It starts for each image, and Python compiles it each time: what only some scans need is imported where they do.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import typing as t

from ..files import read_json, sha256_file, write_json, write_whole
from ..model import (
    Check,
    Content,
    Evidence,
    OperatingSystem,
    Reason,
    RecordError,
    ScanInfo,
    ScapError,
    StoredFile,
    now,
    to_json,
)
from ..process import Completed
from ..reference import parse
from . import kept, profile
from .acquire.records import Access, Resolved
from .confine import OUT, Sandbox, oscap_version, prepare_home
from .content import Selected, check_content, request_key, select
from .detect import confirm_os, read_os
from .evaluate import Evaluation
from .mounts import private_mounts, without_execution
from .packages import Inventory, read_inventory
from .packages.rebuild import install, rebuild
from .probe import Probe
from .request import Request
from .rootpath import make_in_root
from .stderr import check_stderr

PACKAGES = "packages.json.gz"
"""File of an evidence: its packages."""
DPKG_ARCHITECTURES = {"386": "i386", "arm": "armhf", "ppc64le": "ppc64el", "mips64le": "mips64el"}


class Scan:
    """One scan while it runs; `evidence` is what is known so far."""

    def __init__(self, request: Request, work: str, staging: str) -> None:
        self.request = request
        self.work = work
        self.staging = staging
        self.resolved: Resolved | None = None
        self.os = OperatingSystem()
        self.inventory: Inventory | None = None
        self.selected: Selected | None = None
        self.coverage: list[Check] = []
        self.rung = request.rung
        self.oscap = ""
        self.started = time.monotonic()

    def say(self, step: str) -> None:
        tell({"step": step, "seconds": round(time.monotonic() - self.started, 3)})

    def resolve(self) -> Resolved:
        """What the reference means, checked against the digest that was asked for."""
        request = self.request
        if request.way == "root":
            resolved = Resolved.from_json(request.resolved)
        else:
            from .acquire.resolve import resolve

            access = Access.from_json(request.access)
            resolved = resolve(parse(request.reference), request.platform, access, self.work)
        if request.digest and request.digest not in (resolved.digest, *resolved.index_digests):
            raise ScapError(
                "digest_mismatch",
                f"{request.reference}: {request.digest} was asked for, the registry gives {resolved.digest}",
            )
        self.resolved = resolved
        self.say("resolved")
        return resolved

    def run(self, resolved: Resolved) -> None:
        """Acquire, detect, evaluate, prove; raises ScapError where that cannot be done."""
        self.coverage.append(Check("digest", True, f"{resolved.digest}, checked against what was asked for"))
        with contextlib.ExitStack() as stack:
            root = self._root(resolved, stack)
            self.say("acquired")
            self.os = read_os(root)
            self.inventory = read_inventory(root)
            packages = [to_json(entry) for entry in self.inventory.packages]
            write_json(os.path.join(self.staging, PACKAGES), packages, durable=False)
            selected = select(self.request, self.os)
            if isinstance(selected, Reason):
                raise NotApplicableError(selected)
            self.selected = selected
            self._evaluate(root, resolved, selected, self.inventory)

    def _root(self, resolved: Resolved, stack: contextlib.ExitStack) -> str:
        """The path of the image's root, good until the stack is closed."""
        request = self.request
        if request.way == "root":
            return request.root
        from .acquire.ways import acquire

        access = Access.from_json(request.access)
        root = stack.enter_context(
            acquire(
                resolved,
                access,
                self.work,
                way=request.way,
                storage=request.storage,
                storage_limit=request.storage_limit,
            )
        )
        self.rung = request.rung or root.way
        for reason in root.tried:
            self.say(f"not by {reason}")
        return root.path

    def _evaluate(self, root: str, resolved: Resolved, selected: Selected, inventory: Inventory) -> None:
        prober = Probe(root, inventory, selected.infos, self.work)
        sandbox = self._sandbox(root, resolved, prober.variable)
        self.oscap = oscap_version(sandbox)
        if inventory.manager == "rpm":
            self._rebuild(root, inventory, sandbox)
        evaluations = [prober.evaluate(sandbox, self.request.timeout)]
        self.say("probed")
        if selected.profile is not None:
            evaluated = profile.evaluate(self.request, sandbox, selected, self.oscap, resolved.digest, self.staging)
            self.selected = evaluated.selected
            self.coverage += evaluated.checks
            evaluations += evaluated.evaluations
            self.say("evaluated xccdf")
            selected = self.selected
        read: set[str] = set()
        if selected.oval:
            from .oval import feed

            subject = feed.Subject(root, inventory, resolved.digest, self.work, self.staging)
            for number in range(len(selected.oval)):
                judged = feed.evaluate(self.request, sandbox, selected, number, subject)
                self.selected = selected = judged.selected
                self.coverage += judged.checks
                evaluations += judged.evaluations
                self.say(f"evaluated oval {number}: {judged.how}")
            read = feed.paths(self.request, selected)
        unkept = kept.keep(root, inventory, read, self.staging)
        self.say(f"kept nothing to judge again: {unkept}" if unkept else "kept what a later feed can be judged by")
        self.coverage += prober.checks()
        self.coverage.append(confirm_os(self.os, inventory.packages))
        self.coverage += check_content(selected, self.os, inventory.packages)
        self.coverage.append(check_stderr([(entry.what, entry.stderr) for entry in evaluations], self.oscap))
        ended = f"{len(evaluations)} calls of oscap {self.oscap} ended as they should"
        self.coverage.append(Check("exit_status", True, ended))
        self._keep(sandbox, selected, evaluations)

    def _rebuild(self, root: str, inventory: Inventory, sandbox: Sandbox) -> None:
        def confined(argv: t.Sequence[str], stdin: bytes) -> Completed:
            return sandbox.run(argv, timeout=self.request.timeout, stdin=stdin, probe=False)

        rebuild(root, inventory, os.path.join(sandbox.out, "rpmdb"), sandbox.path(f"{OUT}/rpmdb"), confined)
        install(root, os.path.join(sandbox.out, "rpmdb"))

    def _sandbox(self, root: str, resolved: Resolved, variable: str) -> Sandbox:
        home, out = os.path.join(self.work, "home"), os.path.join(self.work, "out")
        os.makedirs(out, mode=0o700)
        architecture = resolved.platform.split("/")[1] if "/" in resolved.platform else "amd64"
        prepare_home(home, DPKG_ARCHITECTURES.get(architecture, architecture))
        make_in_root(root, "run/.containerenv", b"")
        make_in_root(root, "proc", None)
        view = root
        if not self.request.confined:
            view = os.path.join(self.work, "view")
            if not without_execution(root, view):
                raise ScapError(
                    "confinement_failed",
                    "the root cannot be mounted without execution: run as root, or as a user with subordinate ids "
                    "(usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER)",
                )
        return Sandbox(
            root=view,
            out=out,
            home=home,
            tools=self.request.tools,
            memory=self.request.memory,
            bare=self.request.confined,
            variables=[*resolved.variables, variable],
        )

    def _keep(self, sandbox: Sandbox, selected: Selected, evaluations: t.Sequence[Evaluation]) -> None:
        """Compress the raw results into the staging folder, with what they have to be compared with."""
        for entry in evaluations[1:]:
            packed = os.path.join(self.staging, f"{entry.results}.gz")
            raw = os.path.join(sandbox.out, entry.results)
            with open(raw, "rb") as source, gzip.open(packed, "wb", compresslevel=1) as stream:
                shutil.copyfileobj(source, stream, 1 << 20)
        expected = {
            "rules": selected.profile.rules if selected.profile else [],
            "all_rules": selected.infos[0].rules if selected.profile else 0,
            "oval": [info.definitions for info in selected.infos if info.kind == "oval"],
        }
        write_json(os.path.join(self.staging, "expected.json.gz"), expected, durable=False)
        text = b"".join(f"== {entry.what}\n".encode() + entry.stderr + b"\n" for entry in evaluations)
        write_whole(os.path.join(self.staging, "stderr.txt"), text[-1024 * 1024 :], durable=False)

    def evidence(self, *, error: Reason | None, not_applicable: Reason | None) -> Evidence:
        resolved = self.resolved
        contents: list[Content] = self.selected.contents if self.selected else []
        inventory = self.inventory
        manager = inventory.manager if inventory else ""
        return Evidence(
            reference=self.request.reference,
            digest=resolved.digest if resolved else "",
            platform=resolved.platform if resolved else self.request.platform,
            os=self.os,
            scan=ScanInfo(self.request.executor, self.rung, self.oscap, round(time.monotonic() - self.started, 3)),
            scanned_at=now(),
            content=contents,
            coverage=self.coverage,
            files=_stored(self.staging),
            packages=len(inventory.packages) if inventory else 0,
            package_manager=f"{manager} ({inventory.format})" if inventory and manager else "",
            index_digests=resolved.index_digests if resolved else [],
            labels=resolved.labels if resolved else {},
            not_applicable=not_applicable,
            error=error,
        )


class NotApplicableError(Exception):
    """There is no content for this image."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.message)
        self.reason = reason


def find_reusable(request: Request, digest: str) -> str:
    """The path of a stored evidence, without error, of this image and the content that it would get now; or empty."""
    base = os.path.join(request.evidence, digest.rpartition(":")[2])
    try:
        names = sorted(os.listdir(base))
    except FileNotFoundError:
        return ""
    for name in names:
        try:
            known = Evidence.from_json(read_json(os.path.join(base, name, "evidence.json")))
        except (ScapError, RecordError):
            continue
        if not known.os.id and not known.not_applicable:
            continue
        try:
            selected = select(request, known.os)
        except ScapError:
            continue
        if isinstance(selected, Reason):
            if known.not_applicable is not None:
                return os.path.join(base, name)
            continue
        path = os.path.join(base, selected.key)
        if _is_complete(path, request.compile):
            return path
    return ""


def _is_complete(path: str, compiles: bool) -> bool:
    """Whether the evidence is whole and proven; where nothing is to be compiled, of the content itself."""
    try:
        known = Evidence.from_json(read_json(os.path.join(path, "evidence.json")))
    except (ScapError, RecordError):
        return False
    if known.error is not None or not all(check.passed for check in known.coverage):
        return False
    if not compiles and any(content.compiled_sha256 for content in known.content):
        return False
    with contextlib.suppress(OSError):
        return bool(known.files) and all(
            os.path.getsize(os.path.join(path, file.name)) == file.size for file in known.files
        )
    return False


def _stored(folder: str) -> list[StoredFile]:
    files = []
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name != "evidence.json":
            files.append(StoredFile(name, sha256_file(path), os.path.getsize(path)))
    return files


def scan(request: Request, work: str) -> dict[str, str]:
    """Do what the request asks; returns what the last line says."""
    os.makedirs(request.evidence, mode=0o700, exist_ok=True)
    staging = tempfile.mkdtemp(prefix=".scan-", dir=request.evidence)
    current = Scan(request, work, staging)
    error = not_applicable = None
    try:
        resolved = current.resolve()
        reused = find_reusable(request, resolved.digest) if request.reuse else ""
        if reused:
            shutil.rmtree(staging)
            return {"reused": reused}
        current.run(resolved)
    except NotApplicableError as outcome:
        not_applicable = outcome.reason
    except ScapError as problem:
        error = Reason(problem.code, problem.message)
    except OSError as problem:
        error = Reason("system_error", f"{request.reference}: {problem}")
    found = current.evidence(error=error, not_applicable=not_applicable)
    write_json(os.path.join(staging, "evidence.json"), to_json(found), durable=False)
    key = current.selected.key if current.selected else request_key(request)
    return {"staging": staging, "key": key}


def main(argv: t.Sequence[str]) -> int:
    """`argv`: the path of the request, and of a scratch folder that is emptied in the end. SIGTERM ends the programs
    that it runs too."""
    signal.signal(signal.SIGTERM, _end)
    request = Request.from_json(read_json(argv[0]))
    os.umask(0o077)
    if not request.confined:
        private_mounts()
    work = tempfile.mkdtemp(prefix="scan-", dir=argv[1])
    try:
        answer = scan(request, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    tell(answer)
    return 0


def _end(number: int, _frame: t.Any) -> t.NoReturn:
    raise SystemExit(128 + number)


def tell(value: t.Any) -> None:
    """One line of JSON for whoever started this program."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()
