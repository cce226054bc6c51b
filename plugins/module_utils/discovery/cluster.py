# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a cluster that a source may ask: namespaces, nodes' platforms, lists that end where permission ends."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import typing as t

from ..kube.client import METADATA_ONLY, Client
from ..kube.errors import KubeError
from ..kube.protobuf import Shape
from ..model import Skipped
from .interface import Setting, matches
from .listing import Extract, Listing

PARALLEL_LISTS = 10
"""Lists read at once: as many as there are kinds of workloads, so that a run without changes waits for one watch."""

SINGLE_LISTS = 20
"""Up to so many named namespaces are listed one by one; more cost less as one list of the whole cluster."""

ABSENT_ON_KUBERNETES = ("/apis/apps.openshift.io/", "/apis/route.openshift.io/")
"""Served by OpenShift only: that it is absent says nothing."""

_WILD = "*?["

Rows = t.Dict[str, t.Any]
"""What an extract kept of each object, by `namespace/name`."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One resource to list."""

    group: str
    """Its group's path, `/api/v1`."""
    resource: str
    extract: Extract
    shape: Shape | None = None
    label_selector: str = ""
    variant: str = ""
    """Tells the rows of one extract from those that another takes out of the same list."""


class Cluster:
    """One cluster as the sources of one run see it."""

    def __init__(self, setting: Setting, source: str) -> None:
        self.setting = setting
        self.source = source
        self.client: Client = setting.client()
        self.skipped: list[Skipped] = []
        self.incremental = True

    def lists(self, wanted: t.Sequence[Wanted]) -> t.Iterator[tuple[Wanted, Rows]]:
        """(what was wanted, rows by key) of several lists, read in parallel.

        What is forbidden or not served lands in `skipped`; everything else is read.
        """
        names, all_at_once = self.namespaces()
        jobs = [(one, name) for one in wanted for name in ([""] if all_at_once else names)]
        with concurrent.futures.ThreadPoolExecutor(PARALLEL_LISTS) as pool:
            waiting = [(one, name, pool.submit(self._rows, one, name)) for one, name in jobs]
            while waiting:
                one, name, future = waiting.pop(0)
                answer = future.result()
                del future
                if isinstance(answer, KubeError) and answer.status == 403 and all_at_once:
                    yield from self._one_by_one(one, answer)
                elif isinstance(answer, KubeError):
                    self._refused(_path(one, name), answer)
                else:
                    yield one, self._chosen(answer) if all_at_once else answer
                del answer

    def namespaces(self) -> tuple[list[str], bool]:
        """The names to list one by one, or True: list all at once and ask `selected`."""
        patterns = self.setting.namespaces
        literal = bool(patterns) and not any(char in pattern for pattern in patterns for char in _WILD)
        if literal and len(patterns) <= SINGLE_LISTS and not self.setting.namespace_selector:
            return list(patterns), False
        return [], True

    def selected(self, namespace: str) -> bool:
        allowed = self._by_selector()
        return matches(namespace, self.setting.namespaces) and (allowed is None or namespace in allowed)

    def platforms(self) -> dict[str, str]:
        """Node name to `os/architecture`, from the nodes' well-known labels; empty where nodes may not be listed."""
        cached = self.setting.node_platforms
        if cached is None:
            cached = self.setting.node_platforms = {}
            try:
                for page in self.client.list_pages("/api/v1/nodes", accept=METADATA_ONLY):
                    for node in page.objects:
                        labels = (node.get("metadata") or {}).get("labels") or {}
                        system, arch = labels.get("kubernetes.io/os"), labels.get("kubernetes.io/arch")
                        if system and arch:
                            cached[str(node["metadata"]["name"])] = f"{system}/{arch}"
            except KubeError as error:
                self._refused("/api/v1/nodes", error)
        return cached

    def _chosen(self, rows: Rows) -> Rows:
        """Those of the namespaces that are wanted."""
        if not self.setting.namespaces and not self.setting.namespace_selector:
            return rows
        return {key: row for key, row in rows.items() if self.selected(key.partition("/")[0])}

    def _rows(self, wanted: Wanted, namespace: str) -> Rows | KubeError:
        params = {"labelSelector": wanted.label_selector} if wanted.label_selector else None
        path = _path(wanted, namespace)
        listing = Listing(self.client, self.setting.store, path, wanted.extract, params=params, shape=wanted.shape)
        listing.variant = wanted.variant
        try:
            rows = listing.rows()
        except KubeError as error:
            if error.status in (403, 404, 405):
                return error
            raise
        self.incremental = self.incremental and listing.incremental
        return rows

    def _one_by_one(self, wanted: Wanted, error: KubeError) -> t.Iterator[tuple[Wanted, Rows]]:
        """The whole cluster may not be listed: try the namespaces that can be named."""
        names = [name for name in self._visible() if self.selected(name)]
        if not names:
            self._refused(_path(wanted, ""), error)
            return
        for name in names:
            answer = self._rows(wanted, name)
            if isinstance(answer, KubeError):
                self._refused(_path(wanted, name), answer)
            else:
                yield wanted, answer

    def _visible(self) -> list[str]:
        """Namespaces that this user can at least name: OpenShift's own projects, or all where that is allowed."""
        for path in ("/apis/project.openshift.io/v1/projects", "/api/v1/namespaces"):
            try:
                pages = self.client.list_pages(path, accept=METADATA_ONLY)
                return [str(thing["metadata"]["name"]) for page in pages for thing in page.objects]
            except KubeError:
                continue
        return [name for name in self.setting.namespaces if not any(char in name for char in _WILD)]

    def _by_selector(self) -> set[str] | None:
        if not self.setting.namespace_selector:
            return None
        if self.setting.chosen_namespaces is None:
            params = {"labelSelector": self.setting.namespace_selector}
            pages = self.client.list_pages("/api/v1/namespaces", params=params, accept=METADATA_ONLY)
            self.setting.chosen_namespaces = {str(one["metadata"]["name"]) for page in pages for one in page.objects}
        return self.setting.chosen_namespaces

    def _refused(self, path: str, error: KubeError) -> None:
        if error.status == 404 and path.startswith(ABSENT_ON_KUBERNETES):
            return
        self.skipped.append(Skipped(path, error.message, self.source))


def _path(wanted: Wanted, namespace: str) -> str:
    inside = f"namespaces/{namespace}/" if namespace else ""
    return f"{wanted.group}/{inside}{wanted.resource}"
