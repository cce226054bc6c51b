# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real API server for these tests: the one that `make cluster` runs, else etcd and kube-apiserver alone."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
import yaml

from tests.support import apiserver

_CLUSTER = pathlib.Path(__file__).resolve().parent.parent.parent / "build" / "cluster" / "kubeconfig"


@pytest.fixture(scope="session", autouse=True)
def _api_server(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[None]:
    program = apiserver.binary()
    if os.environ.get("SCAP_TEST_KUBECONFIG") or _CLUSTER.is_file() or program is None:
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
