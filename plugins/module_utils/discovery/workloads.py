# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workloads of any Kubernetes: pods and what runs in them, and the templates that would make pods."""

from __future__ import annotations

import re
import typing as t

from ..model import Image, ScapError, Skipped, Workload
from .catalog import shared
from .cluster import Cluster, Rows, Wanted
from .exposure import Exposure
from .exposure import wanted as exposing
from .interface import Finding, Option, Source
from .names import named, running_reference
from .shapes import SHAPES

MANAGED_BY = "app.kubernetes.io/managed-by"
OWN = "scap.images"
"""The label of this project's own pods: they are neither workloads nor a reason to scan what they scan."""

TEMPLATE = "spec.template.spec"
KINDS = {
    "Pod": ("/api/v1", "pods", "spec"),
    "ReplicationController": ("/api/v1", "replicationcontrollers", TEMPLATE),
    "Deployment": ("/apis/apps/v1", "deployments", TEMPLATE),
    "StatefulSet": ("/apis/apps/v1", "statefulsets", TEMPLATE),
    "DaemonSet": ("/apis/apps/v1", "daemonsets", TEMPLATE),
    "ReplicaSet": ("/apis/apps/v1", "replicasets", TEMPLATE),
    "Job": ("/apis/batch/v1", "jobs", TEMPLATE),
    "CronJob": ("/apis/batch/v1", "cronjobs", "spec.jobTemplate.spec.template.spec"),
    "DeploymentConfig": ("/apis/apps.openshift.io/v1", "deploymentconfigs", TEMPLATE),
}
"""Kind to group path, resource and the path of the pod spec."""

CONTAINERS_LIMIT = 1000
"""Containers and volumes of one object; the API server's own size limit leaves room for fewer."""

_STATUSES = (
    ("containers", "containerStatuses"),
    ("initContainers", "initContainerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
)
_PATH = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\Z")

# A row, as the checkpoint keeps it: [node, pull secrets, [[container, image, imageID, running], ...]], and the pod's
# labels where it is asked what faces outside;
# and for an object that is not to be counted: [reason, image, ...].


class Workloads(Source):
    """Pods by what really runs (imageID), templates by what they name."""

    type = "workloads"
    options: t.ClassVar[dict[str, Option]] = {
        "kinds": Option("list", ["Pod"] + [kind for kind in KINDS if kind != "Pod"]),
        "custom": Option("dicts", []),
    }

    def find(self) -> t.Iterator[Finding]:
        cluster = Cluster(self.setting, self.type)
        kinds = {**{name: _known(name) for name in self.values["kinds"]}, **dict(map(_custom, self.values["custom"]))}
        selector = self.setting.label_selector
        outside = self.setting.exposure
        exposure, around = Exposure(), exposing() if outside else {}
        wanted = {}
        for kind, place in kinds.items():
            group, resource, path = place
            shape = SHAPES.get(kind) if KINDS.get(kind) == place else None
            extract = Extract(path.split("."), outside)
            wanted[Wanted(group, resource, extract, shape, selector, "labels" if outside else "")] = kind
        platforms = cluster.platforms()
        found: dict[tuple[str, str, str], _Places] = {}
        for one, rows in cluster.lists([*around, *wanted]):
            if one in around:
                for key, row in rows.items():
                    namespace, _slash, name = key.rpartition("/")
                    exposure.add(around[one], namespace, name, row)
            else:
                yield from self._of_kind(wanted[one], rows, exposure, platforms, found)
        for (image, running_as, platform), places in found.items():
            yield from self._findings(image, running_as, platform, places)
        yield from cluster.skipped
        self.mode = "incremental" if cluster.incremental else "full"

    def _of_kind(
        self,
        kind: str,
        rows: Rows,
        exposure: Exposure,
        platforms: t.Mapping[str, str],
        found: dict[tuple[str, str, str], _Places],
    ) -> t.Iterator[Skipped]:
        """Add what the rows of one kind name to `found`; what is not to be counted is a record."""
        for key, row in rows.items():
            namespace, _slash, name = key.rpartition("/")
            namespace = shared(namespace)
            if isinstance(row[0], list):
                for image in row[0]:
                    yield self.skipped(image, f"excluded: the scanner's own {kind} {namespace}/{name}")
                continue
            node, secrets, containers, *labels = row
            ways = exposure.of(namespace, labels[0]) if labels else ()
            platform = platforms.get(node, "")
            for container, image, running_as, running in containers:
                places = found.get((image, running_as, platform))
                if places is None:
                    places = found[image, running_as, platform] = _Places()
                places.workloads.append((kind, namespace, name, shared(container), running))
                for secret in secrets:
                    places.secrets.add(f"{namespace}/{secret}")
                places.exposed.update(ways)
                if node and running:
                    places.nodes.add(node)

    def _findings(self, image: str, running_as: str, platform: str, places: _Places) -> t.Iterator[Finding]:
        reference, pinned, problem = named(image)
        if problem:
            if not running_as:
                for kind, namespace, name, container, _running in places.workloads:
                    what = f"{kind} {namespace}/{name}, {container}"
                    yield self.skipped(image, f"{what}: {problem}")
                return
            reference, pinned, problem = named(running_as)
        digest = running_as.rpartition("@")[2] if running_as else pinned
        references = [running_as] if running_as and running_as != reference else []
        yield Image(
            reference,
            digest,
            platform if digest else "",
            references=[reference, *references],
            index_digests=[pinned] if pinned and pinned != digest else [],
            sources=[self.type],
            workloads=[Workload(*place) for place in sorted(places.workloads)],
            pull_secrets=sorted(places.secrets),
            nodes=sorted(places.nodes),
            exposed=sorted(places.exposed),
        )


class _Places:
    """Where one image is named that runs as one digest on one platform."""

    __slots__ = ("exposed", "nodes", "secrets", "workloads")

    def __init__(self) -> None:
        self.workloads: list[tuple[str, str, str, str, bool]] = []
        self.secrets: set[str] = set()
        self.nodes: set[str] = set()
        self.exposed: set[str] = set()


class Extract:
    """What the checkpoint keeps of one object whose pod spec stands at a path."""

    def __init__(self, path: list[str], labels: bool = False) -> None:
        """`labels`: whether the rows have the labels that the pods have."""
        self.path = path
        self.labels = labels

    def __call__(self, thing: dict[str, t.Any]) -> t.Any:
        spec: t.Any = thing
        for step in self.path:
            spec = spec.get(step) if isinstance(spec, dict) else None
        if not isinstance(spec, dict):
            return None
        status = thing.get("status") if self.path == ["spec"] else None
        containers = list(_containers(spec, status if isinstance(status, dict) else {}))[:CONTAINERS_LIMIT]
        labels = (thing.get("metadata") or {}).get("labels") or {}
        if labels.get(MANAGED_BY) == OWN:
            volumes = {volume for volume, _reference in _image_volumes(spec)}
            return [sorted({image for name, image, *_rest in containers if name not in volumes})]
        if not containers:
            return None
        secrets = [str(entry["name"]) for entry in _dicts(spec.get("imagePullSecrets")) if entry.get("name")]
        row = [str(spec.get("nodeName") or ""), secrets, containers]
        return [*row, self._labels(thing)] if self.labels else row

    def _labels(self, thing: t.Any) -> dict[str, str]:
        for step in (*self.path[:-1], "metadata", "labels"):
            thing = thing.get(step) if isinstance(thing, dict) else None
        return {key: text for key, text in (thing or {}).items() if isinstance(text, str)}


def _containers(spec: dict[str, t.Any], status: dict[str, t.Any]) -> t.Iterator[list[t.Any]]:
    for field, statuses in _STATUSES:
        known = {str(entry.get("name")): entry for entry in _dicts(status.get(statuses))}
        for container in _dicts(spec.get(field)):
            name, image = str(container.get("name") or ""), container.get("image")
            entry = known.get(name) or {}
            state = entry.get("state")
            running = isinstance(state, dict) and "running" in state
            if isinstance(image, str) and image:
                yield [name, image, running_reference(str(entry.get("imageID") or "")), running]
    for name, reference in _image_volumes(spec):
        yield [name, reference, "", status.get("phase") == "Running"]


def _image_volumes(spec: dict[str, t.Any]) -> t.Iterator[tuple[str, str]]:
    for volume in _dicts(spec.get("volumes")):
        source = volume.get("image")
        if isinstance(source, dict) and isinstance(source.get("reference"), str):
            yield str(volume.get("name") or ""), source["reference"]


def _dicts(value: t.Any) -> list[dict[str, t.Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _known(kind: str) -> tuple[str, str, str]:
    if kind not in KINDS:
        raise ScapError(
            "source_invalid",
            f"source workloads: {kind!r} is none of its kinds ({', '.join(KINDS)}); give any other one in 'custom'",
        )
    return KINDS[kind]


def _custom(entry: dict[str, t.Any]) -> tuple[str, tuple[str, str, str]]:
    """A kind of the user's: `kind`, `api_version`, `resource` (plural) and `path` of its pod spec."""
    values = [entry.get(name) for name in ("kind", "api_version", "resource", "path")]
    if set(entry) - {"kind", "api_version", "resource", "path"} or not all(isinstance(v, str) and v for v in values):
        raise ScapError(
            "source_invalid",
            "source workloads: an entry of 'custom' has kind, api_version, resource and path"
            " (as spec.template.spec), all texts",
        )
    kind, version, resource, path = (str(value) for value in values)
    if (
        not _PATH.match(path)
        or not re.match(r"[a-z0-9]+\Z", resource)
        or not re.match(r"[a-z0-9.-]+(/[a-z0-9]+)?\Z", version)
    ):
        raise ScapError(
            "source_invalid", f"source workloads: {kind}: {version!r}, {resource!r} or {path!r} is malformed"
        )
    return kind, (f"/apis/{version}" if "/" in version else f"/api/{version}", resource, path)
