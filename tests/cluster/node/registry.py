# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's registry, and the one image that the node itself needs."""

from __future__ import annotations

import contextlib
import io
import json
import pathlib
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.request

from tests.data.oci_layout import Layout

from .place import Place

_WAIT = 30.0


def command(place: Place, address: str) -> list[str]:
    """Write a registry's configuration; its command line. Plain HTTP; a cluster's registries share their data."""
    config = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(place.data / "registry")}, "delete": {"enabled": True}},
        "http": {"addr": address},
    }
    path = place.data / f"registry-{address.partition(':')[0]}.yml"
    path.write_text(json.dumps(config))
    return ["docker-registry", "serve", str(path)]


def wait(place: Place) -> None:
    deadline = time.monotonic() + _WAIT
    while time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"http://{place.registry}/v2/", timeout=2).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"the registry does not answer on {place.registry}")


def push(source: str, target: str) -> None:
    """Copy an image, as skopeo names it, to `host:port/name:tag`."""
    argv = ["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", source, f"docker://{target}"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{source} cannot be copied to {target}: {done.stderr}")


def push_pause(place: Place, program: pathlib.Path) -> None:
    """The sandbox image: one static program."""
    with tempfile.TemporaryDirectory(prefix="scap-pause-") as folder:
        push(f"oci:{pause(pathlib.Path(folder), program)}:1", f"{place.registry}/pause:1")


def pause(folder: pathlib.Path, program: pathlib.Path, about: str = "") -> pathlib.Path:
    """The layout of an image that does nothing until it is told to end; `about` makes it another one."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for name, data in (("pause", program.read_bytes()), *([("about", about.encode())] if about else [])):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
    layer.seek(0)
    layout = Layout(folder / "layout")
    layout.add_image("1", [layout.add_layer(layer)], "amd64", command=["/pause"])
    return folder / "layout"
