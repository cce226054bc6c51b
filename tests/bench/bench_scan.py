# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole scans of a Debian 11 against the bare commands that people would run: skopeo copy, tar -x, oscap xccdf eval."""

from __future__ import annotations

import io
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import time
import typing as t

from tests.data import demo_images
from tests.data.oci_layout import Layer, Layout
from tests.support import registry
from tests.support.local_scans import Scanner

CONTENT = "/usr/share/xml/scap/ssg/content/ssg-debian11-ds.xml"
PROFILE = "xccdf_org.ssgproject.content_profile_standard"
MANY = 12
ROUNDS = 3
Row = t.Dict[str, t.Any]


def run() -> list[Row]:
    """Seconds of wall time, the best of three rounds in which ours and the bare commands take turns."""
    with tempfile.TemporaryDirectory(prefix="scap-bench-") as name:
        folder = pathlib.Path(name)
        with registry.running(folder / "registry") as server:
            source = demo_images.layout()
            legacy = server.push(f"oci:{source}:legacy", "bench/legacy:1")
            second = server.push(f"oci:{source}:repaired", "bench/repaired:1")
            many = [
                server.push(reference, f"bench/many:{number}")
                for number, reference in enumerate(variants(folder, MANY))
            ]
            return [*_single(folder, legacy, second), *_many(folder, many)]


def _single(folder: pathlib.Path, legacy: str, second: str) -> list[Row]:
    seconds: dict[str, list[float]] = {"bare": [], "storage": [], "unpack": [], "second": [], "oscap": []}
    for number in range(ROUNDS):
        unpack(legacy, folder / "bare")
        seconds["oscap"].append(timed(lambda: _oscap(folder / "bare")))
        shutil.rmtree(folder / "bare")
        seconds["bare"].append(timed(lambda: bare(legacy, folder / "bare")))
        for way in ("storage", "unpack"):
            scanner = Scanner(folder / f"first-{way}-{number}", way=way)
            seconds[way].append(timed(lambda scanner=scanner: scanner.scan(legacy)))
            if way == "storage":
                seconds["second"].append(timed(lambda scanner=scanner: scanner.scan(second)))
            shutil.rmtree(scanner.folder)
    best = {name: min(times) for name, times in seconds.items()}
    return [
        {
            "name": f"first scan of a Debian 11, {way}",
            "value": best[way],
            "peer": best["bare"],
            "goal": goal,
            "unit": "s",
        }
        for way, goal in (("storage", 1.5), ("unpack", 1.25))
    ] + [
        {
            "name": "a second image on the same base, without oscap itself",
            "value": best["second"] - best["oscap"],
            "goal": 0.8,
            "unit": "s",
        }
    ]


def _many(folder: pathlib.Path, references: list[str]) -> list[Row]:
    loop = timed(lambda: bare_loop(references, folder / "bare"))
    rows = []
    for way, goal in (("storage", ">=6"), ("unpack", ">=1.8")):
        scanner = Scanner(folder / f"many-{way}", way=way)
        value = timed(lambda scanner=scanner: scanner.scan(*references))
        shutil.rmtree(scanner.folder)
        rows.append(
            {
                "name": f"{MANY} images of one base, {way}",
                "value": MANY * 3600 / value,
                "peer": MANY * 3600 / loop,
                "goal": goal,
                "unit": "images an hour",
            }
        )
    return rows


def variants(folder: pathlib.Path, count: int) -> list[str]:
    """References of images that share the demo's base and differ in a small layer."""
    source = demo_images.layout()
    made = Layout(folder / "many")
    index = json.loads((source / "index.json").read_text())
    tags = {entry["annotations"]["org.opencontainers.image.ref.name"]: entry["digest"] for entry in index["manifests"]}
    blobs = source / "blobs" / "sha256"
    manifest = json.loads((blobs / tags["legacy"].partition(":")[2]).read_text())
    config = json.loads((blobs / manifest["config"]["digest"].partition(":")[2]).read_text())
    base = [Layer(layer, diff) for layer, diff in zip(manifest["layers"], config["rootfs"]["diff_ids"])]
    for layer in base:
        name = layer.descriptor["digest"].partition(":")[2]
        shutil.copy(blobs / name, folder / "many" / "blobs" / "sha256" / name)
    references = []
    for number in range(count):
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as archive:
            entry = tarfile.TarInfo(f"opt/application-{number}")
            entry.size = 1 << 20
            archive.addfile(entry, io.BytesIO(os.urandom(1 << 20)))
        tar.seek(0)
        made.add_image(f"n{number}", [*base, made.add_layer(tar)], "amd64")
        references.append(f"oci:{folder}/many:n{number}")
    return references


def bare(reference: str, folder: pathlib.Path) -> None:
    """What a shell script would do."""
    unpack(reference, folder)
    _oscap(folder)
    shutil.rmtree(folder)


def bare_loop(references: t.Sequence[str], folder: pathlib.Path) -> None:
    for reference in references:
        bare(reference, folder)


def unpack(reference: str, folder: pathlib.Path) -> None:
    image, root = folder / "image", folder / "root"
    root.mkdir(parents=True)
    argv = ["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false", reference, f"dir:{image}"]
    subprocess.run(argv, check=True)
    for layer in json.loads((image / "manifest.json").read_text())["layers"]:
        blob = image / layer["digest"].partition(":")[2]
        subprocess.run(["tar", "-xzf", str(blob), "-C", str(root)], check=True)


def _oscap(folder: pathlib.Path) -> None:
    argv = ["oscap", "xccdf", "eval", "--profile", PROFILE, "--results-arf", str(folder / "arf.xml"), CONTENT]
    environment = {"PATH": os.environ["PATH"], "HOME": "/root", "OSCAP_PROBE_ROOT": str(folder / "root")}
    subprocess.run(argv, env=environment, check=False, capture_output=True)


def timed(work: t.Callable[[], t.Any]) -> float:
    """Seconds; what ran before has left nothing that is still to be written to the disk."""
    os.sync()
    started = time.monotonic()
    work()
    return time.monotonic() - started
