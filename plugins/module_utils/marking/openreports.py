# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of the report `openreports` in a cluster: what is new is applied, what is no longer said is removed.

Only objects with our label are removed; reports of other tools stay.
"""

from __future__ import annotations

import typing as t

from ..files import read_json
from ..kube.client import METADATA_ONLY, Client
from ..kube.errors import KubeError
from ..model import ScapError
from . import install
from .names import LABELS

API = "/apis/openreports.io/v1alpha1"
_SELECTOR = ",".join(f"{key}={value}" for key, value in LABELS.items())
_PLURALS = ("reports", "clusterreports")


def put(client: Client, path: str, check: bool = False) -> list[str]:
    """Make the cluster hold the objects of the file and no others of ours; titles of what changed.

    A namespace that is gone since discovery has nothing to be reported in. Raises ScapError openreports_missing where
    the cluster does not serve the API, KubeError where a right is missing.
    """
    there = _ours(client)
    if there is None:
        raise ScapError(
            "openreports_missing",
            f"{client.host} does not serve openreports.io/v1alpha1; install the CRDs of OpenReports or leave apply out",
        )
    changed = []
    for manifest in read_json(path)["items"]:
        where = install.path(manifest)
        before = client.get(where) if there.pop(where, None) else {}
        try:
            after = client.apply(where, manifest, dry_run=check)
        except KubeError as error:
            if error.status != 404:
                raise
            continue
        if install.content(before) != install.content(after):
            changed.append(install.title(manifest))
    return changed + _delete(client, there, check)


def remove(client: Client, check: bool = False) -> list[str]:
    """Delete every object of ours; titles of those that were there. An account that may not list them has made none."""
    try:
        there = _ours(client) or {}
    except KubeError as error:
        if error.status != 403:
            raise
        there = {}
    return _delete(client, there, check)


def _ours(client: Client) -> dict[str, str] | None:
    """Path to title of what has our label; None where the API is not served."""
    found: dict[str, str] = {}
    for plural, kind in zip(_PLURALS, ("Report", "ClusterReport")):
        try:
            pages = list(
                client.list_pages(f"{API}/{plural}", 500, params={"labelSelector": _SELECTOR}, accept=METADATA_ONLY)
            )
        except KubeError as error:
            if error.status == 404:
                return None
            raise
        for metadata in (thing["metadata"] for page in pages for thing in page.objects):
            manifest = {"apiVersion": API[len("/apis/") :], "kind": kind, "metadata": metadata}
            found[install.path(manifest)] = install.title(manifest)
    return found


def _delete(client: Client, objects: t.Mapping[str, str], check: bool) -> list[str]:
    return [title for path, title in objects.items() if client.delete(path, dry_run=check)]
