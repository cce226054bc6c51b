# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scan pods of a namespace do, known from one watch that all waiting threads share."""

from __future__ import annotations

import threading
import time
import typing as t

from ..kube.client import Client
from ..kube.errors import KubeError
from ..model import J
from .kubernetes_job import SELECTOR

_QUIET = 60.0
_AGAIN = 0.5
_PULL_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
_START_REASONS = ("CreateContainerError", "CreateContainerConfigError", "RunContainerError", "StartError")


class PodState(t.NamedTuple):
    """One pod, as far as a scan cares."""

    name: str
    phase: str
    running: bool
    """Whether its container can be asked for the evidence."""
    reason: str
    """Why it does not start, or how it ended: Kubernetes' own word (ImagePullBackOff, OOMKilled, Evicted ...)."""
    message: str
    disrupted: bool
    """Whether it ended through no fault of its own, so that the Job makes another one."""
    node: str
    gone: bool

    @property
    def pull_failed(self) -> bool:
        return self.reason in _PULL_REASONS

    @property
    def start_failed(self) -> bool:
        return self.reason in _START_REASONS

    @property
    def ended(self) -> bool:
        return self.gone or self.phase in ("Failed", "Succeeded")


def pod_state(pod: J, gone: bool = False) -> PodState:
    """Of a Pod object (core/v1)."""
    status = pod.get("status") or {}
    reason, message = str(status.get("reason") or ""), str(status.get("message") or "")
    running = False
    for container in status.get("containerStatuses") or []:
        state = container.get("state") or {}
        running = "running" in state
        detail = state.get("waiting") or state.get("terminated") or {}
        if detail.get("reason") and not reason:
            reason, message = str(detail["reason"]), str(detail.get("message") or "")
            if "exitCode" in detail:
                message = f"exit status {detail['exitCode']} {message}".strip()
    disrupted = False
    for condition in status.get("conditions") or []:
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            disrupted = True
            reason, message = str(condition.get("reason") or reason), str(condition.get("message") or message)
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False" and not reason:
            reason, message = str(condition.get("reason") or ""), str(condition.get("message") or "")
    deleted = bool(pod["metadata"].get("deletionTimestamp"))
    disrupted = disrupted or deleted
    node = str((pod.get("spec") or {}).get("nodeName") or "")
    phase = str(status.get("phase") or "Pending")
    return PodState(pod["metadata"]["name"], phase, running and not deleted, reason, message, disrupted, node, gone)


class Pods:
    """The latest pod of every Job; `start` first, `stop` in the end."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._changed = threading.Condition()
        self._latest: dict[str, tuple[str, PodState]] = {}
        self._failures: dict[str, str] = {}
        self._stopped = False
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        """List once, so that a refusal is an error here, and watch from there."""
        self._version = self._list()
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def wait(self, job: str, seen: PodState | None, seconds: float) -> PodState | None:
        """The state of the Job's pod once it is not `seen` any more; the old one after `seconds`, or at the stop."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self._stopped:
                found = self._latest.get(job)
                state = found[1] if found else None
                left = deadline - time.monotonic()
                if state != seen or left <= 0:
                    return state
                self._changed.wait(left)
            return seen

    def failure(self, job: str) -> str:
        """Why the last pod of the Job that failed did so, even if its successor is there already; or empty."""
        with self._changed:
            return self._failures.get(job, "")

    def forget(self, job: str) -> None:
        with self._changed:
            self._latest.pop(job, None)
            self._failures.pop(job, None)

    def _list(self) -> str:
        version = ""
        found: dict[str, tuple[str, PodState]] = {}
        for page in self._client.list_pages(self._path, 500, params={"labelSelector": SELECTOR}):
            version = page.resource_version
            for pod in page.objects:
                self._add(found, pod, False)
        with self._changed:
            for job, (created, state) in self._latest.items():
                found.setdefault(job, (created, state._replace(gone=True)))
            self._latest = found
            self._changed.notify_all()
        return version

    def _add(self, latest: dict[str, tuple[str, PodState]], pod: J, gone: bool) -> None:
        job = str((pod["metadata"].get("labels") or {}).get("batch.kubernetes.io/job-name") or "")
        created = str(pod["metadata"].get("creationTimestamp") or "")
        known = latest.get(job)
        state = pod_state(pod, gone)
        if state.phase == "Failed":
            self._failures[job] = state.message
        if known is None or known[1].name == state.name or created >= known[0]:
            latest[job] = (created, state)

    def _follow(self) -> None:
        while not self._stopped:
            try:
                for event in self._client.changes(
                    self._path, self._version, _QUIET, params={"labelSelector": SELECTOR}
                ):
                    if self._stopped:
                        return
                    self._take(event)
            except KubeError as error:
                if error.status != 410:
                    time.sleep(_AGAIN)
                try:
                    self._version = self._list()
                except KubeError:
                    time.sleep(_AGAIN)

    def _take(self, event: J) -> None:
        pod = event.get("object") or {}
        self._version = str((pod.get("metadata") or {}).get("resourceVersion") or self._version)
        if event.get("type") not in ("ADDED", "MODIFIED", "DELETED"):
            return
        with self._changed:
            self._add(self._latest, pod, event["type"] == "DELETED")
            self._changed.notify_all()
