# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenShift face: an aggregated API server behind the real kube-apiserver."""

from __future__ import annotations

import base64
import typing as t

from .api import Admin
from .control_plane import Programs, flags
from .place import Place

NAMESPACE = "openshift-apiserver"
_GROUP, _VERSION = "image.openshift.io", "v1"
_APISERVICE = f"/apis/apiregistration.k8s.io/v1/apiservices/{_VERSION}.{_GROUP}"


def command(place: Place, programs: Programs) -> list[str]:
    kubeconfig = place.pki / "openshift.kubeconfig"
    options = {
        "etcd-servers": f"http://127.0.0.1:{place.ports['etcd']}",
        "secure-port": place.ports["openshift"],
        "bind-address": place.address,
        "tls-cert-file": place.pki / "openshift.crt",
        "tls-private-key-file": place.pki / "openshift.key",
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "client-ca-file": place.pki / "ca.crt",
        "audit-policy-file": place.data / "audit.json",
        "audit-log-path": place.logs / "openshift-audit.log",
    }
    return [str(programs["openshift"]), *flags(options)]


def register(place: Place, admin: Admin) -> None:
    """Say to the API server where the group is served."""
    base = f"/api/v1/namespaces/{NAMESPACE}"
    metadata = {"name": "openshift", "namespace": NAMESPACE}
    admin.apply(base, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    port = place.ports["openshift"]
    service = {"ports": [{"name": "https", "port": 443, "targetPort": port}]}
    admin.apply(f"{base}/services/openshift", _object("v1", "Service", metadata, spec=service))
    admin.apply(
        f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices/openshift",
        _object(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            {**metadata, "labels": {"kubernetes.io/service-name": "openshift"}},
            addressType="IPv4",
            endpoints=[{"addresses": [place.address], "conditions": {"ready": True}}],
            ports=[{"name": "https", "port": port, "protocol": "TCP"}],
        ),
    )
    spec = {
        "group": _GROUP,
        "version": _VERSION,
        "service": {"name": "openshift", "namespace": NAMESPACE, "port": 443},
        "caBundle": base64.b64encode((place.pki / "ca.crt").read_bytes()).decode(),
        "groupPriorityMinimum": 9900,
        "versionPriority": 15,
    }
    name = {"name": f"{_VERSION}.{_GROUP}"}
    admin.apply(_APISERVICE, _object("apiregistration.k8s.io/v1", "APIService", name, spec=spec))


def available(admin: Admin) -> bool:
    conditions = admin.get(_APISERVICE).get("status", {}).get("conditions", [])
    return any(entry["type"] == "Available" and entry["status"] == "True" for entry in conditions)


def _object(version: str, kind: str, metadata: dict[str, t.Any], **parts: t.Any) -> dict[str, t.Any]:
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **parts}
