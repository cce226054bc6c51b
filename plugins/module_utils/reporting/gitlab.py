# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Vulnerabilities as GitLab's container scanning report (schema version 15); failed rules have no place in it."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t

from ..files import read_json
from ..model import J, Package, RecordError, ScapError, Verdict, Vulnerability
from ..results import clean
from .interface import Fleet, Report, findings
from .output import Output

FILE = "gl-container-scanning-report.json"
VERSION = "15.2.1"
_SEVERITIES = {"critical": "Critical", "high": "High", "medium": "Medium", "low": "Low", "unknown": "Unknown"}


class GitLabReport(Report):
    name = "gitlab"

    def write(self, fleet: Fleet, output: Output) -> str:
        output.write(FILE, _pieces(fleet))
        return FILE


def _pieces(fleet: Fleet) -> t.Iterator[str]:
    first, last, messages = "", "", []
    yield f'{{"version":"{VERSION}","vulnerabilities":['
    separator = "\n"
    for verdict in fleet.verdicts():
        last = max(last, verdict.judged_at)
        first = min(first or verdict.scanned_at, verdict.scanned_at or first)
        if verdict.state in ("error", "stale"):
            reason = verdict.reasons[0].message if verdict.reasons else verdict.state
            messages.append({"level": "warn", "value": clean(f"{verdict.image.reference}: {reason}", 1000)})
        versions: dict[str, str] | None = None
        for found in findings(verdict):
            if found.vulnerability is not None and found.waived is None:
                versions = _versions(fleet, verdict) if versions is None else versions
                for entry in _vulnerabilities(verdict, found.vulnerability, versions):
                    yield separator + json.dumps(entry)
                    separator = ",\n"
    tool = {"id": "scap-images", "name": "scap.images", "version": "0.1.0", "vendor": {"name": "scap.images"}}
    scan: J = {
        "type": "container_scanning",
        "status": "success",
        "analyzer": tool,
        "scanner": tool,
        "start_time": (first or last).rstrip("Z"),
        "end_time": last.rstrip("Z"),
    }
    if messages:
        scan["messages"] = messages
    yield f'\n],"scan":{json.dumps(scan)}}}\n'


def _versions(fleet: Fleet, verdict: Verdict) -> dict[str, str]:
    """The installed version of each package; empty where the list is missing."""
    path = os.path.join(fleet.root, verdict.evidence, "packages.json.gz")
    try:
        return {package.name: package.evr for package in map(Package.from_json, read_json(path, 64 << 20))}
    except (ScapError, RecordError, TypeError):
        return {}


def _vulnerabilities(verdict: Verdict, entry: Vulnerability, versions: t.Mapping[str, str]) -> t.Iterator[J]:
    identifiers = [
        {"type": "cve", "name": name, "value": name, "url": f"https://www.cve.org/CVERecord?id={name}"}
        for name in entry.cves[:19]
    ]
    identifiers.append({"type": "oval", "name": clean(entry.id, 250), "value": clean(entry.id, 250)})
    fixes = [*entry.fixed_in, *[""] * len(entry.packages)]
    for package, fixed in zip(entry.packages or [""], fixes or [""]):
        identity = f"{verdict.image.digest} {verdict.image.reference} {entry.id} {package}"
        found: J = {
            "id": hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest(),
            "name": clean(entry.title or entry.id, 250),
            "description": clean(entry.title or entry.id, 2000),
            "severity": _SEVERITIES[entry.severity],
            "identifiers": identifiers,
            "location": {
                "dependency": {"package": {"name": clean(package, 250)}, "version": versions.get(package, "")},
                "operating_system": clean(verdict.image.os, 250) or "unknown",
                "image": clean(verdict.image.reference.partition("://")[2] or verdict.image.reference, 250),
            },
        }
        if fixed:
            found["solution"] = clean(f"Update {package} to {fixed}", 2000)
        yield found
