# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images scanned inside the cluster, with real pods, on every rung."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import gzip
import json
import lzma
import pathlib
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError
from ansible_collections.scap.images.plugins.module_utils.model import Image, ScapError
from ansible_collections.scap.images.plugins.module_utils.scan import (
    canary_content,
    canary_images,
    kubernetes_compiled,
)
from ansible_collections.scap.images.plugins.module_utils.scan.engine import scan
from ansible_collections.scap.images.plugins.module_utils.scan.interface import Settings
from ansible_collections.scap.images.plugins.module_utils.scan.kubernetes_job import IMAGE_ANNOTATION
from ansible_collections.scap.images.plugins.module_utils.scanner.pod import COPY, PULL, RUNGS, USERNS

from tests.data import tiny
from tests.support import kube, scanning, shared_data


@pytest.mark.parametrize("rung", RUNGS)
def test_each_rung_sees_all_of_an_image(
    place: scanning.Scanning, settings: Settings, tmp_path: pathlib.Path, rung: str
) -> None:
    """The canary image that must fail, whose setgid file has another group, with its own rules."""
    canary_images.write_archive(str(tmp_path / "images.tar"), "linux/amd64")
    image = place.pushed(f"oci-archive:{tmp_path}/images.tar:{canary_images.FAIL}", "canary:1")
    (tmp_path / "canary.xml").write_text(canary_content.stream())
    settings = dataclasses.replace(
        settings, datastream=str(tmp_path / "canary.xml"), profile=canary_content.PROFILE, reuse=False
    )
    (found,) = place.scan([image], settings, [rung])
    assert (found.evidence.error, found.evidence.scan.rung) == (None, rung)
    results = {rule["id"].rpartition("_rule_")[2]: rule["result"] for rule in _rules(found.path)}
    assert results == canary_content.RULES


@pytest.mark.parametrize("rung", RUNGS)
def test_each_rung_gives_the_same_answer(
    place: scanning.Scanning, settings: Settings, tmp_path: pathlib.Path, rung: str
) -> None:
    source = tiny.layout(tmp_path / "tiny", devices=["dev/zero", "dev/random"])
    image = place.pushed(source, f"tiny-{rung.replace('_', '-')}:1")
    (found,) = place.scan([image], settings, [rung])
    evidence = found.evidence
    assert evidence.error is None, evidence.error
    assert (evidence.scan.executor, evidence.scan.rung, evidence.digest) == ("kubernetes", rung, image.digest)
    assert [check for check in evidence.coverage if not check.passed] == []
    assert evidence.packages == 2
    with gzip.open(pathlib.Path(found.path) / "results.json.gz") as stream:
        results = json.load(stream)
    failed = {rule["id"] for rule in results["rules"] if rule["result"] == "fail"}
    assert any("telnetd" in rule for rule in failed), failed
    assert kube.until(lambda: place.cluster.admin.get(place.jobs)["items"] == [], "no Job is left")


def test_many_at_a_time_scanned_once(place: scanning.Scanning, settings: Settings, tmp_path: pathlib.Path) -> None:
    images = []
    for number in range(8):
        source = tiny.layout(tmp_path / f"many-{number}", {"etc/number": str(number)})
        images.append(place.pushed(source, f"many-{number}:1"))
    before = place.client.requests
    first = place.scan(images, settings)
    assert [found.evidence.error for found in first] == [None] * 8
    assert {found.evidence.digest for found in first} == {image.digest for image in images}
    assert {found.evidence.scan.rung for found in first} == {USERNS}
    assert (place.client.requests - before) / 8 <= 12
    second = place.scan(images, settings)
    assert [found.reused for found in second] == [True] * 8
    assert place.executor().check(images, settings) == []


def test_content_that_was_found_valid_is_compiled_once_for_all_pods(
    place: scanning.Scanning, settings: Settings, tmp_path: pathlib.Path
) -> None:
    """The first pod compiles it; later ones get what the controller compiled, a fraction, and give the same answers."""
    settings = dataclasses.replace(settings, compile=True, sample=0.0)
    images = [
        place.pushed(tiny.layout(tmp_path / f"c{n}", {"etc/compiled": str(n)}), f"compiled-{n}:1") for n in range(3)
    ]
    sent: dict[str, list[str]] = {name: [] for name in ("first", "then", "sampled")}
    found = {}
    pathlib.Path(settings.cache).mkdir()
    for name, image, share in zip(sent, images, (0.0, 0.0, 1.0)):
        run = dataclasses.replace(settings, sample=share)
        sent[name] = sorted(_content(image, run))
        (found[name],) = place.scan([image], run)
    assert [entry.evidence.error for entry in found.values()] == [None] * 3
    for entry in found.values():
        assert [check for check in entry.evidence.coverage if not check.passed] == []
    assert sent == {
        "first": ["datastream.xml"],
        "then": ["compiled.json", "compiled.xml"],
        "sampled": ["datastream.xml"],
    }
    ids = [[it.id for it in entry.evidence.content] for entry in found.values()]
    assert ids == [[pathlib.Path(settings.datastream).name]] * 3
    contents = [[(it.sha256, it.compiled_sha256) for it in entry.evidence.content] for entry in found.values()]
    assert contents[0] == contents[1] == contents[2]
    assert contents[0][0][1]
    first, then, sampled = (_rules(entry.path) for entry in found.values())
    assert first == then == sampled
    assert any(rule["description"] and rule["fix"] for rule in first)
    assert "both_ways" in [check.check for check in found["sampled"].evidence.coverage]
    assert "texts.json.gz" not in [file.name for file in found["then"].evidence.files]


def test_each_image_gets_the_feeds_of_its_system(
    place: scanning.Scanning, settings: Settings, tmp_path: pathlib.Path
) -> None:
    """Of a fleet's feeds, by the names that they have here."""
    feed = lzma.decompress(shared_data.path("oval", "com.redhat.rhsa-RHEL8.xml.xz").read_bytes())
    (tmp_path / "rhel-8.xml").write_bytes(feed)
    (tmp_path / "rhel-9.xml").write_bytes(feed.replace(b"Linux 8</platform>", b"Linux 9</platform>"))
    feeds = [str(tmp_path / name) for name in ("rhel-9.xml", "rhel-8.xml")]
    image = place.pushed(f"oci-archive:{shared_data.path('images', 'rhel8-ubi8.0-bdb.oci.tar')}", "feeds:1")
    (found,) = place.scan([image], dataclasses.replace(settings, profile="none", datastream="auto", oval=feeds))
    evidence = found.evidence
    assert evidence.error is None
    assert [check for check in evidence.coverage if not check.passed] == []
    assert [content.id for content in evidence.content] == ["rhel-8.xml"]
    assert any(it.detail.startswith("not evaluated: rhel-9.xml is not for rhel 8") for it in evidence.coverage)


def _content(image: Image, settings: Settings) -> list[str]:
    """Names of the content that this image's pod would get."""
    precompiled = kubernetes_compiled.precompile(settings)
    if precompiled is not None and kubernetes_compiled.is_enough(precompiled, image, settings):
        return list(precompiled.files)
    return ["datastream.xml"]


def _rules(folder: str) -> list[dict[str, t.Any]]:
    with gzip.open(pathlib.Path(folder) / "results.json.gz") as stream:
        return list(json.load(stream)["rules"])


def test_what_a_dead_controller_left_is_collected(
    place: scanning.Scanning, settings: Settings, tmp_path: pathlib.Path
) -> None:
    image = place.pushed(tiny.layout(tmp_path / "left", {"etc/left": "x"}), "left:1")
    scans = scan([image], place.executor(), settings)
    assert next(scans).evidence.error is None
    scans.close()
    (job,) = place.cluster.admin.get(place.jobs)["items"]
    other = dataclasses.replace(settings, dir=str(tmp_path / "second"))
    (found,) = place.scan([image], other)
    assert found.evidence.error is None
    with pytest.raises(KubeError):
        place.cluster.admin.get(f"{place.jobs}/{job['metadata']['name']}")
    origin = json.loads((pathlib.Path(found.path) / "cluster.json").read_text())
    assert origin["pod"].startswith(job["metadata"]["name"])


def test_a_deleted_pod_is_replaced(place: scanning.Scanning, settings: Settings, tmp_path: pathlib.Path) -> None:
    image = place.pushed(tiny.layout(tmp_path / "lost", {"etc/lost": "x"}), "lost:1")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(place.scan, [image], settings)
        name = kube.until(lambda: _pod_of(place, image), "the pod is there")
        place.cluster.admin.request("DELETE", f"{place.pods}/{name}", params={"gracePeriodSeconds": 0})
        (found,) = waiting.result()
    assert found.evidence.error is None, found.evidence.error
    origin = json.loads((pathlib.Path(found.path) / "cluster.json").read_text())
    assert origin["pod"] != name


def _pod_of(place: scanning.Scanning, image: Image) -> str:
    """Name of the image's pod; empty where there is none."""
    pods = place.cluster.admin.get(place.pods)["items"]
    names = (
        it["metadata"]["name"] for it in pods if it["metadata"]["annotations"][IMAGE_ANNOTATION] == image.reference
    )
    return next(names, "")


def test_an_image_that_nobody_has_says_so_and_stops_no_other(
    place: scanning.Scanning, settings: Settings, tmp_path: pathlib.Path
) -> None:
    good = place.pushed(tiny.layout(tmp_path / "good", {"etc/good": "x"}), "good:1")
    digest = f"sha256:{1:064x}"
    host = place.cluster.place.pod_registry
    bad = Image(reference=f"docker://{host}/missing@{digest}", digest=digest, platform="linux/amd64")
    local = Image(reference="oci:/nowhere", digest=digest)
    found = {entry.evidence.reference: entry for entry in place.scan([bad, local, good], settings)}
    assert found[good.reference].evidence.error is None
    error = found[bad.reference].evidence.error
    assert error is not None
    assert error.code in ("image_unknown", "registry_down"), error
    wrong = found["oci:/nowhere"].evidence.error
    assert wrong is not None
    assert wrong.code == "not_in_registry"


def test_no_namespace_and_no_rights_are_clear(place: scanning.Scanning, settings: Settings) -> None:
    image = Image(reference=f"docker://example.test/a@sha256:{1:064x}", digest=f"sha256:{1:064x}")
    with pytest.raises(ScapError) as refused:
        place.scan([image], settings, namespace="default")
    assert refused.value.code == "kube_forbidden"
    assert "configmaps" in refused.value.message
    nowhere = scanning.Scanning(place.cluster, "scap-nowhere", place.scanner, place.cluster.admin)
    with pytest.raises(ScapError) as missing:
        nowhere.scan([image], settings)
    assert missing.value.code == "namespace_missing"


def test_check_mode_asks_the_server(place: scanning.Scanning, settings: Settings) -> None:
    image = Image(reference=f"docker://example.test/a@sha256:{1:064x}", digest=f"sha256:{1:064x}")
    unknown = Image(reference="docker://example.test/a:1", digest="")
    assert place.executor().check([image, unknown], settings) == [(image, USERNS), (unknown, PULL)]
    assert place.executor([COPY, PULL]).check([image], settings) == [(image, COPY)]
    assert place.cluster.admin.get(place.jobs)["items"] == []
    with pytest.raises(ScapError):
        place.executor(priority_class="-").check([image], settings)


def test_an_image_that_no_node_can_mount_is_scanned_alone_on_another_rung(
    place: scanning.Scanning, settings: Settings, tmp_path: pathlib.Path
) -> None:
    """One of another platform, one that no node can pull; the images after them stay on the first rung."""
    foreign = place.pushed(tiny.layout(tmp_path / "foreign", architecture="s390x"), "foreign:1")
    foreign = dataclasses.replace(foreign, platform="linux/s390x")
    digest = f"sha256:{2:064x}"
    missing = Image(reference=f"docker://{place.cluster.place.pod_registry}/missing@{digest}", digest=digest)
    here = place.pushed(tiny.layout(tmp_path / "here", {"etc/here": "x"}), "here:1")
    settings = dataclasses.replace(settings, parallelism=1)
    found = {entry.evidence.reference: entry for entry in place.scan([foreign, missing, here], settings)}
    assert found[missing.reference].evidence.error is not None
    assert (found[foreign.reference].evidence.error, found[here.reference].evidence.error) == (None, None)
    assert (found[foreign.reference].evidence.scan.rung, found[here.reference].evidence.scan.rung) == (PULL, USERNS)
    assert (
        "didn't match Pod's node affinity/selector"
        in (pathlib.Path(found[foreign.reference].path) / "cluster.json").read_text()
    )
