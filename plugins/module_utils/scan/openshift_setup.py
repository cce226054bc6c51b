# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What scanning needs on OpenShift beside kubernetes_setup: a SecurityContextConstraints of its own, and images of the
internal registry (security.openshift.io/v1; the built-in ClusterRole system:image-puller).
"""

from __future__ import annotations

from ..kube.client import Client
from ..model import J
from .kubernetes_job import CAPABILITIES
from .kubernetes_setup import RBAC, SCANNER

SECURITY, IMAGES = "security.openshift.io", "image.openshift.io"


def objects(client: Client, namespace: str) -> list[J]:
    """Manifests; none where the cluster does not serve the two APIs."""
    served = {str(group["name"]) for group in client.get("/apis")["groups"]}
    found = []
    if SECURITY in served:
        found.append(_constraints(namespace))
    if IMAGES in served:
        found.append(_puller(namespace))
    return found


def _constraints(namespace: str) -> J:
    """Allows what kubernetes_job asks for, to the scan pods' account alone."""
    allowed = sorted({name for names in CAPABILITIES.values() for name in names})
    return {
        "apiVersion": f"{SECURITY}/v1",
        "kind": "SecurityContextConstraints",
        "metadata": {
            "name": f"{namespace}-{SCANNER}",
            "labels": {"app.kubernetes.io/managed-by": "scap.images"},
            "annotations": {"kubernetes.io/description": "The scan pods of scap.images: root with a few capabilities."},
        },
        "allowHostDirVolumePlugin": False,
        "allowHostIPC": False,
        "allowHostNetwork": False,
        "allowHostPID": False,
        "allowHostPorts": False,
        "allowPrivilegeEscalation": False,
        "allowPrivilegedContainer": False,
        "allowedCapabilities": allowed,
        "defaultAddCapabilities": [],
        "requiredDropCapabilities": ["ALL"],
        "readOnlyRootFilesystem": False,
        "runAsUser": {"type": "RunAsAny"},
        "seLinuxContext": {"type": "MustRunAs"},
        "fsGroup": {"type": "RunAsAny"},
        "supplementalGroups": {"type": "RunAsAny"},
        "seccompProfiles": ["runtime/default"],
        "volumes": ["configMap", "emptyDir", "image", "projected", "secret"],
        "users": [f"system:serviceaccount:{namespace}:{SCANNER}"],
        "groups": [],
    }


def _puller(namespace: str) -> J:
    """Lets the scan pods' account read the images of the internal registry."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {
            "name": f"{namespace}-image-puller",
            "labels": {"app.kubernetes.io/managed-by": "scap.images"},
        },
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "system:image-puller"},
        "subjects": [{"kind": "ServiceAccount", "name": SCANNER, "namespace": namespace}],
    }
