# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluation of a profile: the data stream validated, compiled where that is wanted, evaluated."""

from __future__ import annotations

import dataclasses
import os

from ..files import write_whole
from ..model import Check, guide_name
from .compiled import ORIGINAL_RESULTS, compare, given, is_sampled, keep_texts, prepare
from .confine import Sandbox
from .content import Selected
from .evaluate import Evaluation, evaluate_xccdf, generate_guide, validate
from .request import Request


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """What came of it."""

    selected: Selected
    """With the digest of what was really evaluated."""
    checks: list[Check]
    evaluations: list[Evaluation]
    """One; two where the original was evaluated too and gave other answers."""


def evaluate(
    request: Request, sandbox: Sandbox, selected: Selected, oscap: str, digest: str, staging: str
) -> Evaluated:
    """Evaluate the profile of `selected`; `oscap` is its version, `digest` the image's. Raises ScapError."""
    profile = selected.profile.id if selected.profile else ""
    if request.compiled:
        return _evaluate(request, sandbox, selected, oscap, digest, staging)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as beside:
        known = beside.submit(_know, request, sandbox, oscap, selected, profile)
        try:
            return _evaluate(request, sandbox, selected, oscap, digest, staging)
        finally:
            known.result()


def _know(request: Request, sandbox: Sandbox, oscap: str, selected: Selected, profile: str) -> None:
    """What is found out once for a data stream: whether it is valid, and, of one that is not tailored, its guide."""
    sha256 = selected.infos[0].sha256
    _validate(request, sandbox, oscap, selected.datastream, sha256)
    if sha256 == selected.contents[0].sha256:
        _keep_guide(request, sandbox, selected.datastream, guide_name(sha256, profile), profile)


def _evaluate(
    request: Request, sandbox: Sandbox, selected: Selected, oscap: str, digest: str, staging: str
) -> Evaluated:
    profile = selected.profile.id if selected.profile else ""
    folder = request.cache or os.path.join(sandbox.home, "compiled")
    prepared = given(selected) if request.compiled else prepare(selected, folder, request.compile)
    checks = [prepared.check]
    if prepared.compiled is not None:
        _validate(request, sandbox, oscap, prepared.datastream, prepared.compiled.sha256)
    keep_texts(prepared, staging)
    evaluations = [evaluate_xccdf(sandbox, prepared.datastream, profile, request.timeout)]
    if prepared.compiled is not None and not request.compiled and is_sampled(digest, request.sample):
        original = evaluate_xccdf(sandbox, selected.datastream, profile, request.timeout, ORIGINAL_RESULTS)
        check = compare(*(os.path.join(sandbox.out, entry.results) for entry in (*evaluations, original)))
        checks.append(check)
        if not check.passed:
            evaluations.append(original)
    return Evaluated(prepared.recorded(selected), checks, evaluations)


def _validate(request: Request, sandbox: Sandbox, oscap: str, datastream: str, sha256: str) -> None:
    """oscap's own validation, once for each file."""
    kept = os.path.join(request.cache, f"{sha256}.valid-{oscap}") if request.cache else ""
    if not kept or not os.path.exists(kept):
        validate(sandbox, datastream, request.timeout)
        if kept:
            write_whole(kept, b"", durable=False)


def _keep_guide(request: Request, sandbox: Sandbox, datastream: str, name: str, profile: str) -> None:
    """oscap's guide to the profile, for the report, once for each data stream and profile."""
    guide = os.path.join(request.cache, name) if request.cache and not request.confined else ""
    if guide and not os.path.exists(guide):
        page = generate_guide(sandbox, datastream, profile, request.timeout)
        if page:
            write_whole(guide, page)
