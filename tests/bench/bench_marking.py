# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What marking costs, and what it costs the cluster: needs a running cluster (make cluster) and kubectl."""

from __future__ import annotations

import functools
import json
import pathlib
import statistics
import sys
import tempfile
import threading
import time
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.marking import denied, imagescan
from ansible_collections.scap.images.plugins.module_utils.marking.denied import Denied
from ansible_collections.scap.images.plugins.module_utils.marking.install import install, remove
from ansible_collections.scap.images.plugins.module_utils.marking.manifests import manifests

from tests.support import marking as support
from tests.support.marking import EXEMPT, NAMESPACE, TEAM, Cluster, pod
from tests.support.marking_records import digest, verdict

IMAGES = 1000
KUBECTL_CALLS = 20
ATTEMPTS = 400
ENTRIES = (10_000, 100_000)
ADDED_MS = {10_000: 1.0, 100_000: 3.0}


def run() -> list[dict[str, t.Any]]:
    try:
        with (
            tempfile.TemporaryDirectory(prefix="scap-bench-") as folder,
            support.server(pathlib.Path(folder)) as options,
        ):
            cluster = Cluster(options)
            try:
                cluster.clean()
                return [*_images(cluster), *_admission(cluster)]
            finally:
                cluster.close()
    except pytest.skip.Exception as error:
        print(f"bench_marking: {error}", file=sys.stderr)
        return []


def _images(cluster: Cluster) -> list[dict[str, t.Any]]:
    verdicts = [verdict(number, "non_compliant" if number % 4 == 0 else "compliant") for number in range(IMAGES)]
    first, outcome = _timed(lambda: cluster.run(*verdicts))
    assert sum(mark.blocked == "proven" for mark in outcome.marks) == IMAGES // 4
    again, _outcome = _timed(lambda: cluster.run(*verdicts))
    calls, _done = _timed(lambda: list(map(functools.partial(_annotate, cluster), range(KUBECTL_CALLS))))
    peer = calls / KUBECTL_CALLS * IMAGES
    lifted, _outcome = _timed(cluster.lift)
    return [
        {"name": f"mark {IMAGES} images, proof included (one kubectl annotate each)", "value": first, "peer": peer}
        | {"goal": 0.2, "unit": "s"},
        {"name": f"mark {IMAGES} images, nothing changed", "value": again, "goal": 1.0, "unit": "s"},
        {"name": f"lift {IMAGES} images", "value": lifted, "unit": "s"},
    ]


def _annotate(cluster: Cluster, number: int) -> None:
    cluster.kubectl("annotate", "--overwrite", "imagescan", imagescan.name(digest(number)), "compliant=false")


def _admission(cluster: Cluster) -> list[dict[str, t.Any]]:
    everything = manifests(NAMESPACE, [EXEMPT])
    policies = [data for data in everything if data["kind"].startswith("ValidatingAdmission")]
    remove(cluster.admin, policies)
    rows: list[dict[str, t.Any]] = [{"name": "pod dry run, no policy", "value": _alternated(cluster)[0], "unit": "ms"}]
    install(cluster.admin, policies)
    held = Denied([])
    for number in range(ENTRIES[-1] // 2):
        name = digest(f"entry {number}")
        held.deny(name, [name, f"registry.example:5000/team/app-{number}:1"], "deny", "non_compliant", "2026-11-23")
        if (number + 1) * 2 in ENTRIES:
            _write(cluster, held)
            last = pod(f"registry.example:5000/team/app-{number}:1")
            support.wait(lambda last=last: cluster.try_pod(last)[0], "the entries are obeyed")
            unmatched, matched = _alternated(cluster)
            added = matched - unmatched
            entries = (number + 1) * 2
            goal = ADDED_MS[entries]
            rows.append(
                {"name": f"pod dry run, added by {entries} entries", "value": added, "goal": goal, "unit": "ms"},
            )
    return [*rows, *_one_more(cluster), *_largest(cluster)]


def _one_more(cluster: Cluster) -> list[dict[str, t.Any]]:
    """One image more in the full set."""
    seen: list[float] = []
    attempt = pod(f"x.example/x@{digest('one more')}")

    def watch() -> None:
        support.wait(lambda: cluster.try_pod(attempt)[0], "refused")
        seen.append(time.monotonic())

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.monotonic()
    outcome = cluster.run(verdict("one more"))
    took = time.monotonic() - started
    watcher.join()
    assert outcome.marks[0].blocked == "proven"
    largest = max(len(json.dumps(data, separators=(",", ":"))) for data in cluster.denied().values())
    return [
        {"name": "one image more in 100000 entries: the whole run", "value": took, "unit": "s"},
        {"name": "until it is refused, from the run's start", "value": seen[0] - started, "goal": 2.0, "unit": "s"},
        {"name": "objects written", "value": outcome.written["DeniedImages"], "goal": 1, "unit": ""},
        {"name": "largest object", "value": largest / 2**20, "goal": 1.0, "unit": "MiB"},
    ]


def _largest(cluster: Cluster) -> list[dict[str, t.Any]]:
    """The largest pod that the policy's CEL cost allows: beyond it the policy fails closed."""
    fits, step = 0, 100
    for count in range(step, 1001, step):
        containers = [{"name": f"c{n}", "image": f"registry.example/team/app-{n}:1"} for n in range(count)]
        if cluster.try_pod(pod(containers=containers))[0]:
            break
        fits = count
    return [{"name": "containers of one pod within the CEL cost", "value": fits, "goal": ">=100", "unit": ""}]


def _write(cluster: Cluster, held: Denied) -> None:
    for shard in held.shards.values():
        if shard.dirty:
            manifest = shard.manifest()
            cluster.admin.apply(f"{denied.PATH}/{shard.name}", manifest)
            shard.dirty = False


def _alternated(cluster: Cluster) -> tuple[float, float]:
    """Median milliseconds of a pod's server-side dry run in a namespace that is exempt, which no policy matches, and in
    one that is not, in turn: what else the machine does meanwhile is the same for both."""
    times: dict[str, list[float]] = {EXEMPT: [], TEAM: []}
    for number in range(ATTEMPTS):
        for namespace, found in times.items():
            took, _answer = _timed(functools.partial(cluster.try_pod, pod(), namespace))
            if number >= ATTEMPTS // 10:
                found.append(took)
    return 1000 * statistics.median(times[EXEMPT]), 1000 * statistics.median(times[TEAM])


def _timed(action: t.Callable[[], t.Any]) -> tuple[float, t.Any]:
    started = time.monotonic()
    value = action()
    return time.monotonic() - started, value
