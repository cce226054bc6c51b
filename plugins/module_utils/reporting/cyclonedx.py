# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Vulnerabilities as a CycloneDX 1.5 VEX document: the images are components, each CVE says which it affects."""

from __future__ import annotations

import json
import typing as t
import urllib.parse

from ..model import SEVERITIES, J, RecordError, ScapError, Verdict
from ..reference import parse
from ..results import clean
from .interface import Fleet, Found, Report, findings
from .output import Output

FILE = "vex.cdx.json"


class CycloneDxReport(Report):
    name = "cyclonedx"

    def write(self, fleet: Fleet, output: Output) -> str:
        output.write(FILE, _pieces(fleet))
        return FILE


def _pieces(fleet: Fleet) -> t.Iterator[str]:
    at = ""
    known: dict[tuple[str, str, str], J] = {}
    yield '{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"components":['
    separator = "\n"
    seen: set[str] = set()
    for verdict in fleet.verdicts():
        at = max(at, verdict.judged_at)
        ref = verdict.image.digest or verdict.image.reference
        if ref not in seen:
            seen.add(ref)
            yield separator + json.dumps(_component(verdict, ref))
            separator = ",\n"
        for found in findings(verdict):
            _add(known, found, ref)
    tools = {"components": [{"type": "application", "name": "scap.images"}]}
    metadata = {"timestamp": at, "tools": tools} if at else {"tools": tools}
    yield f'\n],"metadata":{json.dumps(metadata)},"vulnerabilities":['
    separator = "\n"
    for entry in known.values():
        yield separator + json.dumps(entry)
        separator = ",\n"
    yield "\n]}\n"


def _component(verdict: Verdict, ref: str) -> J:
    found: J = {"type": "container", "bom-ref": ref, "name": clean(verdict.image.reference, 2000)}
    if verdict.image.digest:
        found["hashes"] = [{"alg": "SHA-256", "content": verdict.image.digest.rpartition(":")[2]}]
        purl = _purl(verdict)
        if purl:
            found["purl"] = purl
    return found


def _purl(verdict: Verdict) -> str:
    """`pkg:oci/name@digest?repository_url=...` (the purl types' oci), for images of a registry."""
    try:
        reference = parse(verdict.image.reference)
    except (ScapError, RecordError):
        return ""
    if reference.transport != "docker" or not reference.host:
        return ""
    name = reference.path.rpartition("/")[2].lower()
    place = urllib.parse.quote(f"{reference.host}/{reference.path}".lower(), safe="/")
    return f"pkg:oci/{name}@{urllib.parse.quote(verdict.image.digest)}?repository_url={place}"


def _add(known: dict[tuple[str, str, str], J], found: Found, ref: str) -> None:
    entry = found.vulnerability
    if entry is None:
        return
    analysis: J = {"state": "in_triage"}
    if found.waived is not None:
        why = f"waived by {found.waived.owner} until {found.waived.expires}: {found.waived.reason}"
        analysis = {"state": "in_triage", "response": ["will_not_fix"], "detail": clean(why, 4000)}
    for name in entry.cves or [entry.id]:
        key = (name, entry.id, analysis.get("detail", ""))
        if key not in known:
            known[key] = {
                "id": clean(name, 500),
                "ratings": [{"severity": entry.severity if entry.severity in SEVERITIES[:4] else "unknown"}],
                "description": clean(entry.title, 2000),
                "analysis": analysis,
                "affects": [],
            }
        affects: list[J] = known[key]["affects"]
        if not affects or affects[-1]["ref"] != ref:
            affects.append({"ref": ref})
