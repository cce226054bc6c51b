# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials of a pod that pulls: the named secret, else those that the image's own pods are pulled with, else the
scanner account's own (OpenShift gives every account one for its internal registry).

What image pods use lies in their namespaces. It is copied for the one scan, cut to the image's registry, into a secret
that belongs to the scan's Job and goes with it.
"""

from __future__ import annotations

import base64
import functools
import json
import threading
import typing as t

from ..kube.client import Client
from ..kube.errors import KubeError
from ..model import Image, J
from ..reference import parse
from .kubernetes_job import LABELS, PodOptions

_TYPES = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}
_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")


class Secrets:
    """Of one run; every secret is read once."""

    def __init__(self, client: Client, options: PodOptions) -> None:
        self._client = client
        self._options = options
        self._lock = threading.Lock()
        self._read = functools.lru_cache(maxsize=None)(self._get)
        self._account = functools.lru_cache(maxsize=None)(self._of_account)

    def auths(self, image: Image) -> tuple[dict[str, J], list[str]]:
        """Entries of a containers-auth.json(5) for the image's registry, and which secrets could not be read, and why.

        Empty where the user has named a secret.
        """
        found: dict[str, J] = {}
        problems = []
        if not self._options.pull_secret:
            host = parse(image.reference).host
            for name in image.pull_secrets:
                with self._lock:
                    known, problem = self._read(name)
                found.update((key, entry) for key, entry in known.items() if _is_for(key, host))
                if problem:
                    problems.append(problem)
        return found, problems

    def account(self) -> list[str]:
        """Names of the pull secrets that the pods' service account has."""
        with self._lock:
            return self._account()

    def manifest(self, name: str, auths: t.Mapping[str, J], owner: J) -> J:
        """The copy for one Job."""
        data = base64.b64encode(json.dumps({"auths": auths}).encode()).decode()
        reference = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": owner["metadata"]["uid"]}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": name, "labels": LABELS, "ownerReferences": [reference]},
            "immutable": True,
            "data": {".dockerconfigjson": data},
        }

    def _get(self, name: str) -> tuple[dict[str, J], str]:
        namespace, _slash, own = name.partition("/")
        try:
            secret = self._client.get(f"/api/v1/namespaces/{namespace}/secrets/{own}")
        except KubeError as error:
            return {}, f"the pull secret {name} cannot be read: {error.message}"
        key = _TYPES.get(str(secret.get("type")), "")
        try:
            known = json.loads(base64.b64decode((secret.get("data") or {}).get(key, "")))
            entries = known["auths"] if key == ".dockerconfigjson" else known
            return {str(host): entry for host, entry in entries.items() if isinstance(entry, dict)}, ""
        except (ValueError, KeyError, TypeError, AttributeError):
            return {}, f"the pull secret {name} holds no credentials as podman login writes them"

    def _of_account(self) -> list[str]:
        path = f"/api/v1/namespaces/{self._options.namespace}/serviceaccounts/{self._options.account}"
        found = self._client.get(path).get("imagePullSecrets") or []
        return [str(entry["name"]) for entry in found]


def _is_for(key: str, host: str) -> bool:
    """Whether an entry of auths is for this registry; a key may have a scheme and a path."""
    known = key.rpartition("://")[2].partition("/")[0]
    return known == host or (known in _HUB and host in _HUB)
