# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that pull with credentials: those of the image's own pods, a named secret, those of the scanner's account."""

from __future__ import annotations

import base64
import contextlib
import json
import pathlib
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import Image
from ansible_collections.scap.images.plugins.module_utils.scan.engine import Scanned, scan
from ansible_collections.scap.images.plugins.module_utils.scan.interface import Settings
from ansible_collections.scap.images.plugins.module_utils.scan.kubernetes import KubernetesExecutor, KubernetesOptions
from ansible_collections.scap.images.plugins.module_utils.scan.kubernetes_job import PodOptions
from ansible_collections.scap.images.plugins.module_utils.scan.kubernetes_setup import CONTROLLER, SCANNER
from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.records import Access
from ansible_collections.scap.images.plugins.module_utils.scanner.pod import PULL

from tests.data import tiny
from tests.support import kube, registry, scanning

PASSWORD = "correct-horse-battery"


class Guarded(t.NamedTuple):
    place: scanning.Scanning
    server: registry.Guarded
    reference: str
    folder: pathlib.Path

    def scan(self, pull_secrets: t.Sequence[str] = (), pull_secret: str = "") -> Scanned:
        """With TLS against the registry's own authority."""
        digest = self.reference.rpartition("@")[2]
        image = Image(self.reference, digest, platform="linux/amd64", pull_secrets=list(pull_secrets))
        pods = PodOptions(namespace=self.place.namespace, image=self.place.scanner, pull_secret=pull_secret)
        options = KubernetesOptions(pods, Access(ca_file=str(self.server.authority)), [PULL])
        settings = Settings(
            dir=str(self.folder), datastream=scanning.CONTENT, profile="standard", timeout=300.0, reuse=False
        )
        (found,) = scan([image], KubernetesExecutor(self.place.client, options), settings)
        return found


@pytest.fixture(scope="module")
def guarded(cluster: kube.Cluster, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "scap").mkdir()
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(scanning.prepared(cluster))
        host = cluster.place.address
        server = stack.enter_context(registry.guarded(folder / "registry", "shop", PASSWORD, host))
        source = tiny.layout(folder / "tiny", {"etc/guarded": "x"})
        server.push(source, "guarded:1")
        digest = cluster.push(source, "guarded:1").rpartition("@")[2]
        reference = f"docker://{server.address}/guarded@{digest}"
        yield Guarded(place, server, reference, folder / "scap")


def _secret(guarded: Guarded, namespace: str, name: str, legacy: bool = False) -> None:
    token = base64.b64encode(f"shop:{PASSWORD}".encode()).decode()
    auths = {f"https://{guarded.server.address}/v2/": {"auth": token}, "other.example": {"auth": "b3RoZXI6b3RoZXI="}}
    if legacy:
        auths = {guarded.server.address: {"auth": token}}
    key, value = (".dockercfg", auths) if legacy else (".dockerconfigjson", {"auths": auths})
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": f"kubernetes.io/{key.lstrip('.')}",
        "metadata": {"name": name},
        "data": {key: base64.b64encode(json.dumps(value).encode()).decode()},
    }
    guarded.place.cluster.admin.create(f"/api/v1/namespaces/{namespace}/secrets", body)


def _secrets(guarded: Guarded) -> list[str]:
    found = guarded.place.cluster.admin.get(f"/api/v1/namespaces/{guarded.place.namespace}/secrets")["items"]
    return [entry["metadata"]["name"] for entry in found]


def test_the_secret_of_the_images_own_pods_where_it_may_be_read(guarded: Guarded) -> None:
    admin, namespace = guarded.place.cluster.admin, guarded.place.namespace
    with guarded.place.cluster.namespace("scap-shop") as shop:
        _secret(guarded, shop, "shop-registry")
        error = guarded.scan([f"{shop}/shop-registry"]).evidence.error
        assert error is not None
        assert error.code == "registry_unauthorized", error
        assert f"{shop}/shop-registry cannot be read" in error.message
        assert 'resources: ["secrets"], verbs: ["get"]' in error.message
        rbac = "rbac.authorization.k8s.io"
        binding = {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "scans"},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": f"{namespace}-pull-secrets"},
            "subjects": [{"kind": "ServiceAccount", "name": CONTROLLER, "namespace": namespace}],
        }
        admin.create(f"/apis/{rbac}/v1/namespaces/{shop}/rolebindings", binding)
        found = guarded.scan([f"{shop}/shop-registry"])
    assert found.evidence.error is None, found.evidence.error
    kube.until(lambda: not _secrets(guarded), "the copy has gone with its Job")
    for path in guarded.folder.rglob("*"):
        assert path.is_dir() or PASSWORD.encode() not in path.read_bytes()
    log = (guarded.place.cluster.place.logs / "audit.log").read_text(errors="replace")
    assert PASSWORD not in log


def test_a_named_secret_and_the_accounts_own(guarded: Guarded) -> None:
    admin, namespace = guarded.place.cluster.admin, guarded.place.namespace
    _secret(guarded, namespace, "named")
    try:
        named = guarded.scan(["nowhere/else"], "named")
        assert named.evidence.error is None, named.evidence.error
    finally:
        admin.delete(f"/api/v1/namespaces/{namespace}/secrets/named")
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/{SCANNER}"
    _secret(guarded, namespace, "scanner-dockercfg-x", legacy=True)
    admin.patch(account, {"imagePullSecrets": [{"name": "scanner-dockercfg-x"}]})
    try:
        own = guarded.scan()
        assert own.evidence.error is None, own.evidence.error
    finally:
        admin.patch(account, {"imagePullSecrets": None})
        admin.delete(f"/api/v1/namespaces/{namespace}/secrets/scanner-dockercfg-x")
