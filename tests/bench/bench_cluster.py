# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scans inside the cluster against the bare commands: one image on each rung, a node full of them, and the load of
many short ones on the API server.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import typing as t

from ansible_collections.scap.images.plugins.module_utils.model import Image, to_json
from ansible_collections.scap.images.plugins.module_utils.scan.accept import accept
from ansible_collections.scap.images.plugins.module_utils.scan.interface import Settings
from ansible_collections.scap.images.plugins.module_utils.scan.kubernetes_setup import CONTROLLER
from ansible_collections.scap.images.plugins.module_utils.scanner.pod import COPY, PULL, RUNGS, USERNS

from tests.data import demo_images, tiny
from tests.support import faults, kube, scanning

from .bench_scan import CONTENT, bare, bare_loop, timed, unpack, variants

Row = t.Dict[str, t.Any]
MANY = 50
LOOP = 6
"""Images of the bare loop; its rate does not depend on their number."""
SHORT = int(os.environ.get("FLEET", "300"))
"""Images without content, whose pods start, say so and end."""
ROUNDS = 3
_TICKS = os.sysconf("SC_CLK_TCK")


def run() -> list[Row]:
    """Seconds of wall time, images an hour, requests and bytes."""
    with tempfile.TemporaryDirectory(prefix="scap-bench-") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        cluster = stack.enter_context(kube.running())
        place = stack.enter_context(scanning.prepared(cluster))
        return [*_single(place, folder), *_many(place, folder), *_short(place, folder)]


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
        running = ended - int(fields[19]) / _TICKS
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
    found = _controlled(place, _settings(folder / "many-evidence"), images)
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
        {"name": f"{what}: API requests an image", "value": found.requests / MANY, "goal": 12, "unit": ""},
    ]


def _short(place: scanning.Scanning, folder: pathlib.Path) -> list[Row]:
    """Whether what an image costs the cluster grows with the number of those before it."""
    images = []
    for number in range(SHORT):
        source = tiny.layout(folder / "tiny", {"etc/os-release": "ID=nobody\n", "etc/number": str(number)})
        images.append(place.pushed(source, f"bench-short-{number}:1"))
        shutil.rmtree(folder / "tiny")
    third = SHORT // 3
    settings = _settings(folder / "short-evidence")
    parts = []
    for start in (0, third, 2 * third):
        before = _database(place)
        found = _controlled(place, settings, images[start : start + third])
        parts.append((found, _database(place) - before))
    what = f"{SHORT} images without content"
    first, last = parts[0], parts[-1]
    rate = third * 3600
    return [
        {
            "name": f"{what}: the last third against the first",
            "value": rate / last[0].seconds,
            "peer": rate / first[0].seconds,
            "goal": ">=0.9",
            "unit": "images an hour",
        },
        {
            "name": f"{what}: API requests an image, the last third against the first",
            "value": last[0].requests / third,
            "peer": first[0].requests / third,
            "goal": 1.1,
            "unit": "",
        },
        {"name": f"{what}: growth of etcd by the last third", "value": last[1] / 1e6, "goal": 5, "unit": "MB"},
    ]


@dataclasses.dataclass(frozen=True)
class _Controlled:
    """What one run of a controller took."""

    seconds: float
    share: float
    """Its processor time, of all that the machine was busy."""
    megabytes: float
    """Its memory at most."""
    requests: int


def _controlled(place: scanning.Scanning, settings: Settings, images: t.Sequence[Image]) -> _Controlled:
    given = {
        **place.cluster.access(CONTROLLER, place.namespace),
        "namespace": place.namespace,
        "scanner": place.scanner,
        "images": [to_json(image) for image in images],
        "settings": dataclasses.asdict(settings),
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as stream:
        json.dump(given, stream)
        stream.flush()
        before, busy, started = _requests(place), _busy(), time.monotonic()
        pid = os.posix_spawn(
            sys.executable, [sys.executable, "-m", "tests.support.controller", stream.name], dict(os.environ)
        )
        _pid, status, usage = os.wait4(pid, 0)
        seconds, busy = time.monotonic() - started, _busy() - busy
    stored = len(list(pathlib.Path(settings.evidence).glob("[0-9a-f]*/*/evidence.json")))
    if status != 0 or stored < len(images):
        raise AssertionError(f"the controller ended with {status}, {stored} of {len(images)} images")
    share = (usage.ru_utime + usage.ru_stime) / busy
    return _Controlled(seconds, share, usage.ru_maxrss / 1000, _requests(place) - before)


def _requests(place: scanning.Scanning) -> int:
    """That the controller's account has made."""
    user = f"system:serviceaccount:{place.namespace}:{CONTROLLER}"
    log = (place.cluster.place.logs / "audit.log").read_text(errors="replace")
    return sum(user in line and '"stage":"RequestReceived"' in line for line in log.splitlines())


def _busy() -> float:
    """Seconds that the processors of this machine have worked."""
    user, nice, system, _idle, _wait, interrupts, soft = map(
        int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    )
    return (user + nice + system + interrupts + soft) / _TICKS


def _database(place: scanning.Scanning) -> int:
    """Bytes of etcd's database that are in use."""
    text = place.cluster.admin.request("GET", "/metrics").data.decode()
    sizes = [line.split()[-1] for line in text.splitlines() if line.startswith("apiserver_storage_size_bytes")]
    return int(float(sizes[0]))
