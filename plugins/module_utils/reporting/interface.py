# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report is made of, and what makes one: Fleet and Report. Each format is one file that implements Report."""

from __future__ import annotations

import abc
import dataclasses
import hashlib
import os
import typing as t

from ..files import read_jsonl
from ..model import Image, Mark, RecordError, Results, ScapError, Verdict, Vulnerability, Waived
from ..store import VERDICTS, discovered, stored_results, verdicts
from .output import Output

MARKS = "marks.jsonl"


@dataclasses.dataclass(frozen=True)
class Fleet:
    """The verdicts of a run and what belongs to them, read from scap_dir as it is asked for."""

    root: str
    """scap_dir."""
    images: dict[str, Image]
    """By digest: what discovery knows of them."""
    marks: dict[str, Mark]
    """By digest: what the cluster holds of them."""

    @classmethod
    def open(cls, root: str) -> Fleet:
        """ScapError where there are no verdicts."""
        if not os.path.exists(os.path.join(root, VERDICTS)):
            raise ScapError("no_verdicts", f"{root}: there is no {VERDICTS}; judge what was scanned first")
        return cls(root, discovered(root), _marks(os.path.join(root, MARKS)))

    def verdicts(self) -> t.Iterator[Verdict]:
        """One at a time, in the order of the file, as often as it is asked for."""
        return verdicts(self.root)

    def results(self, verdict: Verdict) -> Results | None:
        """The compact results that a verdict stands on; None where there are none that can be trusted."""
        return stored_results(self.root, verdict)


def _marks(path: str) -> dict[str, Mark]:
    if not os.path.exists(path):
        return {}
    try:
        marks = [Mark.from_json(row) for row in read_jsonl(path)]
    except RecordError as error:
        raise ScapError("marks_damaged", f"{path}: {error}; mark again") from error
    return {mark.digest: mark for mark in marks if mark.digest}


class Report(abc.ABC):
    """One format."""

    name: str
    """The word by which people choose it."""

    @abc.abstractmethod
    def write(self, fleet: Fleet, output: Output) -> str:
        """Write the format's files; the path, relative to the output's folder, of the one to open first."""


def page_name(verdict: Verdict) -> str:
    """DIGEST_HEX; for an image whose digest is not known the hex sha256 of its reference."""
    return verdict.image.digest.rpartition(":")[2] or hashlib.sha256(verdict.image.reference.encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Found:
    """One finding of one image, as the formats for machines list it."""

    kind: str
    """`rule` or `vulnerability`."""
    id: str
    """The rule's or definition's."""
    severity: str
    title: str
    vulnerability: Vulnerability | None = None
    waived: Waived | None = None


def findings(verdict: Verdict) -> t.Iterator[Found]:
    """What failed: rules, then definitions, then rules that are waived."""
    waived = {entry.id: entry for entry in verdict.waived}
    for rule in verdict.failed:
        yield Found("rule", rule.id, rule.severity, rule.title)
    for entry in verdict.vulnerabilities:
        yield Found("vulnerability", entry.id, entry.severity, entry.title, entry, waived.pop(entry.id, None))
    for taken in waived.values():
        yield Found("rule", taken.id, taken.severity, "", None, taken)
