# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small images in a real registry, written through its own API (OCI distribution specification, push)."""

from __future__ import annotations

import hashlib
import http.client
import json
import typing as t

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


class Repository:
    """One repository of a plain HTTP registry."""

    def __init__(self, address: str, name: str) -> None:
        self.name = name
        self._http = http.client.HTTPConnection(address, timeout=30)

    def blob(self, data: bytes) -> dict[str, t.Any]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        location = self._ask("POST", f"/v2/{self.name}/blobs/uploads/", b"", {}, 202)["Location"]
        path = location.split("://", 1)[-1].partition("/")[2] if "://" in location else location.lstrip("/")
        joint = "&" if "?" in path else "?"
        headers = {"Content-Type": "application/octet-stream"}
        self._ask("PUT", f"/{path}{joint}digest={digest}", data, headers, 201)
        return {"digest": digest, "size": len(data)}

    def image(self, tag: str, architecture: str = "amd64", created: str = "2026-01-01T00:00:00Z", **labels: str) -> str:
        """An image of one empty layer; its digest."""
        config = {"architecture": architecture, "os": "linux", "created": created, "config": {"Labels": labels}}
        body = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                **self.blob(json.dumps(config).encode()),
            },
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **self.blob(bytes(1024))}],
        }
        return self.manifest(tag, body)

    def index(self, tag: str, members: dict[str, str], sizes: t.Mapping[str, int] | None = None) -> str:
        """An index of `architecture: digest`; its digest. `sizes`: of the manifests, for who really pulls them."""
        entries = [
            {
                "mediaType": MANIFEST,
                "digest": digest,
                "size": (sizes or {}).get(digest, 1),
                "platform": {"os": "linux", "architecture": architecture},
            }
            for architecture, digest in members.items()
        ]
        return self.manifest(tag, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})

    def manifest(self, tag: str, body: t.Any) -> str:
        data = json.dumps(body).encode()
        self._ask("PUT", f"/v2/{self.name}/manifests/{tag}", data, {"Content-Type": body["mediaType"]}, 201)
        return f"sha256:{hashlib.sha256(data).hexdigest()}"

    def _ask(self, method: str, path: str, data: bytes, headers: dict[str, str], expected: int) -> t.Any:
        self._http.request(method, path, data, headers)
        answer = self._http.getresponse()
        body = answer.read()
        if answer.status != expected:
            raise RuntimeError(f"{method} {path}: HTTP {answer.status}: {body[:200]!r}")
        return answer.headers
