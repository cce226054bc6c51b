# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts as OpenReports objects (openreports.io/v1alpha1), one List that `kubectl apply --server-side` takes.

A Report in each namespace where an image runs or is named; a ClusterReport of the images that nothing there names,
those of other clusters (namespaces called CLUSTER/NAMESPACE) among them.
"""

from __future__ import annotations

import collections
import datetime
import json
import typing as t

from ..model import J, Verdict, Workload
from ..results import clean
from .interface import Fleet, Report
from .output import Output

FILE = "openreports.json"
API_VERSION = "openreports.io/v1alpha1"
SOURCE = "scap.images"
LABELS = {"app.kubernetes.io/managed-by": "scap.images"}
RESULTS = {"compliant": "pass", "non_compliant": "fail", "error": "error", "stale": "error", "not_applicable": "skip"}
"""State to the word of the format. Only what is proven compliant is a `pass`."""
MAX_RESULTS = 500
"""Results in one object; etcd takes 1.5 MB."""
_MAX_RESOURCES = 20
_MAX_TEXT = 1000
_SEVERITIES = {"critical": "critical", "high": "high", "medium": "medium", "low": "low", "unknown": "info"}


class OpenReports(Report):
    name = "openreports"

    def write(self, fleet: Fleet, output: Output) -> str:
        output.write(FILE, _pieces(fleet))
        return FILE


def _pieces(fleet: Fleet) -> t.Iterator[str]:
    """Namespace by namespace, so that no more than one object is held."""
    spaces: dict[str, set[int]] = collections.defaultdict(set)
    for place, verdict in enumerate(fleet.verdicts()):
        for namespace in {place.namespace for place in _workloads(fleet, verdict)} or {""}:
            spaces[namespace].add(place)
    results: dict[str, list[J]] = collections.defaultdict(list)
    parts: collections.Counter[str] = collections.Counter()
    yield '{"apiVersion":"v1","kind":"List","items":['
    separator = "\n"
    for place, verdict in enumerate(fleet.verdicts()):
        for namespace in sorted(space for space in spaces if place in spaces[space]):
            found = results[namespace]
            found.append(_result(verdict, _workloads(fleet, verdict), namespace))
            spaces[namespace].remove(place)
            if len(found) == MAX_RESULTS or not spaces[namespace]:
                yield separator + json.dumps(_object(namespace, parts[namespace], found))
                separator = ",\n"
                parts[namespace] += 1
                results[namespace] = []
    yield "\n]}\n"


def _workloads(fleet: Fleet, verdict: Verdict) -> t.Sequence[Workload]:
    image = fleet.images.get(verdict.image.digest)
    places = image.workloads if image is not None else ()
    return [place for place in places if "/" not in place.namespace]


def _object(namespace: str, part: int, results: t.Sequence[J]) -> J:
    counts = collections.Counter(result["result"] for result in results)
    metadata: J = {"name": f"scap-images-{part}", "labels": dict(LABELS)}
    if namespace:
        metadata["namespace"] = namespace
    found: J = {
        "apiVersion": API_VERSION,
        "kind": "Report" if namespace else "ClusterReport",
        "metadata": metadata,
        "source": SOURCE,
        "summary": {word: counts[word] for word in ("pass", "fail", "warn", "error", "skip")},
        "results": list(results),
    }
    if namespace:
        found["scope"] = {"apiVersion": "v1", "kind": "Namespace", "name": namespace}
    return found


def _result(verdict: Verdict, workloads: t.Sequence[Workload], namespace: str) -> J:
    """What one image is under its policy; the findings themselves stand in the pages."""
    worst = next((name for name in _SEVERITIES if verdict.severity.get(name)), "")
    at = datetime.datetime.fromisoformat(verdict.judged_at.replace("Z", "+00:00"))
    found: J = {
        "source": SOURCE,
        "policy": clean(verdict.policy.name, _MAX_TEXT) or "default",
        "rule": "image-may-run",
        "category": "container image",
        "result": RESULTS[verdict.state],
        "scored": True,
        "message": clean("; ".join(reason.message for reason in verdict.reasons), _MAX_TEXT),
        "timestamp": {"seconds": int(at.timestamp()), "nanos": 0},
        "properties": {
            "digest": verdict.image.digest,
            "image": clean(verdict.image.reference, _MAX_TEXT),
            "state": verdict.state,
            "waived": str(len(verdict.waived)),
            **{name: str(verdict.severity.get(name, 0)) for name in _SEVERITIES},
        },
    }
    if worst:
        found["severity"] = _SEVERITIES[worst]
    here = sorted({(one.kind, one.name) for one in workloads if one.namespace == namespace})
    if here:
        found["resources"] = [
            {"kind": kind, "namespace": namespace, "name": name} for kind, name in here[:_MAX_RESOURCES]
        ]
    return found
