# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real one-node cluster, as tests use it; `make cluster` runs the same one."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import pathlib
import secrets
import subprocess
import tempfile
import time
import typing as t

from ansible_collections.scap.images.plugins.module_utils.kube.client import Client, connect
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError

from tests.cluster.node import down, programs, up
from tests.cluster.node.place import Place, load
from tests.cluster.node.processes import Ledger

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "build" / "cluster"
DEADLINE = 60.0
J = t.Dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A cluster that runs."""

    place: Place

    @property
    def kubeconfig(self) -> str:
        """The administrator's."""
        return str(self.place.kubeconfig)

    @property
    def registry(self) -> str:
        """host:port that the node pulls from, plain HTTP."""
        return str(self.place.registry)

    @property
    def url(self) -> str:
        return str(self.place.server)

    @property
    def ca(self) -> str:
        """Path of the certificate authority's PEM file."""
        return str(self.place.pki / "ca.crt")

    @functools.cached_property
    def admin(self) -> Client:
        return connect({"kubeconfig": self.kubeconfig})

    def token_for(self, name: str, namespace: str, seconds: int = 3600) -> str:
        """A token of a service account."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        answer = self.admin.create(path, {**body, "spec": {"expirationSeconds": seconds}}).json()
        return str(answer["status"]["token"])

    def access(self, name: str, namespace: str) -> J:
        """Authentication options of a service account."""
        return {"host": self.url, "ca_cert": self.ca, "api_key": self.token_for(name, namespace)}

    def push(self, source: str, name: str) -> str:
        """Copy an image, as skopeo names it, to the registry; `host:port/name@digest` as pods name it."""
        target = f"docker://{self.registry}/{name}"
        with tempfile.NamedTemporaryFile() as digest:
            argv = ["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", "--digestfile", digest.name]
            subprocess.run([*argv, source, target], check=True, stdin=subprocess.DEVNULL)
            return f"{self.registry}/{name.partition(':')[0]}@{pathlib.Path(digest.name).read_text().strip()}"

    @contextlib.contextmanager
    def namespace(self, prefix: str = "scap-test") -> t.Iterator[str]:
        """A namespace of its own, gone afterwards."""
        name = f"{prefix}-{secrets.token_hex(3)}"
        self.admin.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        until(lambda: self.exists(f"/api/v1/namespaces/{name}/serviceaccounts/default"), f"{name} is ready")
        try:
            yield name
        finally:
            self.admin.delete(f"/api/v1/namespaces/{name}")

    def exists(self, path: str) -> bool:
        try:
            self.admin.get(path)
        except KubeError as error:
            if error.status == 404:
                return False
            raise
        return True

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        program = programs.build()["kubectl"]
        argv = [str(program), "--kubeconfig", self.kubeconfig, *arguments]
        done = subprocess.run(argv, check=False, input=stdin, capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout


def possible() -> str:
    """Why no cluster can run here; empty where one can."""
    return "" if os.geteuid() == 0 else "a cluster has network bridges and mounts: it needs root"


@contextlib.contextmanager
def running(folder: pathlib.Path = FOLDER) -> t.Iterator[Cluster]:
    """The cluster in `folder`; stopped afterwards, unless it ran before."""
    there = load(folder) is not None and any(process.alive() for process in Ledger(folder / "processes.json").read())
    cluster = Cluster(up.start(folder))
    try:
        yield cluster
    finally:
        if not there:
            down.stop(folder)


def until(true: t.Callable[[], t.Any], what: str, seconds: float = DEADLINE) -> t.Any:
    """Wait for a condition and return its value; AssertionError with `what` where it does not come true."""
    deadline = time.monotonic() + seconds
    while True:
        value = true()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.05)
