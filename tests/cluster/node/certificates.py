# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's own certificate authority, its certificates, and the kubeconfig files that use them."""

from __future__ import annotations

import base64
import json
import pathlib
import subprocess
import typing as t

from .place import Place

_DAYS = "3650"
_SUBJECTS = {
    "admin": "/O=system:masters/CN=scap-tests-admin",
    "apiserver": "/CN=kube-apiserver",
    "kubelet-client": "/O=system:masters/CN=kube-apiserver-kubelet-client",
    "front-proxy": "/CN=front-proxy-client",
    "controller-manager": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "kubelet": "/O=system:nodes/CN=system:node:node1",
    "openshift": "/O=system:masters/CN=openshift-apiserver",
}
KUBECONFIGS = ("controller-manager", "scheduler", "kubelet", "openshift")


def make(place: Place) -> None:
    """All keys and certificates, once; `pki/made` is written last."""
    folder = place.pki
    if (folder / "made").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    _openssl(folder, "req", "-x509", *_new_key("ca"), "-days", _DAYS, "-subj", "/CN=scap-tests", "-out", "ca.crt")
    names = _alternative_names(place)
    for name, subject in _SUBJECTS.items():
        _certificate(folder, name, subject, names)
    _openssl(folder, "genrsa", "-out", "accounts.key", "2048")
    _openssl(folder, "rsa", "-in", "accounts.key", "-pubout", "-out", "accounts.pub")
    for name in KUBECONFIGS:
        _write_kubeconfig(place, name, folder / f"{name}.kubeconfig")
    (folder / "made").touch()


def write_admin(place: Place) -> None:
    """The administrator's kubeconfig, which says that the cluster is there."""
    _write_kubeconfig(place, "admin", place.kubeconfig)


def _alternative_names(place: Place) -> str:
    hosts = ["localhost", "node1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    hosts.append("openshift.openshift-apiserver.svc")
    addresses = ["127.0.0.1", "10.96.0.1", place.address]
    return ",".join([f"DNS:{host}" for host in hosts] + [f"IP:{address}" for address in addresses])


def _new_key(name: str) -> list[str]:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key"]


def _certificate(folder: pathlib.Path, name: str, subject: str, names: str) -> None:
    _openssl(folder, "req", *_new_key(name), "-subj", subject, "-out", f"{name}.csr")
    (folder / "extensions").write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
    argv = ["x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"]
    _openssl(folder, *argv, "-days", _DAYS, "-extfile", "extensions", "-out", f"{name}.crt")


def _openssl(folder: pathlib.Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(arguments)}: {done.stderr}")


def _write_kubeconfig(place: Place, name: str, path: pathlib.Path) -> None:
    def data(file: str) -> str:
        return base64.b64encode((place.pki / file).read_bytes()).decode()

    user = {"client-certificate-data": data(f"{name}.crt"), "client-key-data": data(f"{name}.key")}
    config: dict[str, t.Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "tests", "cluster": {"server": place.server, "certificate-authority-data": data("ca.crt")}}
        ],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": name}}],
        "current-context": "tests",
    }
    part = path.with_name(f"{path.name}.part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(config, indent=1))
    part.rename(path)
