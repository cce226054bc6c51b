# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program and the content of a run as immutable ConfigMaps: sent once, named by their bytes, shared by all pods."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import typing as t

from ..files import sha256_file
from ..kube.client import Client
from ..kube.errors import KubeError
from ..model import J, ScapError
from ..scanner.places import CONTENT
from .kubernetes_job import LABELS, ZIPAPP

PIECE = 900 * 1024
"""Bytes of one ConfigMap's value: an object may have 1 MiB, base64 is not counted (core/v1 ConfigMap)."""
MAX_PIECES = 64
"""Of one content file; 57 MB compressed."""


class Uploaded(t.NamedTuple):
    """Content as a pod finds it."""

    files: dict[str, J]
    """Name to `sha256`, `pieces` (paths in the pod) and `path` (below the pod's WORK)."""
    maps: dict[str, list[str]]
    """Name to the ConfigMaps that hold it."""
    sizes: dict[str, int]
    """Name to bytes, unpacked."""


def upload_program(client: Client, namespace: str, data: bytes) -> tuple[str, str]:
    """Name and uid of the ConfigMap that holds the zipapp."""
    name = f"scanner-{hashlib.sha256(data).hexdigest()[:16]}"
    return name, _put(client, namespace, name, ZIPAPP, data)


def upload(client: Client, namespace: str, paths: t.Mapping[str, str]) -> Uploaded:
    """Put files there, name to path; ScapError where one is too large."""
    found = Uploaded({}, {}, {})
    for name, path in paths.items():
        sha256 = sha256_file(path)
        pieces: list[str] = []
        with open(path, "rb") as stream:
            plain = stream.read()
        found.sizes[name] = len(plain)
        found.maps[name] = []
        packed = gzip.compress(plain, 6, mtime=0)
        if len(packed) > PIECE * MAX_PIECES:
            raise ScapError(
                "content_too_large",
                f"{path}: {len(packed)} bytes compressed; at most {PIECE * MAX_PIECES} can be sent to the cluster. "
                "Put it into the scanner image",
            )
        for number, start in enumerate(range(0, len(packed), PIECE)):
            key = f"{sha256[:16]}-{number:02d}"
            _put(client, namespace, f"content-{key}", key, packed[start : start + PIECE])
            found.maps[name].append(f"content-{key}")
            pieces.append(f"{CONTENT}/{key}")
        found.files[name] = {"sha256": sha256, "pieces": pieces, "path": _path(name, path)}
    return found


def _path(name: str, source: str) -> str:
    """Content keeps the file name that it has here: evidence and messages call it by that. An index of a feed is found
    by its name in the cache."""
    if name.endswith(".sqlite"):
        return f"cache/{name}"
    return f"content/{name}/{os.path.basename(source)}" if name.endswith(".xml") else f"content/{name}"


def _put(client: Client, namespace: str, name: str, key: str, data: bytes) -> str:
    """The uid of an immutable ConfigMap with one binary value; its name says what is in it, so it is never changed."""
    collection = f"/api/v1/namespaces/{namespace}/configmaps"
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {**LABELS, "app.kubernetes.io/component": "content"}},
        "immutable": True,
        "binaryData": {key: base64.b64encode(data).decode()},
    }
    try:
        made = client.create(collection, body).json()
    except KubeError as error:
        if error.status != 409:
            raise
        made = client.get(f"{collection}/{name}")
    return str(made["metadata"]["uid"])
