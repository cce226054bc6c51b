# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scans inside the cluster against the bare commands: one image on each rung, and a node full of them."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import typing as t

from ansible_collections.scap.images.plugins.module_utils.model import Image
from ansible_collections.scap.images.plugins.module_utils.scan.accept import accept
from ansible_collections.scap.images.plugins.module_utils.scan.interface import Settings
from ansible_collections.scap.images.plugins.module_utils.scanner.pod import COPY, PULL, RUNGS, USERNS

from tests.data import demo_images
from tests.support import faults, kube, scanning

from .bench_scan import CONTENT, bare, bare_loop, timed, unpack, variants
from .controlled import TICKS, controlled, requests

Row = t.Dict[str, t.Any]
MANY = 50
LOOP = 6
"""Images of the bare loop; its rate does not depend on their number."""
ROUNDS = 3


def run() -> list[Row]:
    """Seconds of wall time, images an hour, requests and bytes."""
    with tempfile.TemporaryDirectory(prefix="scap-bench-") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        cluster = stack.enter_context(kube.running())
        place = stack.enter_context(scanning.prepared(cluster))
        return [*_single(place, folder), *_many(place, folder)]


def _settings(folder: pathlib.Path, **more: t.Any) -> Settings:
    folder.mkdir()
    return Settings(dir=str(folder), datastream=CONTENT, profile="standard", sample=0.0, **more)


def _single(place: scanning.Scanning, folder: pathlib.Path) -> list[Row]:
    """Every round, the bare commands and each rung in turn; the best of each."""
    image = place.pushed(f"oci:{demo_images.layout()}:legacy", "bench-legacy:1")
    plain = image.reference.replace(place.cluster.place.pod_registry, place.cluster.registry, 1)
    settings = _settings(folder / "single", reuse=False)
    place.scan([image], settings)  # the content is there and known to be valid, the node has the image
    seconds: dict[str, list[float]] = {name: [] for name in ("bare", "copy", "root", *RUNGS)}
    for _round in range(ROUNDS):
        seconds["bare"].append(timed(lambda: bare(plain, folder / "bare")))
        unpack(plain, folder / "bare")
        os.sync()
        seconds["copy"].append(timed(lambda: _copy(folder / "bare")))
        shutil.rmtree(folder / "bare")
        for rung in RUNGS:
            running, oscap, root = _one(place, image, settings, rung)
            seconds[rung].append(running if rung == PULL else running - oscap - (root if rung == COPY else 0.0))
            seconds["root"] += [root] if rung == COPY else []
    best = {name: min(times) for name, times in seconds.items()}
    what = "one image in the cluster, from its pod's start to the evidence"
    return [
        {"name": f"{what}, without oscap, {USERNS}", "value": best[USERNS], "goal": 0.8, "unit": "s"},
        {
            "name": f"{what}, without oscap and the copy of its root, {COPY}",
            "value": best[COPY],
            "goal": 0.8,
            "unit": "s",
        },
        {"name": "the copy of its root in the pod (cp -a)", "value": best["root"], "peer": best["copy"], "unit": "s"},
        {"name": f"{what}, {PULL}", "value": best[PULL], "peer": best["bare"], "goal": 1.25, "unit": "s"},
    ]


def _copy(folder: pathlib.Path) -> None:
    subprocess.run(["cp", "-a", f"{folder}/root", f"{folder}/copy"], check=True)


def _one(place: scanning.Scanning, image: Image, settings: Settings, rung: str) -> tuple[float, float, float]:
    """Seconds from the start of the pod's program to the evidence, those of oscap, and those that made its root."""
    executor = place.executor([rung])
    pods = place.cluster.place.data / "kubelet" / "pods"
    kube.until(lambda: not list(pods.glob("*/volumes/kubernetes.io~empty-dir/work")), "what ran before is removed")
    os.sync()
    for outcome in executor.scan([image], settings):
        evidence, path = accept(outcome, settings, executor.name)
        ended = time.clock_gettime(time.CLOCK_BOOTTIME)
        if evidence.error is not None or evidence.scan.rung != rung:
            raise AssertionError(evidence)
        fields = pathlib.Path(f"/proc/{faults.scanner(image.digest)}/stat").read_text().rpartition(")")[2].split()
        running = ended - int(fields[19]) / TICKS
        steps = _steps(place, path)
    return running, steps["evaluated xccdf"] - steps["probed"], steps.get("made the root", 0.0)


def _steps(place: scanning.Scanning, evidence: str) -> dict[str, float]:
    """What the scanner says of its steps in the log of the pod that holds the evidence: seconds from the scan's start,
    for the root those that it took."""
    pod = json.loads((pathlib.Path(evidence) / "cluster.json").read_text())["pod"]
    log = place.cluster.admin.request("GET", f"{place.pods}/{pod}/log").data.decode()
    steps = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return {str(step.get("step")).partition(":")[0]: float(step["seconds"]) for step in steps if "step" in step}


def _many(place: scanning.Scanning, folder: pathlib.Path) -> list[Row]:
    """A node full of images that share a base, by a controller of its own process; the bare loop before it."""
    references = variants(folder, MANY)
    images = [place.pushed(reference, f"bench-many-{number}:1") for number, reference in enumerate(references)]
    plain = [it.reference.replace(place.cluster.place.pod_registry, place.cluster.registry, 1) for it in images[:LOOP]]
    loop = timed(lambda: bare_loop(plain, folder / "bare")) / LOOP
    before = len(requests(place))
    found = controlled(place, _settings(folder / "many-evidence"), images)
    what = f"{MANY} images of one base on a node"
    return [
        {
            "name": f"{what}, {USERNS}",
            "value": 3600 * MANY / found.seconds,
            "peer": 3600 / loop,
            "goal": ">=8",
            "unit": "images an hour",
        },
        {"name": f"{what}: controller's share of the processor", "value": found.share, "goal": 0.05, "unit": ""},
        {"name": f"{what}: controller's memory", "value": found.megabytes, "goal": 150, "unit": "MB"},
        {"name": f"{what}: API requests an image", "value": (len(requests(place)) - before) / MANY, "goal": 12}
        | {"unit": ""},
    ]
