# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One image's way through the cluster: a Job on the lowest rung that works, its evidence, its end."""

from __future__ import annotations

import os
import shutil
import threading
import time
import typing as t

from ..files import read_json, write_json
from ..kube.errors import KubeError
from ..model import Image, ScapError
from ..reference import parse
from ..scanner.compiled import TEXTS
from ..scanner.pod import PULL, RUNGS
from . import kubernetes_evidence as evidence
from .interface import Outcome
from .kubernetes_make import MORE_MEMORY, MORE_STORAGE, SENT, Maker, patiently
from .kubernetes_pods import PodState
from .kubernetes_quota import hopeless, no_such_node
from .kubernetes_run import MoreMemoryError, MoreStorageError, NextRungError, NoRoomError, Run, Stored

ORIGIN = "cluster.json"
"""File of an evidence that says where in the cluster it was made, and with what."""

_START_SECONDS = 20.0
_NO_POD_SECONDS = 3.0
_ROOM_SECONDS = 3.0
_REPLACEMENTS = 3
_BROKEN_STREAMS = 5
_QUIET_SECONDS = 300.0
_STORAGE_WORDS = ("emptydir volume", "ephemeral local storage", "ephemeral-storage")
"""What the kubelet says when it evicts a pod at a limit of its storage."""
_NOT_HAD = ("registry_unauthorized", "image_unknown")


class ImageScan:
    """One image; `put` takes its one result."""

    def __init__(self, run: Run, image: Image, put: t.Callable[[Stored], None]) -> None:
        self._run = run
        self._image = image
        self._put = put
        self._maker = Maker(run, image)
        self._tried: list[str] = []

    def run(self) -> None:
        """Scan; whatever goes wrong with this image is its result."""
        patience = time.monotonic() + self._run.settings.timeout
        while True:
            with self._run.window.place() as given:
                if not given:
                    return
                try:
                    self._climb()
                    return
                except NoRoomError as refused:
                    self._run.window.refused()
                    if hopeless(str(refused)) or time.monotonic() > patience:
                        self._fail("quota_exceeded", f"{refused}; raise the quota of the scans' namespace")
                        return
                except ScapError as error:
                    self._fail(error.code, error.message)
                    return
                except OSError as error:
                    self._fail("system_error", str(error))
                    return
            self._run.window.pause(_ROOM_SECONDS)

    def _fail(self, code: str, text: str) -> None:
        text = "; ".join([text, *self._maker.notes])
        sentence = text if self._image.reference in text else f"{self._image.reference}: {text}"
        self._give(Outcome(self._image, problem=sentence, code=code))

    def _climb(self) -> None:
        reference = parse(self._image.reference)
        if reference.transport != "docker" and reference.path != SENT:
            raise ScapError("not_in_registry", "only images of registries can be scanned in a cluster")
        rung = self._run.ladder.first(self._image)
        maker = self._maker
        while True:
            try:
                self._attempt(rung)
                return
            except NextRungError as reason:
                self._tried.append(f"{rung}: {reason}")
                rung = self._run.ladder.failed(rung, reason.alone)
                if not rung:
                    raise ScapError("no_rung", "; ".join(self._tried)) from reason
            except MoreMemoryError as reason:
                if maker.memory_times > 1:
                    raise ScapError("out_of_memory", f"killed at {maker.memory} bytes of memory: {reason}") from reason
                maker.memory_times = MORE_MEMORY
            except MoreStorageError as reason:
                if maker.storage_times > 1:
                    raise ScapError("disk_full", f"it took more ephemeral storage than it may: {reason}") from reason
                maker.storage_times = MORE_STORAGE

    def _attempt(self, rung: str) -> None:
        name = self._maker.name(rung)
        self._maker.make(name, rung)
        try:
            self._follow(name, rung)
        finally:
            if not self._run.window.closed:
                self._maker.delete(name)

    def _follow(self, name: str, rung: str) -> None:
        """Until the evidence is here, through pods that are evicted or deleted and streams that break off."""
        run = self._run
        state: PodState | None = None
        replaced = broken = 0
        begun = time.monotonic()
        while not run.window.closed:
            patience = _NO_POD_SECONDS if state is None else _START_SECONDS
            new = run.pods.wait(name, state, patience)
            if new == state and not (new and new.running):
                self._stuck(name, new, rung, time.monotonic() - begun)
                continue
            before, state = state, new
            if state is None:
                continue
            if before is not None and before.name != state.name:
                begun = time.monotonic()
                _check_storage(run.pods.failure(name))
            if state.ended:
                self._ended(state, replaced)
                replaced += 1
                continue
            self._startable(state, rung)
            if state.running:
                try:
                    self._fetch(state, rung)
                    return
                except KubeError as error:
                    # An API server that has just started knows no roles for a moment.
                    if error.code not in ("kube_exec", "kube_forbidden"):
                        raise
                    broken += 1
                    if broken > _BROKEN_STREAMS:
                        raise
                    state = run.pods.wait(name, state, 0.5 * broken)
                    if state is not None and state.running:
                        state = state._replace(message=f"again {broken}")

    def _ended(self, state: PodState, replaced: int) -> None:
        """Raise unless the Job makes another pod."""
        if state.reason == "OOMKilled":
            raise MoreMemoryError(state.message)
        _check_storage(state.message)
        if (state.gone or state.disrupted) and replaced < _REPLACEMENTS:
            return
        what = "was deleted" if state.gone else f"ended as {state.reason or state.phase}"
        code = "pod_lost" if state.gone or state.disrupted else "pod_failed"
        raise ScapError(
            code, f"its pod {state.name} on node {state.node or '(none)'} {what}: {state.message or 'no word'}"
        )

    def _startable(self, state: PodState, rung: str) -> None:
        scanner = self._run.options.image
        if state.pull_failed:
            if scanner in state.message:
                raise ScapError("scanner_image", f"the scanner image cannot be pulled: {state.reason}: {state.message}")
            if rung == PULL:
                raise ScapError("image_pull", f"{state.reason}: {state.message}")
            raise NextRungError(f"{state.reason}: {state.message}", alone=True)
        if state.start_failed:
            if rung != PULL:
                raise NextRungError(f"{state.reason}: {state.message}")
            raise ScapError("pod_failed", f"its pod cannot start: {state.reason}: {state.message}")
        if state.reason == "Unschedulable":
            if rung != PULL and no_such_node(state.message):
                raise NextRungError(f"{state.reason}: {state.message}", alone=True)
            self._run.window.narrow()

    def _stuck(self, name: str, state: PodState | None, rung: str, seconds: float) -> None:
        """Nothing has changed for a while: what do the events say?"""
        said = self._events(name if state is None else state.name)
        if state is None:
            if "quota" in said:
                raise NoRoomError(said)
            if "violates PodSecurity" in said or "forbidden" in said:
                raise ScapError(
                    "pod_refused", f"the cluster refuses the pod: {said}; run the playbook scap.images.setup"
                )
        elif ("FailedCreatePodSandBox" in said and rung == RUNGS[0]) or ("FailedMount" in said and rung != PULL):
            raise NextRungError(said)
        if seconds > self._run.settings.timeout:
            raise ScapError(
                "pod_not_started", f"its pod did not start in {seconds:.0f} s: {said or 'no event says why'}"
            )

    def _events(self, name: str) -> str:
        """The latest warning about an object."""
        path = f"/api/v1/namespaces/{self._run.options.namespace}/events"
        selector = f"involvedObject.name={name},type=Warning"
        parameters = {"fieldSelector": selector, "limit": 50}
        items = patiently(self._run, lambda: self._run.client.get(path, parameters))["items"]
        return f"{items[-1].get('reason')}: {items[-1].get('message')}" if items else ""

    def _fetch(self, state: PodState, rung: str) -> None:
        run = self._run
        settings = run.settings
        quiet = 4 * settings.timeout + _QUIET_SECONDS
        where = (run.client, run.options.namespace, state.name, settings.evidence, settings.cache, quiet)
        with evidence.fetch(*where, run.window.closes) as fetched:
            answer = fetched.answer
            if "unusable" in answer:
                raise NextRungError(str(answer["unusable"]))
            if not fetched.staging:
                if answer.get("code") == "out_of_memory":
                    raise MoreMemoryError(str(answer.get("problem")))
                raise ScapError(str(answer.get("code") or "scanner_failed"), str(answer.get("problem") or "no word"))
            origin = {"fingerprint": run.fingerprint, "pod": state.name, "node": state.node, "rung": rung}
            write_json(os.path.join(fetched.staging, ORIGIN), {**origin, "tried": self._tried}, durable=False)
            if self._maker.compiled and run.precompiled is not None:
                shutil.copyfile(run.precompiled.texts, os.path.join(fetched.staging, TEXTS))
            self._explain(os.path.join(fetched.staging, "evidence.json"))
            run.ladder.worked(rung)
            run.window.widen()
            outcome = Outcome(self._image, staging=fetched.staging, key=str(answer.get("key") or ""))
            if self._give(outcome):
                fetched.acknowledge()
            else:
                shutil.rmtree(fetched.staging, ignore_errors=True)

    def _explain(self, path: str) -> None:
        """Tell in an evidence whose image could not be had which credentials were missing."""
        data = read_json(path) if self._maker.notes else {}
        error = data.get("error") if isinstance(data, dict) else None
        if error and error["code"] in _NOT_HAD:
            message = "; ".join([error["message"], *self._maker.notes])
            write_json(path, {**data, "error": {**error, "message": message}}, durable=False)

    def _give(self, outcome: Outcome) -> bool:
        """Whether the outcome was stored."""
        stored = Stored(outcome, threading.Event())
        self._put(stored)
        while not stored.accepted.wait(0.2):
            if self._run.window.closed:
                return stored.accepted.is_set()
        return True


def _check_storage(said: str) -> None:
    """Raise MoreStorageError where a pod was evicted at its limit of storage."""
    if any(word in said.lower() for word in _STORAGE_WORDS):
        raise MoreStorageError(said)
