# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OCI image layouts (OCI image spec 1.1, image-layout) from layers: what the tests and the demo scan."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import pathlib
import shutil
import typing as t

_CHUNK = 1 << 20
_EPOCH = "1970-01-01T00:00:00Z"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer that the layout holds."""

    descriptor: dict[str, t.Any]
    diff_id: str


class Layout:
    """One layout folder; equal input gives equal digests."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._blobs = folder / "blobs" / "sha256"
        self._blobs.mkdir(parents=True)
        self._manifests: list[dict[str, t.Any]] = []
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}\n')
        self._index()

    def add_layer(self, tar: t.BinaryIO) -> Layer:
        """A layer of the uncompressed bytes of `tar`, stored with gzip's fastest level."""
        plain = hashlib.sha256()
        part = self._blobs / "part"
        with part.open("wb") as raw, gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed:
            while chunk := tar.read(_CHUNK):
                plain.update(chunk)
                packed.write(chunk)
        packed_sum = hashlib.sha256()
        with part.open("rb") as stored:
            while chunk := stored.read(_CHUNK):
                packed_sum.update(chunk)
        size = part.stat().st_size
        part.rename(self._blobs / packed_sum.hexdigest())
        digest = f"sha256:{packed_sum.hexdigest()}"
        return Layer(_descriptor(_LAYER, digest, size), f"sha256:{plain.hexdigest()}")

    def add_image(
        self, tag: str, layers: t.Sequence[Layer], architecture: str, command: t.Sequence[str] = ("/bin/sh",)
    ) -> str:
        """An image of `layers` under `tag`; its manifest's digest."""
        config = {
            "architecture": architecture,
            "os": "linux",
            "created": _EPOCH,
            "config": {"Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": list(command)},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._add_json(_CONFIG, config),
            "layers": [layer.descriptor for layer in layers],
        }
        descriptor = self._add_json(_MANIFEST, manifest)
        self._manifests.append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": tag}})
        self._index()
        return str(descriptor["digest"])

    def _add_json(self, media_type: str, value: dict[str, t.Any]) -> dict[str, t.Any]:
        data = json.dumps(value, sort_keys=True).encode()
        digest = hashlib.sha256(data).hexdigest()
        (self._blobs / digest).write_bytes(data)
        return _descriptor(media_type, f"sha256:{digest}", len(data))

    def _index(self) -> None:
        index = {"schemaVersion": 2, "manifests": self._manifests}
        (self._folder / "index.json").write_text(json.dumps(index))


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, t.Any]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def replace_folder(new: pathlib.Path, folder: pathlib.Path) -> None:
    """`new` under the name `folder`, which is there whole or not at all."""
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
