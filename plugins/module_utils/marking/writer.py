# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what people and other tools read: ImageScan objects and the annotations of OpenShift Images."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import typing as t

from ..kube.client import Client
from ..kube.errors import KubeError
from ..model import J, Mark, ScapError, Verdict, now
from . import annotations as openshift
from . import imagescan
from .decide import Decision
from .denied import Denied
from .outcome import Options, Outcome
from .state import OPENSHIFT_IMAGES, Present

WORKERS = 8

Job = t.Tuple[str, str, t.Callable[[], object]]
"""Digest, kind, and the request."""


class Writer:
    """One run's requests."""

    def __init__(self, client: Client, options: Options, outcome: Outcome, present: Present) -> None:
        self._client = client
        self._options = options
        self._outcome = outcome
        self._present = present

    def mark(
        self,
        chosen: t.Mapping[str, Verdict],
        decisions: t.Mapping[str, Decision],
        held: Denied,
        blocked: t.Mapping[str, str],
        changed: t.Collection[str],
    ) -> None:
        """Write what differs for every image of `chosen`; `changed`: images whose entries in the denied set changed."""
        jobs: list[Job] = []
        marks: list[Mark] = []
        for digest, verdict in chosen.items():
            mark = self._mark(verdict, decisions[digest], held, blocked.get(digest, "no"))
            old = self._present.scans.get(digest)
            scan = imagescan.build(verdict, mark, self._report(digest), old)
            if not imagescan.same(scan, old):
                jobs.append((digest, "ImageScan", self._apply(scan)))
                self._difference(digest, old, scan)
            refused = held.stage_of(digest) == "deny" and "*" not in held.exempted(digest)
            if decisions[digest].annotate and digest in (self._present.annotations or {}):
                self._annotate(digest, openshift.wanted(verdict, refused, self._report(digest)), jobs)
            marks.append(mark)
        self._finish(jobs, marks, changed)

    def remove(self, gone: t.Collection[str], stages: t.Mapping[str, str], changed: t.Collection[str]) -> None:
        """Remove the ImageScans and annotations of these images; `stages`: at which they were denied."""
        jobs: list[Job] = []
        marks: list[Mark] = []
        for digest in sorted(gone):
            old = self._present.scans.get(digest)
            if old is not None:
                jobs.append((digest, "ImageScan", self._delete(digest)))
                self._difference(digest, old, None)
            self._annotate(digest, {}, jobs)
            reference = str((old or {}).get("spec", {}).get("image", ""))
            stage = stages.get(digest) or self._options.stage
            marks.append(Mark(digest, reference, "absent", stage, False, "no", False, now(), ""))
        self._finish(jobs, marks, changed)

    def _finish(self, jobs: list[Job], marks: list[Mark], changed: t.Collection[str]) -> None:
        self._run(jobs)
        written = {digest for digest, _kind, _job in jobs} | set(changed)
        for mark in marks:
            detail = "; ".join(part for part in (mark.detail, *self._outcome.failures.get(mark.digest, ())) if part)
            self._outcome.marks.append(dataclasses.replace(mark, changed=mark.digest in written, detail=detail))

    def _mark(self, verdict: Verdict, decision: Decision, held: Denied, blocked: str) -> Mark:
        image, digest = verdict.image, verdict.image.digest
        exempt = [f"exempt in {name}: {text}" for name, text in sorted(held.exempted(digest).items())]
        detail = "; ".join(part for part in (decision.detail, *exempt) if part)
        present = held.stage_of(digest)
        stage = present or decision.stage
        return Mark(digest, image.reference, verdict.state, stage, bool(present), blocked, False, now(), detail)

    def _annotate(self, digest: str, values: t.Mapping[str, str], jobs: list[Job]) -> None:
        present = (self._present.annotations or {}).get(digest, {})
        patch = openshift.patch(present, values)
        if patch:
            body = {"metadata": {"annotations": patch}}
            path = f"{OPENSHIFT_IMAGES}/{digest}"
            jobs.append((digest, "Image", lambda: self._client.patch(path, body, dry_run=self._options.check)))
            self._outcome.before.extend(f"Image {digest}: {name}={present[name]}" for name in patch if name in present)
            self._outcome.after.extend(f"Image {digest}: {name}={text}" for name, text in patch.items() if text)

    def _apply(self, scan: J) -> t.Callable[[], object]:
        path = f"{imagescan.PATH}/{scan['metadata']['name']}"
        return lambda: self._client.apply(path, scan, dry_run=self._options.check)

    def _delete(self, digest: str) -> t.Callable[[], object]:
        path = f"{imagescan.PATH}/{imagescan.name(digest)}"
        return lambda: self._client.delete(path, dry_run=self._options.check)

    def _run(self, jobs: list[Job]) -> None:
        """Every job, some at a time; a failure is kept with its image and stops no other."""

        def one(job: Job) -> tuple[str, str, str]:
            digest, kind, write = job
            try:
                write()
            except ScapError as error:
                gone = kind == "Image" and isinstance(error, KubeError) and error.status == 404
                return digest, kind, "" if gone else error.message
            return digest, kind, ""

        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            for digest, kind, message in pool.map(one, jobs):
                if message:
                    self._outcome.failures.setdefault(digest, []).append(message)
                else:
                    self._outcome.count(kind)

    def _difference(self, digest: str, old: J | None, new: J | None) -> None:
        for side, data in ((self._outcome.before, old), (self._outcome.after, new)):
            if data is not None:
                status = data.get("status") or {}
                words = [f"{name}={status[name]}" for name in ("state", "stage", "denied", "blocked") if name in status]
                side.append(f"ImageScan {digest}: {' '.join(words)} scanned {data['spec'].get('scannedAt')}")

    def _report(self, digest: str) -> str:
        base = self._options.report.rstrip("/")
        return f"{base}/images/{digest.split(':')[1]}.html" if base else ""
