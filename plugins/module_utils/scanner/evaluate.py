# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of oscap each: XCCDF, OVAL; its raw results, exit status and standard error."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ..model import ScapError
from .confine import OUT, Sandbox

XCCDF_RESULTS = "arf.xml"

_XCCDF_ENDED = (0, 2)
"""xccdf eval: 0 every rule passed, 2 at least one did not."""
_OVAL_ENDED = (0,)
_CRASHED = (-11, 139)
_ATTEMPTS = 3
"""oscap 1.3 crashes in about one of a hundred evaluations (a race of its threads); it has given no answer then."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What one call left."""

    what: str
    """`xccdf`, `oval-0` ..., for messages."""
    results: str
    """Name of the raw result file below the sandbox's output folder."""
    stderr: bytes
    seconds: float


def evaluate_xccdf(
    sandbox: Sandbox, datastream: str, profile: str, timeout: float, results: str = XCCDF_RESULTS
) -> Evaluation:
    """Evaluate a profile of a source data stream; raises ScapError where oscap did not end as it should."""
    argv = ["oscap", "xccdf", "eval", "--skip-validation", "--profile", profile]
    argv += ["--results-arf", sandbox.path(f"{OUT}/{results}"), datastream]
    return _evaluate(sandbox, "xccdf", argv, results, _XCCDF_ENDED, timeout, [datastream])


def evaluate_oval(sandbox: Sandbox, definitions: str, name: str, timeout: float) -> Evaluation:
    """Evaluate every definition of an OVAL file; the results are called `NAME.xml`."""
    argv = ["oscap", "oval", "eval", "--skip-validation", "--results", sandbox.path(f"{OUT}/{name}.xml"), definitions]
    return _evaluate(sandbox, name, argv, f"{name}.xml", _OVAL_ENDED, timeout, [definitions])


def validate(sandbox: Sandbox, datastream: str, timeout: float) -> None:
    """oscap's own validation of a data stream; raises ScapError content_invalid, or oscap_failed.

    OVAL files are not validated against their schema: oscap takes minutes for a feed, and refuses a malformed one
    anyway.
    """
    done = sandbox.run(["oscap", "ds", "sds-validate", datastream], timeout=timeout, readable=[datastream], probe=False)
    if done.returncode < 0 and not done.timed_out:
        raise ScapError("oscap_failed", f"oscap (validation of {datastream}) ended with {_ending(done.returncode)}")
    if done.returncode != 0:
        what = "took too long to validate" if done.timed_out else f"is not valid: {done.error or done.returncode}"
        raise ScapError("content_invalid", f"{datastream}: {what}; fetch the content again or repair it")


def generate_guide(sandbox: Sandbox, datastream: str, profile: str, timeout: float) -> bytes:
    """oscap's own guide to a profile, one HTML page; empty where it could not be made."""
    name = sandbox.path(f"{OUT}/guide.html")
    argv = ["oscap", "xccdf", "generate", "guide", "--profile", profile, "--output", name, datastream]
    done = sandbox.run(argv, timeout=timeout, readable=[datastream], probe=False)
    path = os.path.join(sandbox.out, "guide.html")
    if done.returncode != 0 or not os.path.isfile(path):
        return b""
    with open(path, "rb") as stream:
        return stream.read()


def _evaluate(
    sandbox: Sandbox,
    what: str,
    argv: t.Sequence[str],
    results: str,
    ended: t.Sequence[int],
    timeout: float,
    readable: t.Sequence[str],
) -> Evaluation:
    path = os.path.join(sandbox.out, results)
    for _attempt in range(_ATTEMPTS):
        if os.path.lexists(path):
            os.unlink(path)
        done = sandbox.run(argv, timeout=timeout, readable=readable)
        if done.returncode not in _CRASHED:
            break
    if done.timed_out:
        raise ScapError("time_limit", f"oscap ({what}) did not end within {timeout:.0f} s; raise the time limit")
    if done.returncode not in ended:
        raise ScapError(
            "oscap_failed", f"oscap ({what}) ended with {_ending(done.returncode)}: {done.error or 'no word'}"
        )
    if done.truncated or not os.path.isfile(path) or os.path.getsize(path) == 0:
        raise ScapError("results_missing", f"oscap ({what}) ended with {done.returncode} but left no results")
    return Evaluation(what, results, done.stderr, done.seconds)


def _ending(returncode: int) -> str:
    if returncode in _CRASHED:
        return "a segmentation fault (too little memory?)"
    if returncode in (-6, 134):
        return "an abort (no CAP_SYS_CHROOT, or an assertion inside oscap)"
    if returncode in (-9, 137):
        return "signal 9 (killed, out of memory?)"
    return f"exit status {returncode}" if returncode >= 0 else f"signal {-returncode}"
