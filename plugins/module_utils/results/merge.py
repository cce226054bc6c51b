# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several result files of one scan as one record."""

from __future__ import annotations

import collections
import typing as t

from ..model import Results, Vulnerability
from .times import oldest


def merge(parts: t.Iterable[Results]) -> Results:
    """One Results of all `parts`: lists joined, counts added, a finding that two feeds report alike kept once.

    `profile` and `benchmark` are the first that is named; `generated_at` is the oldest time, so that nothing looks
    fresher than it is.
    """
    every = list(parts)
    rule_counts: collections.Counter[str] = collections.Counter()
    definition_counts: collections.Counter[str] = collections.Counter()
    vulnerabilities: list[Vulnerability] = []
    known: dict[str, list[Vulnerability]] = {}
    for part in every:
        rule_counts.update(part.rule_counts)
        definition_counts.update(part.definition_counts)
        for entry in part.vulnerabilities:
            if entry not in known.setdefault(entry.id, []):
                known[entry.id].append(entry)
                vulnerabilities.append(entry)
    return Results(
        rules=[rule for part in every for rule in part.rules],
        rule_counts=dict(rule_counts),
        vulnerabilities=vulnerabilities,
        definition_counts=dict(definition_counts),
        undecided=list(dict.fromkeys(name for part in every for name in part.undecided)),
        profile=next((part.profile for part in every if part.profile), ""),
        benchmark=next((part.benchmark for part in every if part.benchmark), ""),
        generated_at=oldest([part.generated_at for part in every if part.generated_at]),
    )
