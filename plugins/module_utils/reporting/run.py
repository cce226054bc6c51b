# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Report runs: the formats that are asked for, from what lies in scap_dir."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from ..model import J, ScapError
from ..progress import REPORT, Progress
from .csv_report import CsvReport
from .cyclonedx import CycloneDxReport
from .gitlab import GitLabReport
from .html_fleet import Pages
from .interface import Fleet, Report
from .junit import JUnitReport
from .openreports import OpenReports
from .output import Output
from .prometheus import PrometheusReport
from .sarif import SarifReport
from .summary import Gatherer, Row, Summary

FORMATS: dict[str, type[Report]] = {
    report.name: report
    for report in (
        Pages,
        CsvReport,
        JUnitReport,
        SarifReport,
        CycloneDxReport,
        PrometheusReport,
        GitLabReport,
        OpenReports,
    )
}
"""Every format by its name."""
_TABLE = 50
"""Images that the table names."""


@dataclasses.dataclass(frozen=True)
class Written:
    """What a run wrote."""

    paths: dict[str, str]
    """Format to the file to open first."""
    changed: list[str]
    """Paths below the report folder."""
    summary: Summary


def write_reports(root: str, formats: t.Sequence[str], folder: str = "", dry: bool = False) -> Written:
    """Write reports on the verdicts in scap_dir `root` into `folder` (its `report`); ScapError where that cannot be."""
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ScapError("format_unknown", f"there is no format {', '.join(unknown)}; there are {', '.join(FORMATS)}")
    fleet = Fleet.open(root)
    progress = Progress(root, REPORT)
    output = Output(folder or os.path.join(root, "report"), dry, progress.ended)
    paths: dict[str, str] = {}
    summary: Summary | None = None
    with contextlib.nullcontext() if dry else progress:
        for name in dict.fromkeys(formats):
            report = FORMATS[name]()
            paths[name] = os.path.join(output.folder, report.write(fleet, output))
            summary = report.summary if isinstance(report, Pages) else summary
    return Written(paths, output.changed, summary or _summary(fleet))


def _summary(fleet: Fleet) -> Summary:
    gatherer = Gatherer(fleet)
    for verdict in fleet.verdicts():
        gatherer.add(verdict)
    return gatherer.summary()


def table(rows: t.Iterable[Row]) -> list[str]:
    """Lines for a terminal: a heading and one line an image, the worst first."""
    shown = sorted(rows, key=lambda row: row.order)
    lines: list[tuple[str, ...]] = [("image", "verdict", "high", "medium", "low", "packages", "seconds")]
    lines += [_line(row) for row in shown[:_TABLE]]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    answer = ["  ".join(map(_padded, line, widths, range(len(line)))) for line in lines]
    if len(shown) > _TABLE:
        answer.append(f"and {len(shown) - _TABLE} more")
    return [line.rstrip() for line in answer]


def _padded(word: str, width: int, place: int) -> str:
    return word.ljust(width) if place < 2 else word.rjust(width)


def _line(row: Row) -> tuple[str, ...]:
    counts = row.severity
    high = counts.get("critical", 0) + counts.get("high", 0)
    low = counts.get("low", 0) + counts.get("unknown", 0)
    reference = "".join(char if char.isprintable() else "?" for char in row.reference)
    numbers = (high, counts.get("medium", 0), low, row.packages)
    return (reference, row.state, *map(str, numbers), f"{row.seconds:.1f}")


def counts(summary: Summary) -> J:
    """Images in all, by state, and findings by severity: what a module returns."""
    return {**summary.states, "images": len(summary.rows), "severity": summary.severity}
