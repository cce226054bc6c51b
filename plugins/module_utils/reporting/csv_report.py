# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings as CSV (RFC 4180, UTF-8): one row a finding; an image without any has one row of its own."""

from __future__ import annotations

import csv
import io
import typing as t

from ..model import Verdict
from ..results import clean
from .interface import Fleet, Found, Report, findings
from .output import Output

FILE = "findings.csv"
COLUMNS = (
    "reference", "digest", "platform", "os", "state", "policy", "kind", "id", "severity", "title", "cves", "packages",
    "fixed_in", "waived_until", "reason", "scanned_at",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class CsvReport(Report):
    name = "csv"

    def write(self, fleet: Fleet, output: Output) -> str:
        output.write(FILE, _lines(fleet))
        return FILE


def _lines(fleet: Fleet) -> t.Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for verdict in fleet.verdicts():
        rows = [_row(verdict, found) for found in findings(verdict)] or [_row(verdict, None)]
        writer.writerows([_safe(cell) for cell in row] for row in rows)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _row(verdict: Verdict, found: Found | None) -> list[str]:
    image = verdict.image
    head = [image.reference, image.digest, image.platform, image.os, verdict.state, verdict.policy.name]
    if found is None:
        why = verdict.reasons[0].message if verdict.reasons and verdict.state != "compliant" else ""
        return [*head, "", "", "", "", "", "", "", "", why, verdict.scanned_at]
    entry = found.vulnerability
    lists = [" ".join(entry.cves), " ".join(entry.packages), " ".join(entry.fixed_in)] if entry else ["", "", ""]
    until, reason = (found.waived.expires, found.waived.reason) if found.waived else ("", "")
    return [*head, found.kind, found.id, found.severity, found.title, *lists, until, reason, verdict.scanned_at]


def _safe(cell: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    cell = clean(cell, 30_000)
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
