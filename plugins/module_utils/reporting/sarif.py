# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts as SARIF 2.1.0 (OASIS): one run, a result a finding, waivers as suppressions, errors as notifications."""

from __future__ import annotations

import json
import typing as t
import urllib.parse

from ..model import J, Verdict
from ..policy.match import short_rule
from ..results import clean
from .interface import Fleet, Found, Report, findings
from .output import Output

FILE = "results.sarif"
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "unknown": "warning"}
_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0", "unknown": "0.0"}
"""What viewers sort by, in the middle of CVSS's ranges; the severity itself stands beside it."""


class SarifReport(Report):
    name = "sarif"

    def write(self, fleet: Fleet, output: Output) -> str:
        output.write(FILE, _pieces(fleet))
        return FILE


def _pieces(fleet: Fleet) -> t.Iterator[str]:
    rules: dict[str, J] = {}
    notes: list[J] = []
    yield f'{{"$schema":{json.dumps(SCHEMA)},"version":"2.1.0","runs":[{{"columnKind":"unicodeCodePoints","results":['
    separator = "\n"
    for verdict in fleet.verdicts():
        if verdict.state in ("error", "stale"):
            notes.append(_notification(verdict))
        for found in findings(verdict):
            rules.setdefault(found.id, _rule(found))
            yield separator + json.dumps(_result(verdict, found))
            separator = ",\n"
    invocation = {"executionSuccessful": not notes, "toolExecutionNotifications": notes}
    driver = {"name": "scap.images", "rules": list(rules.values())}
    yield f'\n],"invocations":[{json.dumps(invocation)}],"tool":{{"driver":{json.dumps(driver)}}}}}]}}\n'


def _rule(found: Found) -> J:
    title = clean(found.title or short_rule(found.id), 1000)
    return {
        "id": clean(found.id, 500),
        "shortDescription": {"text": title},
        "defaultConfiguration": {"level": _LEVELS[found.severity]},
        "properties": {"security-severity": _SCORES[found.severity], "tags": ["security", found.kind]},
    }


def _result(verdict: Verdict, found: Found) -> J:
    reference = clean(verdict.image.reference, 2000)
    entry = found.vulnerability
    names = (entry.cves or entry.packages)[:20] if entry else []
    about = f" ({', '.join(names)})" if names else ""
    result: J = {
        "ruleId": clean(found.id, 500),
        "level": _LEVELS[found.severity],
        "message": {"text": clean(f"{reference}: {found.title or short_rule(found.id)}{about}", 4000)},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": urllib.parse.quote(reference, safe="/:@")}},
                "logicalLocations": [{"fullyQualifiedName": reference, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"imageAndFinding/v1": f"{verdict.image.digest}/{clean(found.id, 500)}"},
        "properties": {"severity": found.severity, "digest": verdict.image.digest, "state": verdict.state},
    }
    if found.waived is not None:
        why = f"{found.waived.owner}, until {found.waived.expires}: {found.waived.reason}"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": clean(why, 4000)}]
    return result


def _notification(verdict: Verdict) -> J:
    message = verdict.reasons[0].message if verdict.reasons else verdict.state
    return {"level": "error", "message": {"text": clean(f"{verdict.image.reference}: {message}", 4000)}}
