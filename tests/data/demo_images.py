# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's three images, made from Debian packages by one run of mmdebstrap, and kept for the next run.

`legacy` is a Debian 11 with packages that no server should have; `repaired` the same with a layer in which they are
purged; `damaged` the same with a layer in which the package database is torn.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pathlib
import subprocess
import tarfile
import tempfile
import typing as t

from .oci_layout import Layer, Layout, replace_folder

LEGACY = ("inetutils-telnetd", "nis", "ntpdate")
TAGS = ("legacy", "repaired", "damaged")

_HERE = pathlib.Path(__file__).resolve().parent
_STATUS = "var/lib/dpkg/status"
_MIRRORS: tuple[tuple[str, ...], ...] = ((), ("deb http://archive.debian.org/debian bullseye main",))
"""mmdebstrap's own choice, then where Debian keeps the releases that it no longer serves elsewhere."""


def cache_folder() -> pathlib.Path:
    """Where images are kept between runs, outside the tree."""
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "scap-images"


def layout() -> pathlib.Path:
    """The OCI layout with the three images, made now where it is not there yet."""
    recipe = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in _RECIPE)).hexdigest()[:12]
    folder = cache_folder() / f"demo-{recipe}"
    if not (folder / "index.json").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-") as scratch:
            new = pathlib.Path(scratch) / "layout"
            _make(pathlib.Path(scratch), new)
            replace_folder(new, folder)
    return folder


def digests(layout: pathlib.Path) -> dict[str, str]:
    """Tags to the digests of their manifests."""
    index = json.loads((layout / "index.json").read_text())
    return {entry["annotations"]["org.opencontainers.image.ref.name"]: entry["digest"] for entry in index["manifests"]}


_RECIPE = ("demo_images.py", "oci_layout.py", "repair.sh")


def _make(scratch: pathlib.Path, folder: pathlib.Path) -> None:
    _bootstrap(scratch)
    made = Layout(folder)
    with (scratch / "legacy.tar").open("rb") as tar:
        legacy = made.add_layer(tar)
    repair = made.add_layer(_repair_layer(scratch))
    damage = made.add_layer(_damage_layer(scratch))
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
    ).stdout.strip()
    images: dict[str, list[Layer]] = {"legacy": [legacy], "repaired": [legacy, repair], "damaged": [legacy, damage]}
    for tag in TAGS:
        made.add_image(tag, images[tag], architecture)


def _bootstrap(scratch: pathlib.Path) -> None:
    """`legacy.tar`, `repair.tar` and `repair.gone` in `scratch`."""
    log = scratch / "mmdebstrap.log"
    for mirror in _MIRRORS:
        argv = [
            "mmdebstrap",
            "--variant=minbase",
            f"--include={','.join(LEGACY)}",
            f'--customize-hook={_HERE / "repair.sh"} "$1"',
            "--customize-hook=download /scap-repair.tar repair.tar",
            "--customize-hook=download /scap-repair.gone repair.gone",
            '--customize-hook=rm "$1/scap-repair.tar" "$1/scap-repair.gone"',
            "bullseye",
            "legacy.tar",
            *mirror,
        ]
        with log.open("wb") as output:
            ended = subprocess.run(
                argv,
                check=False,
                cwd=scratch,
                env={**os.environ, "LEGACY": " ".join(LEGACY)},
                stdout=output,
                stderr=output,
            )
        if ended.returncode == 0:
            return
    raise SystemExit(f"mmdebstrap could not make a Debian 11; its last words:\n{_tail(log)}")


def _tail(log: pathlib.Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def _repair_layer(scratch: pathlib.Path) -> t.BinaryIO:
    gone = {line[2:] for line in (scratch / "repair.gone").read_text().splitlines()}
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as target:
        with tarfile.open(scratch / "repair.tar") as changed:
            for member in changed:
                target.addfile(member, changed.extractfile(member) if member.isreg() else None)
        for path in sorted(gone):
            parent, name = os.path.split(path)
            if parent not in gone:
                target.addfile(tarfile.TarInfo(f"{parent}/.wh.{name}"))
    layer.seek(0)
    return layer


def _damage_layer(scratch: pathlib.Path) -> t.BinaryIO:
    """A status file as a crash leaves it: blocks that were never written, and no end."""
    with tarfile.open(scratch / "legacy.tar") as legacy:
        member = legacy.getmember(f"./{_STATUS}")
        status = t.cast("t.IO[bytes]", legacy.extractfile(member)).read()
    third = len(status) // 3
    torn = status[:third] + bytes(third) + status[2 * third : -200]
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as target:
        member.size = len(torn)
        target.addfile(member, io.BytesIO(torn))
    layer.seek(0)
    return layer
