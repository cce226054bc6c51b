# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would not start again if some images were denied."""

from __future__ import annotations

import dataclasses
import typing as t

from ..model import J
from . import keys

_LISTS = (
    ("containers", "containerStatuses"),
    ("initContainers", "initContainerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
)


@dataclasses.dataclass(frozen=True)
class Stopped:
    """One workload that runs an image that is to be denied."""

    kind: str
    namespace: str
    name: str
    pods: int
    images: list[str]
    """The images as its pods name them."""
    digests: list[str]
    """The digests that are to be denied."""


@dataclasses.dataclass(frozen=True)
class Blast:
    """The radius of a denial."""

    running: int
    """Pods that run now outside the exempt namespaces."""
    stopped: int
    """Those among them that would be refused if they were created again."""
    workloads: list[Stopped]

    @property
    def percent(self) -> float:
        return 100.0 * self.stopped / self.running if self.running else 0.0

    def said(self, shown: int = 10) -> str:
        """`2 of 120 running pods (2 %): Deployment shop/web`."""
        names = ", ".join(f"{one.kind} {one.namespace}/{one.name}" for one in self.workloads[:shown])
        more = f" and {len(self.workloads) - shown} more" if len(self.workloads) > shown else ""
        return f"{self.stopped} of {self.running} running pods ({self.percent:.0f} %): {names}{more}"


def measure(pods: t.Iterable[J], denied: t.Mapping[str, str], exempt: t.Callable[[str], bool]) -> Blast:
    """The blast radius among `pods` (the items of a pod list).

    `denied`: every key that is to be denied to the digest that it stands for; `exempt`: whether a namespace is.
    A pod counts by what it names and by what it runs (imageID): a moved tag is found by its digest.
    """
    running = stopped = 0
    found: dict[tuple[str, str, str], tuple[set[str], set[str], int]] = {}
    for pod in pods:
        namespace = pod["metadata"].get("namespace", "")
        if pod.get("status", {}).get("phase") not in ("Running", "Pending") or exempt(namespace):
            continue
        running += 1
        hits = _hits(pod, denied)
        if not hits:
            continue
        stopped += 1
        owner = _owner(pod)
        images, digests, count = found.get(owner, (set(), set(), 0))
        found[owner] = images | set(hits), digests | set(hits.values()), count + 1
    workloads = [
        Stopped(kind, namespace, name, count, sorted(images), sorted(digests))
        for (namespace, kind, name), (images, digests, count) in sorted(found.items())
    ]
    return Blast(running, stopped, workloads)


def _hits(pod: J, denied: t.Mapping[str, str]) -> dict[str, str]:
    """The pod's images that are to be denied, to the digest."""
    hits = {}
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    for containers, statuses in _LISTS:
        ran = {one.get("name"): one.get("imageID") or "" for one in status.get(statuses) or []}
        for container in spec.get(containers) or []:
            image = container.get("image") or ""
            for key in [*keys.looked_up(image), ran.get(container.get("name"), "").rsplit("@", 1)[-1]]:
                if key in denied:
                    hits[image] = denied[key]
    for volume in spec.get("volumes") or []:
        image = (volume.get("image") or {}).get("reference") or ""
        for key in keys.looked_up(image) if image else ():
            if key in denied:
                hits[image] = denied[key]
    return hits


def _owner(pod: J) -> tuple[str, str, str]:
    """Namespace, kind and name of what would create the pod again; a ReplicaSet's Deployment by the pod's hash."""
    metadata = pod["metadata"]
    namespace, name = metadata.get("namespace", ""), metadata.get("name", "")
    for reference in metadata.get("ownerReferences") or []:
        if reference.get("controller"):
            kind, name = reference.get("kind", ""), reference.get("name", "")
            digest = (metadata.get("labels") or {}).get("pod-template-hash")
            if kind == "ReplicaSet" and digest and name.endswith(f"-{digest}"):
                return namespace, "Deployment", name[: -len(digest) - 1]
            return namespace, kind, name
    return namespace, "Pod", name
