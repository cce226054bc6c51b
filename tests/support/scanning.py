# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A namespace of the real cluster, set up for scanning, and a controller with the shipped rights alone."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import secrets
import typing as t

from ansible_collections.scap.images.plugins.module_utils.kube.client import Client, connect
from ansible_collections.scap.images.plugins.module_utils.marking.install import install, remove
from ansible_collections.scap.images.plugins.module_utils.model import Image, to_json
from ansible_collections.scap.images.plugins.module_utils.scan import kubernetes_setup
from ansible_collections.scap.images.plugins.module_utils.scan.engine import Scanned, scan
from ansible_collections.scap.images.plugins.module_utils.scan.interface import Settings
from ansible_collections.scap.images.plugins.module_utils.scan.kubernetes import KubernetesExecutor, KubernetesOptions
from ansible_collections.scap.images.plugins.module_utils.scan.kubernetes_job import PodOptions
from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.records import Access

from . import scanner_image
from .kube import Cluster, until

CONTENT = "/usr/share/xml/scap/ssg/content/ssg-debian11-ds.xml"


@dataclasses.dataclass(frozen=True)
class Scanning:
    """What tests of scanning in the cluster use."""

    cluster: Cluster
    namespace: str
    scanner: str
    """The scanner image."""
    client: Client
    """The controller's, with its own rights and no others."""

    def executor(self, rungs: t.Sequence[str] = (), timeout: float = 300.0, **pods: t.Any) -> KubernetesExecutor:
        options = PodOptions(**{"namespace": self.namespace, "image": self.scanner, **pods})
        access = Access(tls_verify=False, timeout=timeout)
        return KubernetesExecutor(self.client, KubernetesOptions(options, access, rungs))

    def scan(
        self, images: t.Sequence[Image], settings: Settings, rungs: t.Sequence[str] = (), **pods: t.Any
    ) -> list[Scanned]:
        return list(scan(images, self.executor(rungs, settings.timeout, **pods), settings))

    def orders(self, images: t.Sequence[Image], settings: Settings, *, canaries: bool = True, **pods: t.Any) -> str:
        """What tests.support.controller is given to scan these; `pods`: more PodOptions."""
        return json.dumps(
            {
                **self.cluster.access(kubernetes_setup.CONTROLLER, self.namespace),
                "pods": {"namespace": self.namespace, "image": self.scanner, **pods},
                "images": [to_json(image) for image in images],
                "settings": dataclasses.asdict(settings),
                "canaries": canaries,
            }
        )

    def pushed(self, source: str, name: str) -> Image:
        """An image in the cluster's registry, as discovery would describe it."""
        reference = self.cluster.push(source, name).replace(self.cluster.registry, self.cluster.place.pod_registry, 1)
        return Image(reference=f"docker://{reference}", digest=reference.rpartition("@")[2], platform="linux/amd64")

    @property
    def jobs(self) -> str:
        return f"/apis/batch/v1/namespaces/{self.namespace}/jobs"

    @property
    def pods(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"


@contextlib.contextmanager
def prepared(cluster: Cluster) -> t.Iterator[Scanning]:
    namespace = f"scap-scan-{secrets.token_hex(3)}"
    objects = kubernetes_setup.objects(namespace)
    install(cluster.admin, objects)
    try:
        account = f"/api/v1/namespaces/{namespace}/serviceaccounts/{kubernetes_setup.CONTROLLER}"
        until(lambda: cluster.exists(account), "the controller's account is there")
        client = connect(cluster.access(kubernetes_setup.CONTROLLER, namespace))
        yield Scanning(cluster, namespace, scanner_image.pushed(cluster), client)
        client.close()
    finally:
        remove(cluster.admin, objects)
