# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runs before: one line a run in history.jsonl, and what changed since the last one."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from ..files import dumps, read_json, read_jsonl
from ..model import STATES, J, ScapError
from .output import Output
from .summary import Summary

HISTORY = "history.jsonl"
LAST = "last.json"
RUNS = 500
"""Runs that are remembered."""


@dataclasses.dataclass(frozen=True)
class Change:
    """One image whose state is not what it was; `before` or `after` is empty where it came or went."""

    reference: str
    page: str
    before: str
    after: str


@dataclasses.dataclass(frozen=True)
class Past:
    """What is known of earlier runs."""

    runs: list[J]
    """{at, states, severity}, the oldest first, the present one last."""
    since: str
    """Time of the run before; empty where there was none."""
    changes: list[Change]


def remember(summary: Summary, output: Output) -> Past:
    """Add the present run to the history. A report that is made again of the same verdicts adds nothing."""
    runs = [run for run in _runs(os.path.join(output.folder, HISTORY)) if run["at"] < summary.at][-RUNS + 1 :]
    runs.append({"at": summary.at, "states": summary.states, "severity": summary.severity})
    states = {row.page: [row.reference, row.state] for row in summary.rows}
    last = _last(os.path.join(output.folder, LAST))
    if last.get("at") == summary.at:
        before, since = last["before"], last["since"]
    else:
        before, since = last.get("states", {}), last.get("at", "")
    output.write_bytes(HISTORY, (dumps(run) + b"\n" for run in runs))
    output.write_bytes(LAST, [dumps({"at": summary.at, "states": states, "since": since, "before": before}), b"\n"])
    return Past(runs, since, list(_changes(before, states)) if since else [])


def _changes(before: t.Mapping[str, list[str]], after: t.Mapping[str, list[str]]) -> t.Iterator[Change]:
    for page in sorted({*before, *after}, key=lambda page: (after.get(page) or before[page])[0]):
        old, new = before.get(page, ["", ""]), after.get(page, ["", ""])
        if old[1] != new[1]:
            yield Change(new[0] or old[0], page, old[1], new[1])


def _runs(path: str) -> list[J]:
    """The runs that are on record; a damaged history is begun anew."""
    found: list[J] = []
    if os.path.exists(path):
        with contextlib.suppress(ScapError):
            for row in read_jsonl(path, 1 << 20):
                if isinstance(row, dict) and isinstance(row.get("at"), str) and _counts(row.get("states")):
                    found.append(row)
    return found


def _counts(value: t.Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name, 0), int) for name in STATES)


def _last(path: str) -> J:
    """The run before, empty where it is not on record."""
    with contextlib.suppress(ScapError):
        value = read_json(path) if os.path.exists(path) else {}
        if isinstance(value, dict) and all(isinstance(value.get(name), str) for name in ("at", "since")):
            return value if _pairs(value.get("states")) and _pairs(value.get("before")) else {}
    return {}


def _pairs(value: t.Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and pair[1] in ("", *STATES)
        for pair in value.values()
    )
