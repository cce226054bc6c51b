# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scan many images through one executor; what the modules and the action plugin see of it."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import typing as t

from ..model import Check, Evidence, Image, J, ScapError, is_digest
from ..progress import SCAN, Progress
from ..reference import normalise
from .accept import accept, sweep
from .canaries import prove
from .distrust import distrust
from .indexing import index_feeds
from .interface import Executor, Outcome, Settings


@dataclasses.dataclass
class Scanned:
    """One image of a run. When the run ends, its evidence can be replaced by one that says that it is not believed."""

    evidence: Evidence
    path: str
    """Folder of the evidence."""
    reused: bool

    def summary(self, root: str) -> J:
        """What a module returns of it: a few hundred bytes."""
        evidence = self.evidence
        error = evidence.error
        failed = [check for check in evidence.coverage if not check.passed]
        return {
            "reference": evidence.reference,
            "digest": evidence.digest,
            "platform": evidence.platform,
            "os": evidence.os.label,
            "packages": evidence.packages,
            "rung": evidence.scan.rung,
            "seconds": evidence.scan.seconds,
            "reused": self.reused,
            "evidence": os.path.relpath(self.path, root),
            "error": f"{error.code}: {error.message}" if error else "",
            "unproven": [check.check for check in failed],
            "not_applicable": evidence.not_applicable.message if evidence.not_applicable else "",
        }


def to_images(entries: t.Iterable[t.Any]) -> list[Image]:
    """Image records from what users write: references, or mappings of images.jsonl. Repeated ones are dropped."""
    images: dict[tuple[str, str], Image] = {}
    for entry in entries:
        if isinstance(entry, str):
            reference = normalise(entry)
            digest = reference.rpartition("@")[2]
            image = Image(reference=reference, digest=digest if is_digest(digest) else "")
        else:
            image = Image.from_json(entry)
            image = dataclasses.replace(image, reference=normalise(image.reference))
        images.setdefault((image.reference, image.digest), image)
    return list(images.values())


def scan(images: t.Sequence[Image], executor: Executor, settings: Settings) -> t.Iterator[Scanned]:
    """Scan each image once; yields in the order in which they end. One process at a time works in a scap_dir."""
    os.makedirs(settings.cache, mode=0o700, exist_ok=True)
    os.makedirs(settings.evidence, mode=0o700, exist_ok=True)
    with open(os.path.join(settings.dir, ".lock"), "wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ScapError(
                "dir_busy", f"{settings.dir}: another run works in it; wait for it, or use another dir"
            ) from error
        sweep(settings)
        with Progress(settings.dir, SCAN, len(images)) as progress:
            checks = [prove(executor, settings)] if images else []
            every = []
            index_feeds(settings)
            for outcome in executor.scan(images, settings):
                scanned = _accept(outcome, settings, executor.name, checks)
                every.append(scanned)
                evidence = scanned.evidence
                progress.ended(evidence.reference, failed=evidence.error is not None, reused=scanned.reused)
                yield scanned
            distrust(every, settings.cache)


def _accept(outcome: Outcome, settings: Settings, executor: str, checks: t.Sequence[Check]) -> Scanned:
    evidence, path = accept(outcome, settings, executor, checks)
    return Scanned(evidence, path, bool(outcome.reused))
