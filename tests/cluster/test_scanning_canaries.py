# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canary images in real pods: with a scanner image that lies, nothing of its run is believed."""

from __future__ import annotations

import dataclasses
import io
import json
import pathlib
import tarfile

import pytest
from ansible_collections.scap.images.plugins.module_utils.scan.interface import Settings
from ansible_collections.scap.images.plugins.module_utils.scanner.pod import PULL

from tests.data import tiny
from tests.data.oci_layout import Layer, Layout
from tests.support import kube, scanner_image, scanning
from tests.support.local_scans import unproven

_LIE = b"""#!/bin/sh
oscap.real "$@"; status=$?
for word in "$@"; do
    [ "$before" = --results-arf ] && sed -i 's/>fail</>pass</' "$word"
    before=$word
done
exit $status
"""


@pytest.fixture
def liar(place: scanning.Scanning, tmp_path: pathlib.Path) -> scanning.Scanning:
    """The same place with a scanner image in which every rule that fails is said to pass."""
    made = Layout(tmp_path / "liar")
    layers = _layers(tmp_path / "liar")
    made.add_image("liar", [*layers, made.add_layer(_lie(tmp_path / "liar", layers))], "amd64")
    return dataclasses.replace(place, scanner=place.cluster.push(f"oci:{tmp_path}/liar:liar", "liar:1"))


def _layers(folder: pathlib.Path) -> list[Layer]:
    """The layers of the scanner image, linked to where a layout is made."""
    source = scanner_image.layout() / "blobs" / "sha256"
    index = json.loads((scanner_image.layout() / "index.json").read_text())
    manifest = json.loads((source / index["manifests"][0]["digest"].partition(":")[2]).read_text())
    config = json.loads((source / manifest["config"]["digest"].partition(":")[2]).read_text())
    for layer in manifest["layers"]:
        name = layer["digest"].partition(":")[2]
        (folder / "blobs" / "sha256" / name).symlink_to(source / name)
    return [Layer(layer, diff) for layer, diff in zip(manifest["layers"], config["rootfs"]["diff_ids"])]


def _lie(folder: pathlib.Path, layers: list[Layer]) -> io.BytesIO:
    """The layer that puts a script before oscap."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, data in (("usr/bin/oscap.real", _oscap(folder, layers)), ("usr/bin/oscap", _LIE)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
    made.seek(0)
    return made


def _oscap(folder: pathlib.Path, layers: list[Layer]) -> bytes:
    for layer in layers:
        with tarfile.open(folder / "blobs" / "sha256" / layer.descriptor["digest"].partition(":")[2], "r|*") as tar:
            for entry in tar:
                if entry.name.removeprefix("./") == "usr/bin/oscap":
                    found = tar.extractfile(entry)
                    assert found is not None
                    return found.read()
    raise AssertionError("the scanner image has no oscap")


def test_a_scanner_image_that_lies(
    place: scanning.Scanning, liar: scanning.Scanning, settings: Settings, tmp_path: pathlib.Path
) -> None:
    image = place.pushed(tiny.layout(tmp_path / "tiny", {"etc/canaries": "x"}), "canaries:1")
    (lied,) = liar.scan([image], settings)
    assert "canary_images" in unproven(lied.evidence)
    record = json.loads((pathlib.Path(settings.dir) / "canaries.json").read_text())
    assert (record["passed"], record["executor"]) == (False, "kubernetes")
    assert "the image that must fail: its rules should be" in record["detail"]
    (found,) = place.scan([image], settings)
    assert not found.reused
    assert unproven(found.evidence) == {}
    assert "canary_images" in [check.check for check in found.evidence.coverage]
    assert json.loads((pathlib.Path(settings.dir) / "canaries.json").read_text())["passed"] is True
    assert not (pathlib.Path(settings.dir) / "canaries").exists()
    assert kube.until(lambda: place.cluster.admin.get(place.jobs)["items"] == [], "no Job is left")


def test_canaries_need_no_rung_that_is_not_allowed_to_others(
    place: scanning.Scanning, settings: Settings, tmp_path: pathlib.Path
) -> None:
    """They are sent with the content, so that their pods reach no registry and mount no image."""
    image = place.pushed(tiny.layout(tmp_path / "tiny", {"etc/canaries": "y"}), "canaries:2")
    (found,) = place.scan([image], settings, [PULL])
    assert unproven(found.evidence) == {}
    assert found.evidence.scan.rung == PULL
