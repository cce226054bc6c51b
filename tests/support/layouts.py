# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OCI image layouts from the bytes of layers, with whatever a test wants to be wrong in them."""

from __future__ import annotations

import gzip
import hashlib
import json
import pathlib
import tarfile
import typing as t

J = t.Dict[str, t.Any]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


class RawLayout:
    """One layout; nothing is checked."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.blobs = folder / "blobs" / "sha256"
        self.blobs.mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self._named: list[J] = []

    def blob(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        (self.blobs / name).write_bytes(data)
        return f"sha256:{name}"

    def layer(self, tar: bytes, pack: t.Callable[[bytes], bytes] = gzip.compress, kind: str = LAYER + "+gzip") -> J:
        """A descriptor; its `diff` is the diff id, which `image` takes out."""
        data = pack(tar)
        diff = f"sha256:{hashlib.sha256(tar).hexdigest()}"
        return {"mediaType": kind, "digest": self.blob(data), "size": len(data), "diff": diff}

    def image(
        self,
        layers: t.Sequence[J],
        *,
        config: t.Callable[[J], J] = dict,
        manifest: t.Callable[[J], J] = dict,
        platform: str = "linux/amd64",
    ) -> J:
        """The descriptor of a manifest; `config` and `manifest` change what would be written."""
        system, architecture, *variant = platform.split("/")
        settings: J = {
            "os": system,
            "architecture": architecture,
            "created": "2024-05-06T07:08:09Z",
            "config": {"Labels": {"name": "test"}, "Env": ["A=b"]},
            "rootfs": {"type": "layers", "diff_ids": [layer["diff"] for layer in layers]},
            **({"variant": variant[0]} if variant else {}),
        }
        data = json.dumps(config(settings)).encode()
        described = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": self.blob(data), "size": len(data)},
            "layers": [{key: value for key, value in layer.items() if key != "diff"} for layer in layers],
        }
        found = self.document(MANIFEST, manifest(described))
        found["platform"] = {key: value for key, value in settings.items() if key in ("os", "architecture", "variant")}
        return found

    def document(self, kind: str, value: J) -> J:
        data = json.dumps(value).encode()
        return {"mediaType": kind, "digest": self.blob(data), "size": len(data)}

    def index(self, manifests: t.Sequence[J]) -> J:
        return self.document(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(manifests)})

    def name(self, descriptor: J, tag: str = "x") -> str:
        """Give it a tag; the reference."""
        self._named.append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": tag}})
        index = {"schemaVersion": 2, "manifests": self._named}
        (self.folder / "index.json").write_text(json.dumps(index))
        return f"oci:{self.folder}:{tag}"

    def archive(self, path: pathlib.Path) -> str:
        with tarfile.open(path, "w") as tar:
            tar.add(self.folder, ".")
        return f"oci-archive:{path}"


def simple(folder: pathlib.Path, *tars: bytes, **more: t.Any) -> str:
    """The reference of an image of these layers."""
    layout = RawLayout(folder)
    return layout.name(layout.image([layout.layer(tar) for tar in tars], **more))
