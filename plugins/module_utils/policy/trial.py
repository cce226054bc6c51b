# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of policies: what a policy's author expects of stored evidence, held against what the judge says."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ..model import STATES, J, RecordError, ScapError, Verdict, parse_time
from .document import check, read_document
from .match import any_glob
from .run import Grounds, verdicts_of

CODE = "policy_test_invalid"

SCHEMA: J = {
    "type": "object",
    "additionalProperties": False,
    "required": ["tests"],
    "properties": {
        "at": {"type": "string", "minLength": 1, "description": "The time of judgement, RFC 3339; now where left out."},
        "tests": {
            "type": "array",
            "minItems": 1,
            "description": "What is expected.",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["image", "state"],
                "properties": {
                    "name": {"type": "string", "minLength": 1, "description": "What the test is about."},
                    "image": {"type": "string", "minLength": 1, "description": "A glob over references, or a digest."},
                    "state": {"type": "string", "enum": list(STATES), "description": "The state that is expected."},
                    "policy": {"type": "string", "minLength": 1, "description": "The policy that decides."},
                    "reasons": {
                        "type": "array",
                        "items": {"type": "string", "minLength": 1},
                        "description": "Codes or parts of messages that the reasons must have.",
                    },
                },
            },
        },
    },
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one test ended."""

    name: str
    passed: bool
    detail: str
    """What is wrong, with the line of the test; empty where it passed."""


def run_tests(path: str, root: str, grounds: Grounds) -> list[Outcome]:
    """Run the tests of a YAML file on the evidence in scap_dir `root`; ScapError where the file is invalid.

    A test passes where it names at least one image and every image that it names has the verdict that it expects.
    """
    document = read_document(path, CODE)
    check(document, SCHEMA, CODE)
    at = document.value.get("at")
    if at is not None:
        grounds = dataclasses.replace(grounds, now=_time(at, document.problem(("at",), "")))
    verdicts = list(verdicts_of(root, grounds))
    outcomes = []
    for place, test in enumerate(document.value["tests"]):
        wrong = _wrong(test, verdicts)
        detail = document.problem(("tests", place), wrong) if wrong else ""
        outcomes.append(Outcome(test.get("name", f"{test['image']} is {test['state']}"), not wrong, detail))
    return outcomes


def _time(text: str, where: str) -> datetime.datetime:
    try:
        return parse_time(text)
    except RecordError as error:
        raise ScapError(CODE, f"{where}{error}; write it as 2026-11-23T12:00:00Z") from error


def _wrong(test: J, verdicts: t.Sequence[Verdict]) -> str:
    named = [it for it in verdicts if it.image.digest == test["image"] or any_glob([test["image"]], it.image.reference)]
    if not named:
        return f"no stored evidence is of an image {test['image']}"
    return next((problem for problem in (_differs(test, verdict) for verdict in named) if problem), "")


def _differs(test: J, verdict: Verdict) -> str:
    told = "; ".join(f"{reason.code}: {reason.message}" for reason in verdict.reasons)
    who = verdict.image.reference
    if verdict.state != test["state"]:
        return f"{who} is {verdict.state}, {test['state']} was expected ({told})"
    if verdict.policy.name != test.get("policy", verdict.policy.name):
        return f"{who} was decided by the policy {verdict.policy.name}, {test['policy']} was expected"
    missing = [part for part in test.get("reasons", []) if part not in told]
    return f"{who}: no reason has {', '.join(missing)} ({told})" if missing else ""
