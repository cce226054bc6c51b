# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster of these tests: the one that runs already, else one that is started once and stopped at the end.

Where no node can run (no root, no Go) the tests that need the API alone get etcd and kube-apiserver.
"""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
import yaml
from ansible_collections.scap.images.plugins.module_utils.model import Check
from ansible_collections.scap.images.plugins.module_utils.scan import engine
from ansible_collections.scap.images.plugins.module_utils.scan.interface import Settings
from ansible_collections.scap.images.plugins.module_utils.store import CANARY_CHECK

from tests.support import apiserver, kube, scanning


@pytest.fixture(scope="session")
def _whole_cluster() -> t.Iterator[kube.Cluster | None]:
    if os.environ.get("SCAP_TEST_KUBECONFIG") or kube.possible():
        yield None
        return
    with kube.running() as cluster:
        os.environ["SCAP_TEST_KUBECONFIG"] = cluster.kubeconfig
        try:
            yield cluster
        finally:
            del os.environ["SCAP_TEST_KUBECONFIG"]


@pytest.fixture(scope="session")
def cluster(_whole_cluster: kube.Cluster | None) -> kube.Cluster:
    """A whole node."""
    if _whole_cluster is None:
        pytest.skip(kube.possible() or "SCAP_TEST_KUBECONFIG names another cluster")
    return _whole_cluster


@pytest.fixture(scope="module")
def place(cluster: kube.Cluster) -> t.Iterator[scanning.Scanning]:
    """A namespace for scans, one a file of tests."""
    with scanning.prepared(cluster) as found:
        yield found


@pytest.fixture
def settings(tmp_path: pathlib.Path) -> Settings:
    folder = tmp_path / "scap"
    folder.mkdir()
    return Settings(dir=str(folder), datastream=scanning.CONTENT, profile="standard", timeout=300.0)


@pytest.fixture
def without_canaries(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the pods of other images: the canaries' own are test_scanning_canaries'."""
    monkeypatch.setattr(engine, "prove", lambda *_unused: Check(CANARY_CHECK, True, "not scanned in this test"))


@pytest.fixture(scope="session", autouse=True)
def _api_server(_whole_cluster: kube.Cluster | None, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[None]:
    program = apiserver.binary()
    if os.environ.get("SCAP_TEST_KUBECONFIG") or program is None:
        yield
        return
    folder = tmp_path_factory.mktemp("apiserver")
    with apiserver.running(program, folder) as options:
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(_kubeconfig(options)))
        path.chmod(0o600)
        os.environ["SCAP_TEST_KUBECONFIG"] = str(path)
        try:
            yield
        finally:
            del os.environ["SCAP_TEST_KUBECONFIG"]


def _kubeconfig(options: dict[str, t.Any]) -> dict[str, t.Any]:
    cluster = {"server": options["host"], "insecure-skip-tls-verify": True}
    context = {"cluster": "tests", "user": "admin"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": options["api_key"]}}],
        "contexts": [{"name": "tests", "context": context}],
        "current-context": "tests",
    }
