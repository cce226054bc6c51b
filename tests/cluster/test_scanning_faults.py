# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong while images are scanned in the cluster: each fault with the real component, and what becomes of the
scans.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import time
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.kube.client import connect
from ansible_collections.scap.images.plugins.module_utils.model import Image, ScapError
from ansible_collections.scap.images.plugins.module_utils.scan.engine import Scanned
from ansible_collections.scap.images.plugins.module_utils.scan.interface import Settings
from ansible_collections.scap.images.plugins.module_utils.scan.kubernetes_job import IMAGE_ANNOTATION
from ansible_collections.scap.images.plugins.module_utils.scan.kubernetes_setup import CONTROLLER
from ansible_collections.scap.images.plugins.module_utils.scanner.pod import COPY, PULL, USERNS

from tests.data import tiny
from tests.support import faults, kube, misbehaving, scanning

pytestmark = pytest.mark.usefixtures("without_canaries")

NODE = "/api/v1/nodes/node1"


@pytest.fixture
def image(place: scanning.Scanning, tmp_path: pathlib.Path) -> Image:
    """An image that no other test has."""
    return _images(place, tmp_path, 1)[0]


def _images(place: scanning.Scanning, folder: pathlib.Path, count: int) -> list[Image]:
    made = []
    for number in range(count):
        source = tiny.layout(folder / f"image-{number}", {"etc/own": f"{folder.name} {number}"})
        made.append(place.pushed(source, f"{folder.name.replace('_', '-')}-{number}:1"))
    return made


@contextlib.contextmanager
def _scanned(
    place: scanning.Scanning, images: t.Sequence[Image], settings: Settings, *rungs: str, **pods: t.Any
) -> t.Iterator[concurrent.futures.Future[list[Scanned]]]:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        yield pool.submit(place.scan, images, settings, rungs, **pods)


def _whole(found: t.Sequence[Scanned]) -> None:
    assert [entry.evidence.error for entry in found] == [None] * len(found)


def _origin(found: Scanned) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads((pathlib.Path(found.path) / "cluster.json").read_text()))


def _pod(place: scanning.Scanning, image: Image) -> dict[str, t.Any]:
    (pod,) = kube.until(lambda: _of_images(place, place.pods, image), "the pod is there")
    return t.cast("dict[str, t.Any]", pod)


def _of_images(place: scanning.Scanning, path: str, *images: Image) -> list[dict[str, t.Any]]:
    """The objects there that are made for one of the images, and not for a canary."""
    wanted = [image.reference for image in images]
    items = place.cluster.admin.get(path)["items"]
    return [item for item in items if item["metadata"]["annotations"][IMAGE_ANNOTATION] in wanted]


def _started(place: scanning.Scanning) -> int:
    """How many pods have been started for images; those of canaries are on another rung."""
    names = faults.asked(place.cluster, place.namespace, "create", "pods", "binding")
    return sum(name.split("-")[2] == "1" for name in names)


def _nothing_left(place: scanning.Scanning) -> None:
    kube.until(lambda: not place.cluster.admin.get(place.jobs)["items"], "no Job is left")
    kube.until(lambda: not place.cluster.admin.get(place.pods)["items"], "no pod is left")


@pytest.mark.parametrize("moment", ["a Job is made", "a pod runs", "evidence is stored"])
def test_the_controller_is_killed_and_started_again(
    place: scanning.Scanning, settings: Settings, tmp_path: pathlib.Path, moment: str
) -> None:
    images = _images(place, tmp_path, 3)
    evidence = pathlib.Path(settings.evidence)
    path = tmp_path / "given.json"
    path.write_text(place.orders(images, settings))
    before = _started(place)
    environment = {**os.environ, "PYTHONPATH": f"{kube.ROOT / 'build' / 'dev'}:{kube.ROOT}"}
    controller = subprocess.Popen([sys.executable, "-m", "tests.support.controller", str(path)], env=environment)
    happened: dict[str, t.Callable[[], t.Any]] = {
        "a Job is made": lambda: _of_images(place, place.jobs, *images),
        "a pod runs": lambda: any(
            pod["status"]["phase"] == "Running" for pod in _of_images(place, place.pods, *images)
        ),
        "evidence is stored": lambda: list(evidence.glob("[0-9a-f]*/*/evidence.json")),
    }
    try:
        kube.until(happened[moment], moment)
    finally:
        controller.kill()
        controller.wait()
    found = place.scan(images, settings)
    _whole(found)
    assert {entry.evidence.digest for entry in found} == {image.digest for image in images}
    assert _started(place) - before == len(images)
    _nothing_left(place)


def test_a_node_is_drained(place: scanning.Scanning, settings: Settings, image: Image) -> None:
    with _scanned(place, [image], settings) as scan:
        with faults.halted(image.digest):
            name = _pod(place, image)["metadata"]["name"]
            place.cluster.admin.patch(NODE, {"spec": {"unschedulable": True}})
            try:
                body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
                place.cluster.admin.create(f"{place.pods}/{name}/eviction", body)
                kube.until(lambda: _waits_for_a_node(place, name), "the next pod finds no node")
            finally:
                place.cluster.admin.patch(NODE, {"spec": {"unschedulable": None}})
        found = scan.result()
    _whole(found)
    assert _origin(found[0])["pod"] != name


def _waits_for_a_node(place: scanning.Scanning, name: str) -> bool:
    pods = place.cluster.admin.get(place.pods)["items"]
    return any(
        condition.get("reason") == "Unschedulable"
        for pod in pods
        if pod["metadata"]["name"] != name
        for condition in pod["status"].get("conditions") or []
    )


def test_limits_grow_once(place: scanning.Scanning, settings: Settings, image: Image) -> None:
    (found,) = place.scan([image], settings, memory=96 << 20)
    assert found.evidence.error is None, found.evidence.error
    again = dataclasses.replace(settings, reuse=False)
    (found,) = place.scan([image], again, memory=12 << 20)
    assert found.evidence.error is not None
    assert found.evidence.error.code == "out_of_memory", found.evidence.error
    assert str(24 << 20) in found.evidence.error.message


def test_a_disk_fills(place: scanning.Scanning, settings: Settings, image: Image) -> None:
    """The kubelet evicts the pod at its limit of ephemeral storage; the next one may take more."""
    with _scanned(place, [image], settings, USERNS, storage=64 << 20) as scan:
        evicted = _filled(place, image)
        found = scan.result()
    _whole(found)
    assert _origin(found[0])["pod"].rpartition("-")[0] != evicted
    _nothing_left(place)


def test_a_disk_fills_twice(place: scanning.Scanning, settings: Settings, image: Image) -> None:
    with _scanned(place, [image], settings, USERNS, storage=64 << 20) as scan:
        assert _filled(place, image) != _filled(place, image)
        (found,) = scan.result()
    assert found.evidence.error is not None
    assert found.evidence.error.code == "disk_full", found.evidence.error
    assert "ephemeral storage" in found.evidence.error.message
    _nothing_left(place)


def _filled(place: scanning.Scanning, image: Image) -> str:
    """Fill the disk of the image's pod until the kubelet evicts it; the name of the Job that is gone then."""
    with faults.halted(image.digest):
        pod = _pod(place, image)
        job = str(pod["metadata"]["labels"]["batch.kubernetes.io/job-name"])
        volumes = place.cluster.place.data / "kubelet" / "pods" / pod["metadata"]["uid"] / "volumes"
        limit = int(pod["spec"]["containers"][0]["resources"]["limits"]["ephemeral-storage"])
        (volumes / "kubernetes.io~empty-dir" / "work" / "filler").write_bytes(bytes(limit + (16 << 20)))
        kube.until(lambda: not place.cluster.exists(f"{place.jobs}/{job}"), "the kubelet evicts the pod")
    return job


def test_components_go_away_and_come_back(place: scanning.Scanning, settings: Settings, tmp_path: pathlib.Path) -> None:
    images = _images(place, tmp_path, 3)
    for name, image in zip(("apiserver", "kubelet", "etcd"), images):
        with _scanned(place, [image], settings) as scan:
            with faults.halted(image.digest):
                if name == "etcd":
                    with faults.stopped(place.cluster, name):
                        time.sleep(30)  # the fault itself
                else:
                    faults.restart(place.cluster, name)
            _whole(scan.result())
    assert place.cluster.admin.get(NODE)["metadata"]["name"] == "node1"
    _nothing_left(place)


def test_the_stream_breaks_off_in_the_middle(place: scanning.Scanning, settings: Settings, image: Image) -> None:
    cutter = faults.Cutter(("127.0.0.1", place.cluster.place.ports["apiserver"]), 60_000, 2)
    try:
        access = {**place.cluster.access(CONTROLLER, place.namespace), "host": f"https://127.0.0.1:{cutter.port}"}
        behind = dataclasses.replace(place, client=connect(access))
        before = _started(place)
        found = behind.scan([image], settings)
        behind.client.close()
    finally:
        cutter.close()
    _whole(found)
    assert cutter.cut > 0
    assert _started(place) == before + 1


@pytest.mark.parametrize(("answer", "code"), [(500, "registry_down"), (429, "registry_busy"), (0, "registry_down")])
def test_a_registry_that_does_not_serve(place: scanning.Scanning, settings: Settings, answer: int, code: str) -> None:
    digest = f"sha256:{answer + 1:064x}"
    hurried = dataclasses.replace(settings, timeout=20.0)
    address = place.cluster.place.address
    with misbehaving.serving(lambda _asked: misbehaving.Say(answer), address, silent=not answer) as server:
        image = Image(reference=f"docker://{server.address}/any@{digest}", digest=digest, platform="linux/amd64")
        (found,) = place.scan([image], hurried, [COPY, PULL] if answer else [PULL])
    assert found.evidence.error is not None
    assert found.evidence.error.code in (code, "time_limit"), found.evidence.error
    assert server.asked or not answer
    _nothing_left(place)


def test_no_scanner_image(place: scanning.Scanning, settings: Settings, image: Image) -> None:
    missing = dataclasses.replace(place, scanner=f"{place.cluster.registry}/no-such-scanner:1")
    (found,) = missing.scan([image], settings)
    assert found.evidence.error is not None
    assert found.evidence.error.code == "scanner_image"


def test_a_quota_is_respected(place: scanning.Scanning, settings: Settings, tmp_path: pathlib.Path) -> None:
    images = _images(place, tmp_path, 5)
    with _quota(place, {"pods": "2"}):
        _whole(place.scan(images, settings))
    with _quota(place, {"count/jobs.batch": "1"}):
        _whole(place.scan(images, dataclasses.replace(settings, reuse=False)))


@pytest.mark.parametrize("resource", ["pods", "count/jobs.batch"])
def test_a_quota_of_nothing_says_so(place: scanning.Scanning, settings: Settings, image: Image, resource: str) -> None:
    with _quota(place, {resource: "0"}):
        (found,) = place.scan([image], settings)
    assert found.evidence.error is not None
    assert found.evidence.error.code == "quota_exceeded", found.evidence.error
    assert "raise the quota" in found.evidence.error.message
    _nothing_left(place)


@contextlib.contextmanager
def _quota(place: scanning.Scanning, hard: t.Mapping[str, str]) -> t.Iterator[None]:
    path = f"/api/v1/namespaces/{place.namespace}/resourcequotas"
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "tests"}, "spec": {"hard": dict(hard)}}
    _nothing_left(place)
    place.cluster.admin.create(path, body)
    kube.until(lambda: place.cluster.admin.get(f"{path}/tests").get("status", {}).get("used"), "the quota counts")
    try:
        yield
    finally:
        place.cluster.admin.delete(f"{path}/tests")


def test_an_expired_token_and_a_wrong_one(place: scanning.Scanning, settings: Settings, image: Image) -> None:
    access = {**place.cluster.access(CONTROLLER, place.namespace), "api_key": "expired"}
    stranger = dataclasses.replace(place, client=connect(access))
    with pytest.raises(ScapError) as refused:
        stranger.scan([image], settings)
    assert refused.value.code == "kube_unauthorized"
    assert "log in again" in refused.value.message
