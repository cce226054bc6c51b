# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that is too old for a rung: a real API server that emulates Kubernetes 1.33, which drops image volumes."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.kube.client import Client, connect
from ansible_collections.scap.images.plugins.module_utils.marking.install import install
from ansible_collections.scap.images.plugins.module_utils.model import Image, ScapError
from ansible_collections.scap.images.plugins.module_utils.scan import kubernetes_setup
from ansible_collections.scap.images.plugins.module_utils.scan.engine import scan
from ansible_collections.scap.images.plugins.module_utils.scan.interface import Settings
from ansible_collections.scap.images.plugins.module_utils.scan.kubernetes import KubernetesExecutor, KubernetesOptions
from ansible_collections.scap.images.plugins.module_utils.scan.kubernetes_job import PodOptions
from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.records import Access
from ansible_collections.scap.images.plugins.module_utils.scanner.pod import COPY, PULL, USERNS

from tests.support import apiserver

NAMESPACE = "scap-old"
IMAGE = Image(reference=f"docker://example.test/a@sha256:{1:064x}", digest=f"sha256:{1:064x}", platform="linux/amd64")

pytestmark = pytest.mark.usefixtures("without_canaries")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Client]:
    program = apiserver.binary()
    if program is None:
        pytest.skip("no kube-apiserver: make cluster builds one")
    with apiserver.server(program, tmp_path_factory.mktemp("old"), "--emulated-version=1.33") as server:
        client = connect(server.options)
        install(client, kubernetes_setup.objects(NAMESPACE))
        yield client
        client.close()


def _executor(client: Client, *rungs: str) -> KubernetesExecutor:
    pods = PodOptions(namespace=NAMESPACE, image="example.test/scanner:1")
    return KubernetesExecutor(client, KubernetesOptions(pods, Access(), rungs))


def test_check_mode_names_the_rung_that_is_left(old: Client, settings: Settings) -> None:
    assert _executor(old).check([IMAGE], settings) == [(IMAGE, PULL)]
    with pytest.raises(ScapError, match="the feature gate ImageVolume") as refused:
        _executor(old, USERNS, COPY).check([IMAGE], settings)
    assert refused.value.code == "no_rung"


def test_a_scan_says_so_and_leaves_no_job(old: Client, settings: Settings) -> None:
    (found,) = scan([IMAGE], _executor(old, USERNS, COPY), settings)
    error = found.evidence.error
    assert error is not None
    assert error.code == "no_rung"
    assert "Kubernetes 1.35 and later have them" in error.message
    assert old.get(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs")["items"] == []
