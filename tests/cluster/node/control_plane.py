# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd, kube-apiserver, kube-controller-manager, kube-scheduler: how each is started."""

from __future__ import annotations

import pathlib
import typing as t

from .place import Place

SERVICES = "10.96.0.0/16"
ISSUER = "https://kubernetes.default.svc"
_QUICK = {"kube-api-qps": 200, "kube-api-burst": 400}
"""By default Kubernetes' own controllers ask an API server 20 times a second at most, as one of many clients of a large
cluster."""
Programs = t.Mapping[str, pathlib.Path]


def etcd(place: Place) -> list[str]:
    client, peer = (f"http://127.0.0.1:{place.ports[name]}" for name in ("etcd", "etcd_peer"))
    return [
        *("etcd", "--name", "tests", "--data-dir", str(place.data / "etcd"), "--unsafe-no-fsync"),
        *("--listen-client-urls", client, "--advertise-client-urls", client, "--log-level", "warn"),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"tests={peer}"),
    ]


def apiserver(place: Place, programs: Programs) -> list[str]:
    pki = place.pki
    options = {
        "etcd-servers": f"http://127.0.0.1:{place.ports['etcd']}",
        "service-cluster-ip-range": SERVICES,
        "secure-port": place.ports["apiserver"],
        "bind-address": "0.0.0.0",
        "advertise-address": place.address,
        "tls-cert-file": pki / "apiserver.crt",
        "tls-private-key-file": pki / "apiserver.key",
        "client-ca-file": pki / "ca.crt",
        "service-account-key-file": pki / "accounts.pub",
        "service-account-signing-key-file": pki / "accounts.key",
        "service-account-issuer": ISSUER,
        "authorization-mode": "Node,RBAC",
        "kubelet-client-certificate": pki / "kubelet-client.crt",
        "kubelet-client-key": pki / "kubelet-client.key",
        "kubelet-certificate-authority": pki / "ca.crt",
        "kubelet-preferred-address-types": "InternalIP",
        "allow-privileged": "true",
        "endpoint-reconciler-type": "none",
        "requestheader-client-ca-file": pki / "ca.crt",
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
        "proxy-client-cert-file": pki / "front-proxy.crt",
        "proxy-client-key-file": pki / "front-proxy.key",
        "enable-aggregator-routing": "true",
        "audit-policy-file": place.data / "audit.json",
        "audit-log-path": place.logs / "audit.log",
        "profiling": "false",
    }
    return [str(programs["kube-apiserver"]), *flags(options)]


def controller_manager(place: Place, programs: Programs) -> list[str]:
    options = {
        "kubeconfig": place.pki / "controller-manager.kubeconfig",
        "use-service-account-credentials": "true",
        "service-account-private-key-file": place.pki / "accounts.key",
        "root-ca-file": place.pki / "ca.crt",
        "leader-elect": "false",
        "secure-port": 0,
        **_QUICK,
    }
    return [str(programs["kube-controller-manager"]), *flags(options)]


def scheduler(place: Place, programs: Programs) -> list[str]:
    options = {"kubeconfig": place.pki / "scheduler.kubeconfig", "leader-elect": "false", "secure-port": 0, **_QUICK}
    return [str(programs["kube-scheduler"]), *flags(options)]


def flags(options: t.Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in options.items()]
