# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node of the real cluster that runs nothing: its pods wait, hand over a small evidence, and end.

What thousands of scans cost the control plane can be seen with it on a machine that has no room for as many
containers. API server, etcd, scheduler and the Job controller are the real ones; in the place of a kubelet, this says
that pods run, and answers their exec as scanner.handover does.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import hashlib
import io
import json
import ssl
import tarfile
import threading
import time
import typing as t

from aiohttp import WSMsgType, web
from ansible_collections.scap.images.plugins.module_utils.kube.client import Client, connect
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError
from ansible_collections.scap.images.plugins.module_utils.model import (
    Evidence,
    OperatingSystem,
    Reason,
    ScanInfo,
    now,
    to_json,
)
from ansible_collections.scap.images.plugins.module_utils.reference import parse
from ansible_collections.scap.images.plugins.module_utils.scan.kubernetes_job import CONTAINER, IMAGE_ANNOTATION

from .kube import Cluster

NAME = "hollow"
TAINT = {"key": "scap-images.github.io/hollow", "effect": "NoSchedule"}
PODS = {"node_selector": {"kubernetes.io/hostname": NAME}, "tolerations": [{**TAINT, "operator": "Exists"}]}
"""PodOptions of scans that run on it."""
_NODE = f"/api/v1/nodes/{NAME}"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_PROTOCOL = "v4.channel.k8s.io"
_ROOM = {"cpu": "100k", "memory": "100Ti", "ephemeral-storage": "1Pi", "pods": "10k"}
_WORKERS = 8
_QUIET = 5.0
_HEARTBEAT = 10.0
J = t.Dict[str, t.Any]


@contextlib.contextmanager
def running(cluster: Cluster, wait: float) -> t.Iterator[None]:
    """The node, until the block ends; each of its pods has its evidence `wait` seconds after it was asked."""
    node = _Node(cluster, wait)
    try:
        node.start()
        yield
    finally:
        node.stop()


class _Node:
    def __init__(self, cluster: Cluster, wait: float) -> None:
        self._cluster = cluster
        self._wait = wait
        self._client: Client = connect({"kubeconfig": cluster.kubeconfig})
        self._images: dict[tuple[str, str], str] = {}
        self._stopped = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._pool = concurrent.futures.ThreadPoolExecutor(_WORKERS)
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._serve, self._watch, self._beat)]
        self._port = 0
        self._serving = threading.Event()

    def start(self) -> None:
        self._threads[0].start()
        if not self._serving.wait(30):
            raise AssertionError("the hollow node's server does not start")
        labels = {"kubernetes.io/hostname": NAME, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NAME, "labels": labels}}
        self._client.create("/api/v1/nodes", {**body, "spec": {"taints": [TAINT]}})
        self._client.patch(f"{_NODE}/status", {"status": self._status()})
        spec = {"holderIdentity": NAME, "leaseDurationSeconds": 40, "renewTime": _precise()}
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NAME}, "spec": spec}
        self._client.create(_LEASES, lease)
        for thread in self._threads[1:]:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        self._pool.shutdown()
        self._client.delete(_NODE)
        self._client.delete(f"{_LEASES}/{NAME}")
        self._client.close()

    def _status(self) -> J:
        return {
            "capacity": _ROOM,
            "allocatable": _ROOM,
            "conditions": [{"type": "Ready", "status": "True", "reason": "Hollow", "lastHeartbeatTime": now()}],
            "addresses": [{"type": "InternalIP", "address": self._cluster.place.address}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
            "nodeInfo": {"operatingSystem": "linux", "architecture": "amd64"},
        }

    def _beat(self) -> None:
        while not self._stopped.wait(_HEARTBEAT):
            with contextlib.suppress(KubeError):
                self._client.patch(f"{_LEASES}/{NAME}", {"spec": {"renewTime": _precise()}})

    # pods

    def _watch(self) -> None:
        path, parameters = "/api/v1/pods", {"fieldSelector": f"spec.nodeName={NAME}"}
        version = ""
        while not self._stopped.is_set():
            if not version:
                for page in self._client.list_pages(path, params=parameters):
                    version = page.resource_version
                    for pod in page.objects:
                        self._seen(pod, False)
            try:
                for event in self._client.changes(path, version, _QUIET, params=parameters):
                    pod = event["object"]
                    version = pod["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        self._seen(pod, event["type"] == "DELETED")
            except KubeError as error:
                if error.status != 410:
                    raise
                version = ""

    def _seen(self, pod: J, deleted: bool) -> None:
        metadata = pod["metadata"]
        key = metadata["namespace"], metadata["name"]
        if deleted:
            self._images.pop(key, None)
        elif key not in self._images and "deletionTimestamp" not in metadata:
            self._images[key] = metadata["annotations"][IMAGE_ANNOTATION]
            self._pool.submit(self._say, key, "Running", {"running": {"startedAt": now()}})

    def _say(self, key: tuple[str, str], phase: str, state: J) -> None:
        container = {"name": CONTAINER, "image": "hollow", "imageID": "", "ready": phase == "Running"}
        status = {"phase": phase, "containerStatuses": [{**container, "restartCount": 0, "state": state}]}
        namespace, name = key
        with contextlib.suppress(KubeError):  # its Job is gone already
            self._client.patch(f"/api/v1/namespaces/{namespace}/pods/{name}/status", {"status": status})

    # exec

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        pki = self._cluster.place.pki
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pki / "kubelet.crt", pki / "kubelet.key")
        application = web.Application()
        application.router.add_get("/exec/{namespace}/{pod}/{container}", self._exec)
        runner = web.AppRunner(application)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, self._cluster.place.address, 0, ssl_context=context)
        self._loop.run_until_complete(site.start())
        self._port = runner.addresses[0][1]
        self._serving.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _exec(self, request: web.Request) -> web.WebSocketResponse:
        key = request.match_info["namespace"], request.match_info["pod"]
        socket = web.WebSocketResponse(protocols=(_PROTOCOL,))
        await socket.prepare(request)
        await asyncio.sleep(self._wait)
        for data in _evidence(self._images[key]):
            await socket.send_bytes(b"\x01" + data)
        async for message in socket:
            if message.type == WSMsgType.BINARY and message.data == b"\x00ok\n":
                await socket.send_bytes(b"\x03" + json.dumps({"status": "Success"}).encode())
                terminated = {"exitCode": 0, "reason": "Completed", "finishedAt": now()}
                self._pool.submit(self._say, key, "Succeeded", {"terminated": terminated})
                break
        await socket.close()
        return socket


def _evidence(reference: str) -> tuple[bytes, bytes]:
    """What scanner.handover would write: the header, and an archive with an evidence that has nothing to say."""
    evidence = Evidence(
        reference=reference,
        digest=parse(reference).digest,
        platform="linux/amd64",
        os=OperatingSystem(),
        scan=ScanInfo("kubernetes", "image_volume_userns", "", 0.0),
        scanned_at=now(),
        not_applicable=Reason("no_content", "a hollow node evaluates nothing"),
    )
    data = json.dumps(to_json(evidence)).encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("evidence.json")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    body = packed.getvalue()
    header = {"key": "0" * 12, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    return json.dumps(header).encode() + b"\n", body


def _precise() -> str:
    """MicroTime (k8s.io/apimachinery meta/v1)."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
