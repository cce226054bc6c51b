# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One OVAL feed of a scan: evaluated as it is, or by what the image's packages leave of it; for a sample, both ways."""

from __future__ import annotations

import contextlib
import dataclasses
import os

from ...model import Check, ScapError
from ..compiled import CHECK, differs_name, is_sampled
from ..confine import Sandbox
from ..content import Selected
from ..evaluate import Evaluation, evaluate_oval
from ..packages import Inventory
from ..request import Request
from .answers import read_said
from .index import index_path, make_index
from .residual import Index
from .run import Compiled, evaluate_compiled


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is evaluated."""

    root: str
    inventory: Inventory
    digest: str
    """The image's."""
    work: str
    """Folder for what is thrown away."""
    staging: str
    """Folder for what is kept."""


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """What came of one feed."""

    selected: Selected
    """With the digest of what was evaluated."""
    checks: list[Check]
    evaluations: list[Evaluation]
    """The one whose results are the scan's first."""
    how: str


def evaluate(request: Request, sandbox: Sandbox, selected: Selected, number: int, subject: Subject) -> Evaluated:
    """Evaluate feed `number` of the selected ones; its results are called `oval-NUMBER.xml`.

    Raises ScapError where oscap did not end as it should.
    """
    path, name = selected.oval[number], f"oval-{number}"
    place = len(selected.contents) - len(selected.oval) + number
    content = selected.contents[place]
    cache = request.cache or subject.work
    if not request.compile:
        reason = "compiling is switched off"
    elif os.path.exists(os.path.join(cache, differs_name(content.sha256))):
        reason = "compiled, it gave another answer once"
    else:
        try:
            with contextlib.closing(Index(make_index(path, content.sha256, cache))) as index:
                compiled = evaluate_compiled(
                    sandbox,
                    path,
                    index,
                    name,
                    subject.root,
                    subject.inventory,
                    work=subject.work,
                    timeout=request.timeout,
                    note=os.path.join(subject.staging, f"{name}.remainders.json.gz"),
                )
        except ScapError as error:
            if error.code != "content_uncompiled":
                raise
            reason = error.message
        else:
            contents = list(selected.contents)
            contents[place] = dataclasses.replace(content, compiled_sha256=compiled.sha256)
            checks = _checks(content.id, compiled)
            evaluations = [compiled.evaluation]
            if is_sampled(subject.digest, request.sample):
                original = evaluate_oval(sandbox, path, f"{name}-original", request.timeout)
                checks.append(_compare(sandbox, compiled.evaluation, original))
                evaluations += [] if checks[-1].passed else [original]
            how = f"{compiled.remainders} remainders of {compiled.definitions} definitions"
            return Evaluated(dataclasses.replace(selected, contents=contents), checks, evaluations, how)
    check = Check("compiled", True, f"the feed itself was evaluated: {reason}")
    try:
        whole = evaluate_oval(sandbox, path, name, request.timeout)
    except ScapError as error:
        raise ScapError(error.code, f"{error.message}; what is known of the feed: {reason}") from error
    return Evaluated(selected, [check], [whole], reason)


def paths(request: Request, selected: Selected) -> set[str]:
    """The files that these feeds read, as far as their indexes tell."""
    found: set[str] = set()
    for content in selected.contents:
        place = index_path(request.cache, content.sha256)
        if content.kind == "oval" and os.path.exists(place):
            with contextlib.closing(Index(place)) as index:
                found.update(row[0] for row in index.rows("SELECT DISTINCT need FROM part WHERE kind = 'objects'"))
    return {path for path in found if path.startswith("/")}


def _checks(name: str, compiled: Compiled) -> list[Check]:
    left = f"{compiled.remainders} remainders of its {compiled.definitions} definitions, by the image's packages"
    roll = dataclasses.replace(
        compiled.roll_call, detail=f"{name}, in the run that gave the answers: {compiled.roll_call.detail}"
    )
    return [Check("compiled", True, f"{name} was evaluated as {left}: {compiled.sha256}"), roll]


def _compare(sandbox: Sandbox, compiled: Evaluation, original: Evaluation) -> Check:
    """Whether both ways answer each definition alike."""
    first, second = (
        read_said(os.path.join(sandbox.out, entry.results), (), ()).definitions for entry in (compiled, original)
    )
    differing = sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
    if not differing:
        return Check(CHECK, True, f"{len(first)} definitions have the same answers compiled and not")
    shown = ", ".join(f"{name}: {first.get(name, 'none')}, not {second.get(name, 'none')}" for name in differing[:5])
    return Check(
        CHECK,
        False,
        f"{len(differing)} of {len(second)} definitions have another answer where the feed is compiled ({shown}): a "
        "defect, please report it with both results; scap_compile: false evaluates the feed itself",
    )
