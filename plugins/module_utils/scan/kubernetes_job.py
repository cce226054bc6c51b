# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Kubernetes executor puts into the cluster: the Job of one image."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ..model import Image, J
from ..reference import parse
from ..scanner.places import CONTENT, IMAGE, PROGRAM, PULL_SECRETS, WORK
from ..scanner.pod import COPY, PULL, USERNS

GROUP = "scap-images.github.io"
NO_IMAGE_VOLUMES = (
    "this cluster knows no image volumes (Kubernetes 1.35 and later have them, 1.31 to 1.34 with the feature gate "
    "ImageVolume); allow the rung pull"
)
LABELS = {"app.kubernetes.io/managed-by": "scap.images", "app.kubernetes.io/component": "scan"}
SELECTOR = ",".join(f"{key}={value}" for key, value in LABELS.items())
NETWORK = f"{GROUP}/network"
"""Label of scan pods: `none` or `registry`; what the network policies select by."""
IMAGE_ANNOTATION = f"{GROUP}/image"
CONTAINER = "scanner"
ZIPAPP = "scanner.pyz"

CAPABILITIES: dict[str, list[str]] = {
    USERNS: ["SYS_ADMIN", "SYS_CHROOT", "DAC_OVERRIDE"],
    COPY: ["SYS_CHROOT", "DAC_OVERRIDE", "CHOWN", "FOWNER", "FSETID"],
    PULL: ["SYS_CHROOT", "DAC_OVERRIDE", "CHOWN", "FOWNER", "FSETID"],
}
"""All that a rung's container keeps. SYS_ADMIN of the first is good in the pod's own user namespace alone. Without
FSETID a copied file of another group loses its setgid bit, and the rule that looks for it would pass."""

_LOST_PODS = 3
"""Pods that a Job may lose by deletion; evictions are not counted."""
_KILLED = (137, 143)
"""Exit status of a container that was killed from outside."""

_START = """\
import sys, zipimport

class Importer(zipimport.zipimporter):
    def get_filename(self, fullname):  # Python's own compiles the module, before get_code compiles it
        name = fullname.rpartition(".")[2] + ("/__init__" if self.is_package(fullname) else "")
        return f"{self.archive}/{self.prefix}{name}.py"

sys.path_hooks.insert(0, Importer)
sys.path.insert(0, "%s")
from scap_images.scanner.%s import main

sys.exit(main(%s))
"""
POD = ["python3", "-I", "-S", "-c", _START % (f"{PROGRAM}/{ZIPAPP}", "pod", "sys.argv[1:]")]
HANDOVER = ["python3", "-I", "-S", "-c", _START % (f"{PROGRAM}/{ZIPAPP}", "handover", "")]


@dataclasses.dataclass(frozen=True)
class PodOptions:
    """What the user decides about scan pods."""

    namespace: str
    image: str
    """The scanner image."""
    account: str = "scanner"
    pull_secret: str = ""
    """Name of a kubernetes.io/dockerconfigjson secret in the namespace."""
    priority_class: str = ""
    node_selector: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    tolerations: t.Sequence[J] = ()
    affinity: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    """As a Pod's specification has it; a preference for nodes that have the image is added where it has none."""
    memory: int = 0
    """Bytes a scan may take at first; 0: what the content needs."""
    storage: int = 0
    """Bytes of ephemeral storage; 0: what the image and the content need."""
    ttl: int = 300
    """Seconds that a finished Job stays."""
    hold: int = 3600
    """Seconds that a pod holds its evidence for the controller."""


@dataclasses.dataclass(frozen=True)
class Work:
    """One Job to be made."""

    name: str
    image: Image
    rung: str
    memory: int
    """Limit of the container, bytes."""
    storage: int
    """Limit of ephemeral storage, bytes."""
    spec: J
    """What scanner.pod is given."""
    maps: t.Sequence[str]
    """ConfigMaps that hold content."""
    program: str
    """ConfigMap that holds the zipapp."""
    owner: str
    """Its uid."""
    seconds: int
    """The whole Job's deadline."""
    copied: bool = False
    """Whether a secret with the Job's name holds the credentials of the image's own pods."""
    secrets: t.Sequence[str] = ()
    """Secrets of the scanner's account that are mounted where no other is."""


def pinned(image: Image) -> str:
    """The image as a pod names it: `host/name@digest`."""
    return parse(image.reference).name + f"@{image.digest}"


def job(work: Work, options: PodOptions) -> J:
    """The Job of one image (batch/v1)."""
    labels = {**LABELS, NETWORK: "registry" if work.rung == PULL else "none"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": work.name,
            "namespace": options.namespace,
            "labels": labels,
            "annotations": {IMAGE_ANNOTATION: work.image.reference},
            "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": work.program, "uid": work.owner}],
        },
        "spec": {
            "backoffLimit": _LOST_PODS,
            "activeDeadlineSeconds": work.seconds,
            "ttlSecondsAfterFinished": options.ttl,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                    {"action": "FailJob", "onExitCodes": {"operator": "NotIn", "values": list(_KILLED)}},
                ]
            },
            "template": {
                "metadata": {"labels": labels, "annotations": {IMAGE_ANNOTATION: work.image.reference}},
                "spec": _pod(work, options),
            },
        },
    }


def plain_pod(account: str) -> J:
    """What every pod of ours has: no token, and no second life."""
    return {
        "restartPolicy": "Never",
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
    }


def has_image_volume(made: J) -> bool:
    """Whether the API server has kept the image volume of a Job; one that does not know them drops it."""
    return any("image" in volume for volume in made["spec"]["template"]["spec"].get("volumes") or [])


def _pod(work: Work, options: PodOptions) -> J:
    spec: J = {
        **plain_pod(options.account),
        "hostUsers": work.rung != USERNS,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "nodeSelector": {**_platform(work), **options.node_selector},
        "containers": [_container(work, options)],
        "volumes": _volumes(work, options),
    }
    if work.rung != USERNS:
        del spec["hostUsers"]
    if options.tolerations:
        spec["tolerations"] = list(options.tolerations)
    if options.priority_class:
        spec["priorityClassName"] = options.priority_class
    own = options.pull_secret or (work.name if work.copied else "")
    if own:
        spec["imagePullSecrets"] = [{"name": own}]
    affinity = dict(options.affinity)
    if work.image.nodes and work.rung != PULL:
        affinity.setdefault("nodeAffinity", _where_it_is(work.image.nodes))
    if affinity:
        spec["affinity"] = affinity
    return spec


def _platform(work: Work) -> dict[str, str]:
    """Only a node of the image's own platform can mount it; its files can be read on any."""
    parts = work.image.platform.split("/") if work.rung != PULL else []
    names = ("kubernetes.io/os", "kubernetes.io/arch")
    return dict(zip(names, parts)) if len(parts) > 1 else {"kubernetes.io/os": "linux"}


def _where_it_is(nodes: t.Sequence[str]) -> J:
    """Prefer a node that has pulled the image already."""
    wanted = {"key": "kubernetes.io/hostname", "operator": "In", "values": list(nodes[:50])}
    terms = [{"weight": 100, "preference": {"matchExpressions": [wanted]}}]
    return {"preferredDuringSchedulingIgnoredDuringExecution": terms}


def _container(work: Work, options: PodOptions) -> J:
    mounts = [
        {"name": "program", "mountPath": PROGRAM, "readOnly": True},
        {"name": "work", "mountPath": WORK},
    ]
    if work.maps:
        mounts.append({"name": "content", "mountPath": CONTENT, "readOnly": True})
    if work.rung != PULL:
        mounts.append({"name": "image", "mountPath": IMAGE, "readOnly": True})
    else:
        for number, _secret in enumerate(_mounted(work, options)):
            mounts.append({"name": f"pull-{number}", "mountPath": f"{PULL_SECRETS}/{number}", "readOnly": True})
    return {
        "name": CONTAINER,
        "image": options.image,
        "command": [*POD, json.dumps(work.spec, sort_keys=True)],
        "volumeMounts": mounts,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {
            "requests": {"cpu": "100m", "memory": str(work.memory // 4), "ephemeral-storage": str(work.storage // 4)},
            "limits": {"cpu": "2", "memory": str(work.memory), "ephemeral-storage": str(work.storage)},
        },
        "securityContext": {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "capabilities": {"drop": ["ALL"], "add": CAPABILITIES[work.rung]},
        },
    }


def _volumes(work: Work, options: PodOptions) -> list[J]:
    volumes: list[J] = [
        {"name": "program", "configMap": {"name": work.program}},
        {"name": "work", "emptyDir": {"sizeLimit": str(work.storage)}},
    ]
    if work.maps:
        sources = [{"configMap": {"name": name}} for name in work.maps]
        volumes.append({"name": "content", "projected": {"sources": sources}})
    if work.rung != PULL:
        volumes.append({"name": "image", "image": {"reference": pinned(work.image), "pullPolicy": "IfNotPresent"}})
    else:
        for number, name in enumerate(_mounted(work, options)):
            secret = {"secretName": name, "defaultMode": 0o400}
            volumes.append({"name": f"pull-{number}", "secret": secret})
    return volumes


def _mounted(work: Work, options: PodOptions) -> t.Sequence[str]:
    """The secrets that a pod which pulls is given as files."""
    if options.pull_secret:
        return [options.pull_secret]
    return [work.name] if work.copied else work.secrets
