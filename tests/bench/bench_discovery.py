# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What discovery costs: 20,000 pods and 10,000 OpenShift Images on API servers, 1,000 tags of a real registry, a play
with 10,000 images."""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t

from ansible_collections.scap.images.plugins.module_utils.discovery.workloads import KINDS
from ansible_collections.scap.images.plugins.module_utils.kube.client import connect

from tests.support import apiserver, kube
from tests.support import registry as registries
from tests.support.distribution import Repository

from . import discovery_fleet as fleet

ROOT = pathlib.Path(__file__).resolve().parents[2]
PODS, DISTINCT = 20_000, 4_000
TAGS, INSPECTED = 1_000, 20
IMAGES, STREAMS = 10_000, 2_000
ROUNDS = 3

Row = t.Dict[str, t.Any]


def run() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="scap-bench-") as name:
        folder = pathlib.Path(name)
        return [*_pods(folder), *_openshift(folder), *_tags(folder), *_play(folder)]


def _pods(folder: pathlib.Path) -> list[Row]:
    program = apiserver.binary()
    if program is None:
        print("bench_discovery: no kube-apiserver (make cluster builds one)", file=sys.stderr)
        return []
    server = folder / "server"
    server.mkdir()
    with apiserver.running(program, server) as auth:
        fleet.make_pods(connect(auth), PODS, DISTINCT)
        what = f"{PODS} pods, {DISTINCT} images"
        source = {"type": "workloads", "kinds": ["Pod"]}
        rows = _lists(folder / "pods", auth, source, ["/api/v1/pods"], what, DISTINCT)
        every = _lists(
            folder / "kinds", auth, {"type": "workloads"}, ["/api/v1/pods"], "every kind of workload", DISTINCT
        )
    return [*rows, *(row for row in every if "nothing changed" in row["name"])]


def _openshift(folder: pathlib.Path) -> list[Row]:
    """On the aggregated image API of the one-node cluster."""
    if kube.possible():
        print(f"bench_discovery: {kube.possible()}", file=sys.stderr)
        return []
    with kube.running() as cluster:
        fleet.make_images(cluster.admin, IMAGES, STREAMS)
        try:
            paths = [f"{fleet.IMAGE_GROUP}/imagestreams", f"{fleet.IMAGE_GROUP}/images"]
            what = f"{IMAGES} OpenShift Images, {STREAMS} streams"
            auth = {"kubeconfig": cluster.kubeconfig}
            return _lists(folder / "images", auth, {"type": "openshift"}, paths, what, IMAGES)
        finally:
            fleet.remove_images(cluster.admin)


def _lists(folder: pathlib.Path, auth: t.Any, source: t.Any, paths: list[str], what: str, images: int) -> list[Row]:
    """One source, in full and again with nothing changed, beside a raw GET of the same pages as JSON, thrown away."""
    raw, full = [], []
    options = {"sources": [source], "resolve": "none"}
    for number in range(ROUNDS):
        raw.append(_child({"auth": auth, "raw": paths}))
        place = str(folder / f"dir{number}")
        full.append(_child({"auth": auth, "options": {**options, "dir": place, "dest": f"{place}/due.jsonl"}}))
    place = str(folder / "dir0")
    again = [
        _child({"auth": auth, "options": {**options, "dir": place, "dest": f"{place}/due.jsonl"}})
        for _number in range(ROUNDS)
    ]
    told = again[0]["summary"]["sources"][0]
    assert full[0]["summary"]["images"] == again[0]["summary"]["images"] == images
    assert told["mode"] == "incremental"
    lists = len(paths) if source["type"] == "openshift" else len(source.get("kinds", KINDS))
    return [
        {"name": f"{what}: loading the client", "value": _median(full, "load"), "unit": "s"},
        {"name": f"{what} (raw paged GET as JSON)", "value": _median(full, "seconds"), "peer": _median(raw, "seconds")}
        | {"goal": 1.2, "unit": "s"},
        {"name": f"{what}, processor (raw paged GET)", "value": _median(full, "cpu"), "peer": _median(raw, "cpu")}
        | {"unit": "s"},
        {"name": f"{what}, peak memory", "value": max(one["memory"] for one in full), "goal": 120, "unit": "MB"},
        {"name": f"{what}, nothing changed", "value": _median(again, "seconds"), "goal": 1.0, "unit": "s"},
        {"name": f"{what}, nothing changed, requests a list", "value": told["requests"] / lists, "goal": 3, "unit": ""},
    ]


def _tags(folder: pathlib.Path) -> list[Row]:
    with registries.running(folder / "registry") as registry:
        repository = Repository(registry.address, "bench/tags")
        repository.image("first")
        for number in range(TAGS):
            repository.image(f"t{number}", version=str(number))
        names = [f"{registry.address}/bench/tags:t{number}" for number in range(TAGS)]
        options = {"sources": [{"type": "list", "images": names}], "insecure_registries": [registry.address]}
        found = _child({"auth": {}, "options": options})
        assert found["summary"]["images"] == TAGS
        started = time.monotonic()
        for name in names[:INSPECTED]:
            argv = ["skopeo", "inspect", "--tls-verify=false", f"docker://{name}"]
            subprocess.run(argv, check=True, capture_output=True)
        peer = INSPECTED / (time.monotonic() - started)
    return [
        {"name": f"{TAGS} tags resolved (skopeo inspect)", "value": TAGS / found["seconds"], "peer": peer}
        | {"goal": ">=10", "unit": "/s"}
    ]


def _play(folder: pathlib.Path) -> list[Row]:
    """From the moment at which the images stand in `dest` to the moment at which the next step has started."""
    dest = folder / "play" / "due.jsonl"
    variables = {"root": str(folder / "store"), "dest": str(dest), "ansible_python_interpreter": sys.executable}
    entries = [
        {"id": f"{number:064x}", "digest": fleet.digest(number), "names": [f"{fleet.repository(number)}:1"]}
        for number in range(IMAGES)
    ]
    index = folder / "store" / "overlay-images" / "images.json"
    index.parent.mkdir(parents=True)
    index.write_text(json.dumps(entries))
    (folder / "vars.json").write_text(json.dumps(variables))
    tasks = [
        {"scap.images.image_discover": {"sources": [{"type": "store", "root": "{{ root }}"}], "dest": "{{ dest }}"}},
        {"ansible.builtin.command": "date +%s.%N", "register": "now"},
        {"ansible.builtin.copy": {"content": "{{ now.stdout }}", "dest": "{{ dest }}.next", "mode": "0600"}},
    ]
    play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]
    (folder / "play.json").write_text(json.dumps(play))
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "dev"), "ANSIBLE_HOME": str(folder)}
    argv = [
        str(pathlib.Path(sys.executable).parent / "ansible-playbook"),
        "-i",
        "localhost,",
        "-e",
        f"@{folder}/vars.json",
    ]
    subprocess.run([*argv, str(folder / "play.json")], check=True, capture_output=True, env=environment)
    value = float(pathlib.Path(f"{dest}.next").read_text()) - dest.stat().st_mtime
    return [{"name": f"a play passes {IMAGES} images on", "value": value, "goal": 2.0, "unit": "s"}]


def _child(orders: t.Any) -> t.Any:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'build' / 'dev'}{os.pathsep}{ROOT}"}
    argv = [sys.executable, "-m", "tests.bench.discovery_child"]
    done = subprocess.run(argv, input=json.dumps(orders).encode(), stdout=subprocess.PIPE, check=True, env=environment)
    return json.loads(done.stdout)


def _median(answers: list[t.Any], name: str) -> float:
    return statistics.median(float(answer[name]) for answer in answers)
