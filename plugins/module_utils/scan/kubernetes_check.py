# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a scanner image has what scans need: asked of the image itself, in a short pod without rights or network."""

from __future__ import annotations

import json
import secrets
import time

from ..kube.client import Client
from ..kube.errors import KubeError
from ..model import J, ScapError
from .kubernetes_job import CONTAINER, LABELS, NETWORK, PodOptions, plain_pod
from .kubernetes_pods import PodState, pod_state

NEEDED = ("oscap", "skopeo", "rpm", "zstd", "tar", "cp")
CONTENT = "/usr/share/xml/scap/ssg/content"
_QUESTION = f"""
import glob, json, shutil, sys
missing = [name for name in {NEEDED!r} if shutil.which(name) is None]
if sys.version_info < (3, 9):
    missing.append("python3 3.9 or newer")
if not glob.glob("{CONTENT}/ssg-*-ds.xml"):
    missing.append("SCAP content below {CONTENT} (for scap_content: auto)")
with open("/dev/termination-log", "w") as answer:
    json.dump(missing, answer)
"""
_POLL = 0.3


def check(client: Client, options: PodOptions, timeout: float) -> None:
    """ScapError `scanner_image` where the image cannot be had or something is missing; the sentence says what."""
    path = f"/api/v1/namespaces/{options.namespace}/pods"
    name = f"scanner-check-{secrets.token_hex(4)}"
    client.create(path, _pod(name, options))
    try:
        missing = _answer(client, f"{path}/{name}", options.image, timeout)
    finally:
        client.delete(f"{path}/{name}")
    if missing:
        raise ScapError(
            "scanner_image",
            f"the scanner image {options.image} lacks {', '.join(missing)}; build it with the "
            "playbook scap.images.scanner_image",
        )


def _answer(client: Client, path: str, image: str, timeout: float) -> list[str]:
    deadline = time.monotonic() + timeout
    while True:
        found = client.get(path)
        state = pod_state(found)
        if state.pull_failed:
            raise ScapError("scanner_image", f"the scanner image cannot be pulled: {state.reason}: {state.message}")
        if _no_python(state):
            return ["python3"]
        if state.phase == "Succeeded":
            return _read(found)
        if state.phase == "Failed":
            raise ScapError("scanner_image", f"the scanner image {image} ended as {state.reason}: {state.message}")
        if time.monotonic() > deadline:
            said = f"{state.reason} {state.message}".strip() or state.phase
            raise ScapError("scanner_image", f"the scanner image {image} did not start in {timeout:g} s: {said}")
        time.sleep(_POLL)


def _no_python(state: PodState) -> bool:
    return (state.start_failed or state.phase == "Failed") and "python3" in state.message


def _read(pod: J) -> list[str]:
    try:
        ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
        return [str(name) for name in json.loads(ended["message"])]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise KubeError(
            "kube_malformed", f"the pod that looked into the scanner image says nothing: {error}", 0
        ) from error


def _pod(name: str, options: PodOptions) -> J:
    spec: J = {
        **plain_pod(options.account),
        "activeDeadlineSeconds": 600,
        "containers": [
            {
                "name": CONTAINER,
                "image": options.image,
                "command": ["python3", "-I", "-S", "-c", _QUESTION],
                "resources": {
                    "requests": {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "16Mi"},
                    "limits": {"cpu": "1", "memory": "128Mi", "ephemeral-storage": "64Mi"},
                },
                "securityContext": {
                    "runAsUser": 0,
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
            }
        ],
    }
    if options.pull_secret:
        spec["imagePullSecrets"] = [{"name": options.pull_secret}]
    labels = {**LABELS, "app.kubernetes.io/component": "check", NETWORK: "none"}
    metadata = {"name": name, "namespace": options.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
