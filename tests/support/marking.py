"""A cluster prepared for marking, the marker's own account, and pods that try to get in."""

from __future__ import annotations

import contextlib
import os
import pathlib
import secrets
import subprocess
import time
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.kube.client import Client, connect
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError
from ansible_collections.scap.images.plugins.module_utils.marking import denied, imagescan
from ansible_collections.scap.images.plugins.module_utils.marking.engine import Marker
from ansible_collections.scap.images.plugins.module_utils.marking.install import install
from ansible_collections.scap.images.plugins.module_utils.marking.manifests import manifests
from ansible_collections.scap.images.plugins.module_utils.marking.outcome import Options, Outcome

from tests.support import apiserver

J = t.Dict[str, t.Any]

NAMESPACE = "scap-images"
RUN = secrets.token_hex(3)
"""Namespaces take a while to go: every run has its own."""

TEAM, EXEMPT, LEGACY, PRODUCTION = (f"scap-test-{name}-{RUN}" for name in ("team", "exempt", "legacy", "production"))
DEADLINE = 90.0


@contextlib.contextmanager
def server(folder: pathlib.Path) -> t.Iterator[J]:
    """Authentication options of the running cluster's administrator, else of an API server that is started for this.

    Skips where there is neither.
    """
    root = pathlib.Path(__file__).resolve().parent.parent.parent
    for path in (os.environ.get("SCAP_TEST_KUBECONFIG", ""), str(root / "build" / "cluster" / "kubeconfig")):
        if path and pathlib.Path(path).is_file():
            yield {"kubeconfig": path}
            return
    program = apiserver.binary()
    if program is None:
        pytest.skip("no cluster runs and there is no kube-apiserver (make cluster)")
    with apiserver.running(program, folder) as options:
        yield options


def token(owner: Client, namespace: str, name: str) -> str:
    """A service account's."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    return str(owner.create(path, body).json()["status"]["token"])


def account(owner: Client, namespace: str, name: str) -> Client:
    """A client with the rights of a service account and no others."""
    return connect({"host": owner.host, "api_key": token(owner, namespace, name), "validate_certs": False})


class Cluster:
    """What the tests of marking use."""

    def __init__(self, options: J) -> None:
        self.options = options
        self.admin = connect(options)
        install(self.admin, manifests(NAMESPACE, [EXEMPT]))
        for namespace in (TEAM, EXEMPT, LEGACY):
            self.namespace(namespace)
        self.namespace(PRODUCTION, {"environment": "production"})
        self.marker = account(self.admin, NAMESPACE, "marker")

    @property
    def token(self) -> str:
        """The marker's."""
        return token(self.admin, NAMESPACE, "marker")

    def namespace(self, name: str, labels: t.Mapping[str, str] | None = None) -> None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels or {})}}
        self.admin.apply(f"/api/v1/namespaces/{name}", body)
        user = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
        self.admin.apply(f"/api/v1/namespaces/{name}/serviceaccounts/default", user)

    def run(self, *verdicts: t.Any, images: t.Iterable[t.Any] = (), **changes: t.Any) -> Outcome:
        """Mark as the marker."""
        values: J = {"namespace": NAMESPACE, "stage": "deny", "max_stopped": 100.0, **changes}
        return Marker(self.marker, Options(**values)).mark(list(verdicts), images)

    def lift(self, *names: str) -> Outcome:
        """Lift what these keys mean; everything where none is given."""
        digests: set[str] | None = set() if names else None
        return Marker(self.marker, Options(namespace=NAMESPACE, stage="report")).lift(digests, names)

    def denied(self) -> dict[str, J]:
        return {data["metadata"]["name"]: data for data in self.admin.get(denied.PATH)["items"]}

    def scan(self, digest: str) -> J:
        return self.admin.get(f"{imagescan.PATH}/{imagescan.name(digest)}")

    def try_pod(self, body: J, namespace: str = TEAM) -> tuple[str, list[str]]:
        """The refusal of a pod (empty: it would be created) and the warnings, by dry run."""
        try:
            return "", self.admin.create(f"/api/v1/namespaces/{namespace}/pods", body, dry_run=True).warnings
        except KubeError as error:
            return str((error.body or {}).get("message") or error.message), []

    def kubectl(self, *arguments: str) -> None:
        if "kubeconfig" in self.options:
            access = ["--kubeconfig", self.options["kubeconfig"]]
        else:
            access = [
                "--server",
                self.options["host"],
                "--token",
                self.options["api_key"],
                "--insecure-skip-tls-verify",
            ]
        subprocess.run(["kubectl", *access, *arguments], check=True, capture_output=True)

    def close(self) -> None:
        self.clean()
        for namespace in (TEAM, EXEMPT, LEGACY, PRODUCTION):
            self.admin.delete(f"/api/v1/namespaces/{namespace}")
        self.marker.close()
        self.admin.close()

    def clean(self) -> None:
        with contextlib.suppress(KubeError):
            self.admin.request("DELETE", denied.PATH)
        with contextlib.suppress(KubeError):
            self.admin.request("DELETE", imagescan.PATH)
        install(self.admin, manifests(NAMESPACE, [EXEMPT]))


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    """The cluster, set up for marking; shared by all tests of marking."""
    with contextlib.ExitStack() as stack:
        cluster = Cluster(stack.enter_context(server(tmp_path_factory.mktemp("apiserver"))))
        stack.callback(cluster.close)
        yield cluster


def pod(image: str = "registry.example/innocent:1", **spec: t.Any) -> J:
    """A pod; `spec` overrides its specification."""
    containers = [{"name": "main", "image": image}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "attempt"},
        "spec": {"containers": containers, "automountServiceAccountToken": False, **spec},
    }


def wait(true: t.Callable[[], t.Any], what: str) -> t.Any:
    """Until the condition holds; fails with `what` after DEADLINE seconds."""
    end = time.monotonic() + DEADLINE
    while True:
        value = true()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"not within {DEADLINE:g} s: {what}")
        time.sleep(0.02)
