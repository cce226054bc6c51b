# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thousands of scans whose pods only wait, on a hollow node: whether what an image costs grows with those before it."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import tempfile
import time
import typing as t
import urllib.request

from ansible_collections.scap.images.plugins.module_utils.model import Image
from ansible_collections.scap.images.plugins.module_utils.scan.interface import Settings

from tests.cluster.node.processes import Ledger
from tests.support import hollow_node, kube, scanning

from .controlled import TICKS, Controlled, controlled, requests, stored

Row = t.Dict[str, t.Any]
IMAGES = int(os.environ.get("FLEET", "5000"))
WINDOW = 32
WAIT = 1.0
"""Seconds that each pod takes for its scan."""


@dataclasses.dataclass(frozen=True)
class _Sample:
    """How things stand at one time."""

    time: float
    """Seconds since the epoch."""
    stored: int
    """Images."""
    apiserver: float
    """Its processor seconds."""
    jobs: int
    pods: int


def run() -> list[Row]:
    """Images an hour, requests, processor seconds, objects, megabytes."""
    with tempfile.TemporaryDirectory(prefix="scap-bench-") as name, contextlib.ExitStack() as stack:
        cluster = stack.enter_context(kube.running())
        place = stack.enter_context(scanning.prepared(cluster))
        stack.enter_context(hollow_node.running(cluster, WAIT))
        settings = Settings(dir=name, profile="none", parallelism=WINDOW, sample=0.0)
        samples: list[_Sample] = []
        before = _kept(cluster)
        found = controlled(
            place,
            settings,
            [_image(number) for number in range(IMAGES)],
            options={**hollow_node.PODS, "canaries": False},
            sample=lambda: samples.append(_sample(cluster, settings)),
        )
        return _rows(found, samples, requests(place), _kept(cluster) - before)


def _image(number: int) -> Image:
    digest = f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}"
    return Image(f"docker://registry.example.org/team/app-{number}@{digest}", digest, "linux/amd64")


def _sample(cluster: kube.Cluster, settings: Settings) -> _Sample:
    counts = {kind: _count(cluster, f"/registry/{kind}/") for kind in ("jobs", "pods")}
    return _Sample(time.time(), stored(settings), _apiserver(cluster), **counts)


def _rows(found: Controlled, samples: list[_Sample], asked: list[str], left: int) -> list[Row]:
    what = f"{IMAGES} images whose pods wait {WAIT:g} s, {WINDOW} at a time"
    started = next(sample for sample in samples if sample.stored)
    thirds = [_reached(samples, IMAGES * part // 3) for part in (1, 2, 3)]
    spans = [(started, thirds[0]), (thirds[1], thirds[2])]
    images = [end.stored - start.stored for start, end in spans]
    rates = [3600 * number / (end.time - start.time) for number, (start, end) in zip(images, spans)]
    told = [sum(_stamp(start) <= at < _stamp(end) for at in asked) for start, end in spans]
    load = [end.apiserver - start.apiserver for start, end in spans]
    first, last = ([one[place] / images[place] for one in (told, load)] for place in (0, 1))
    compared = f"{what}, the last third against the first"
    return [
        {"name": compared, "value": rates[1], "peer": rates[0], "goal": ">=0.9", "unit": "images an hour"},
        {"name": f"{compared}: API requests an image", "value": last[0], "peer": first[0], "goal": 1.1, "unit": ""},
        {
            "name": f"{compared}: API server's time an image",
            "value": last[1],
            "peer": first[1],
            "goal": 1.1,
            "unit": "s",
        },
        {"name": f"{what}: Jobs at most", "value": max(one.jobs for one in samples), "goal": 2 * WINDOW, "unit": ""},
        {"name": f"{what}: pods at most", "value": max(one.pods for one in samples), "goal": 2 * WINDOW, "unit": ""},
        {"name": f"{what}: objects left in etcd, events apart", "value": left, "goal": 2 * WINDOW, "unit": ""},
        {"name": f"{what}: controller's memory", "value": found.megabytes, "goal": 150, "unit": "MB"},
        {"name": f"{what}: controller's share of the processor", "value": found.share, "unit": ""},
    ]


def _reached(samples: list[_Sample], number: int) -> _Sample:
    return next(sample for sample in samples if sample.stored >= number)


def _stamp(sample: _Sample) -> str:
    """As the audit log writes times."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(sample.time)) + f"{sample.time % 1:.6f}Z"[1:]


def _apiserver(cluster: kube.Cluster) -> float:
    """Processor seconds of kube-apiserver."""
    ledger = Ledger(cluster.place.folder / "processes.json")
    pid = next(process.pid for process in ledger.read() if process.name == "apiserver")
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _kept(cluster: kube.Cluster) -> int:
    """Objects in etcd, without events, which it forgets after an hour."""
    return _count(cluster, "/registry/") - _count(cluster, "/registry/events/")


def _count(cluster: kube.Cluster, prefix: str) -> int:
    key, end = (base64.b64encode(text.encode()).decode() for text in (prefix, prefix[:-1] + "0"))
    body = json.dumps({"key": key, "range_end": end, "count_only": True}).encode()
    url = f"http://127.0.0.1:{cluster.place.ports['etcd']}/v3/kv/range"
    with urllib.request.urlopen(urllib.request.Request(url, body)) as answer:
        return int(json.load(answer).get("count", 0))
