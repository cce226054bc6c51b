# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of the denied set: every name by which a pod can mean an image.

A key is a digest (`sha256:HEX`), or a tag reference in its canonical form: host in lower case and without the
default port, docker.io in full (`docker.io/library/nginx:1`), the tag always there. `expressions.py` computes
the same form in CEL; tests/cluster/test_marking_admission.py compares both on the API server.
"""

from __future__ import annotations

import re
import typing as t

from ..model import Image, ScapError, is_digest
from ..reference import parse

DOCKER_HUB = ("index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")
"""Hosts that serve what docker.io serves."""

DEFAULT_PORTS = (":443", ":80")
MAX_KEY = 512

_HOST = re.compile(r"([^/]*[.:][^/]*|localhost|[^/]*[A-Z][^/]*)/")
_CLUSTER_REGISTRY = re.compile(r"([a-z0-9-]+\.[a-z0-9-]+\.svc)(\.cluster\.local)?(:[0-9]+)?/")


def has_host(name: str) -> bool:
    """Whether a reference as pods write it names its registry (github.com/distribution/reference, normalize.go)."""
    return _HOST.match(name) is not None


def canonical(name: str) -> str:
    """The canonical key of a reference as pods write it (no transport), a digest for one that has a digest.

    >>> canonical("NGINX.example:443/a"), canonical("nginx")
    ('nginx.example/a:latest', 'docker.io/library/nginx:latest')
    """
    if "@" in name:
        return name[name.index("@") + 1 :].lower()
    tagged = _with_tag(name)
    if not has_host(tagged):
        tagged = f"docker.io/{tagged}"
    host, path = tagged.split("/", 1)
    host = host.lower()
    for port in DEFAULT_PORTS:
        host = host[: -len(port)] if host.endswith(port) else host
    if host in DOCKER_HUB:
        host = "docker.io"
    if host == "docker.io" and "/" not in path:
        path = f"library/{path}"
    return f"{host}/{path}"


def looked_up(name: str) -> list[str]:
    """Every key that admission looks up for one image of a pod."""
    keys = [canonical(name)]
    if "@" not in name and not has_host(_with_tag(name)):
        keys.append(_with_tag(name))
    return keys


def of_reference(text: str, search_registries: t.Collection[str] = ()) -> list[str]:
    """The keys of one record's reference; empty where no pod can name it by tag (other transports, a digest).

    `search_registries`: hosts that the nodes try for a name without one; their images get the short name as a key too.
    """
    try:
        reference = parse(text)
    except ScapError:
        return []
    if reference.transport != "docker" or reference.digest:
        return []
    name = f"{reference.name}:{reference.tag or 'latest'}"
    keys = looked_up(name)
    cluster = _CLUSTER_REGISTRY.match(keys[0])
    if cluster is not None:
        service, _domain, port = cluster.groups()
        path = keys[0][cluster.end() :]
        keys = [f"{service}{port or ''}/{path}", f"{service}.cluster.local{port or ''}/{path}"]
    if reference.host.lower() in search_registries:
        keys.append(name.split("/", 1)[1])
    return [key for key in keys if len(key) <= MAX_KEY]


def of_image(digest: str, records: t.Iterable[Image], search_registries: t.Collection[str] = ()) -> list[str]:
    """The keys of one image: its digest first, then the indexes that contain it and its tags; none twice."""
    keys = [digest]
    for image in records:
        keys.extend(index for index in image.index_digests if is_digest(index))
        for reference in [image.reference, *image.references]:
            keys.extend(of_reference(reference, search_registries))
    return list(dict.fromkeys(keys))


def _with_tag(name: str) -> str:
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"
