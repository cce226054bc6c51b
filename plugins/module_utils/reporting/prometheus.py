# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet in numbers for the node exporter's textfile collector (Prometheus text format 0.0.4)."""

from __future__ import annotations

import collections
import typing as t

from ..model import SEVERITIES, STATES, RecordError, parse_time
from ..results import clean
from .interface import Fleet, Report
from .output import Output

FILE = "scap_images.prom"
_Rows = t.List[t.Tuple[t.Dict[str, str], float]]


class PrometheusReport(Report):
    name = "prometheus"

    def write(self, fleet: Fleet, output: Output) -> str:
        output.write(FILE, _lines(fleet))
        return FILE


def _lines(fleet: Fleet) -> t.Iterator[str]:
    states: collections.Counter[str] = collections.Counter()
    spaces: collections.Counter[tuple[str, str]] = collections.Counter()
    severities: collections.Counter[str] = collections.Counter()
    ends: dict[tuple[str, str], float] = {}
    judged, oldest = 0.0, 0.0
    for verdict in fleet.verdicts():
        states[verdict.state] += 1
        severities.update(verdict.severity)
        judged = max(judged, _seconds(verdict.judged_at))
        scanned = _seconds(verdict.scanned_at)
        oldest = min(oldest, scanned) if oldest and scanned else oldest or scanned
        image = fleet.images.get(verdict.image.digest)
        spaces.update((name, verdict.state) for name in (image.namespaces if image else []))
        for entry in verdict.waived:
            ends[(entry.id, entry.owner)] = _seconds(f"{entry.expires}T23:59:59Z")
    yield from _metric("images", "Images by the state of their verdict.", [({"state": s}, states[s]) for s in STATES])
    found: _Rows = [({"severity": name}, severities[name]) for name in SEVERITIES]
    yield from _metric("findings", "Failed rules and true definitions that count.", found)
    by_space: _Rows = [({"namespace": space, "state": s}, spaces[(space, s)]) for space, s in sorted(spaces)]
    yield from _metric("namespace_images", "Images that run in a namespace, by state.", by_space)
    denied = sum(mark.denied for mark in fleet.marks.values())
    proven = sum(mark.denied and mark.blocked == "proven" for mark in fleet.marks.values())
    yield from _metric("denied_images", "Images in the denied set.", [({}, denied)])
    yield from _metric("denied_images_proven", "Denied images that the API server refused.", [({}, proven)])
    ending: _Rows = [({"finding": name, "owner": owner}, end) for (name, owner), end in sorted(ends.items())]
    yield from _metric("waiver_end_timestamp_seconds", "When a waiver in use ends.", ending)
    yield from _metric("judged_timestamp_seconds", "Time of the latest verdict.", [({}, judged)])
    yield from _metric("oldest_scan_timestamp_seconds", "Time of the oldest scan of a verdict.", [({}, oldest)])


def _metric(name: str, text: str, rows: _Rows) -> t.Iterator[str]:
    full = f"scap_images_{name}"
    yield f"# HELP {full} {text}\n# TYPE {full} gauge\n"
    for labels, value in rows:
        inner = ",".join(f'{key}="{_label(label)}"' for key, label in labels.items())
        yield f"{full}{{{inner}}} {value:.0f}\n" if inner else f"{full} {value:.0f}\n"


def _label(text: str) -> str:
    return clean(text, 500).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _seconds(text: str) -> float:
    """Unix time, 0 where the text is no time."""
    try:
        return parse_time(text).timestamp()
    except RecordError:
        return 0.0
