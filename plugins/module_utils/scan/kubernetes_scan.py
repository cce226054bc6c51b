# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One image's way through the cluster: a Job on the lowest rung that works, its evidence, its end."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import threading
import time
import typing as t

from ..files import write_json
from ..kube.client import Client
from ..kube.errors import KubeError
from ..model import Image, J, ScapError, to_json
from ..reference import parse
from ..scanner.acquire import Access
from ..scanner.compiled import DIFFERS, TEXTS
from ..scanner.pod import PULL, RUNGS, WORK
from . import kubernetes_evidence as evidence
from .interface import Outcome, Settings
from .kubernetes_compiled import FACTS, REPLACED, STREAM, Precompiled, is_enough
from .kubernetes_content import Uploaded
from .kubernetes_job import PodOptions, Work, job
from .kubernetes_pods import Pods, PodState
from .kubernetes_window import Window

ORIGIN = "cluster.json"
"""File of an evidence that says where in the cluster it was made, and with what."""

_GIB = 1024 * 1024 * 1024
_START_SECONDS = 90.0
_NO_POD_SECONDS = 10.0
_REPLACEMENTS = 3
_BROKEN_STREAMS = 5
_QUIET_SECONDS = 300.0


@dataclasses.dataclass(frozen=True)
class Run:
    """What all images of a run share."""

    client: Client
    options: PodOptions
    access: Access
    settings: Settings
    fingerprint: str
    program: str
    owner: str
    content: Uploaded
    precompiled: Precompiled | None
    pods: Pods
    window: Window
    ladder: Ladder


class Stored(t.NamedTuple):
    """An outcome, and where the caller says that he has stored it."""

    outcome: Outcome
    accepted: threading.Event


class Ladder:
    """The privilege ladder of one run: the rung that was last found to work, tried from the lowest."""

    def __init__(self, allowed: t.Sequence[str] = ()) -> None:
        self._rungs = [rung for rung in RUNGS if not allowed or rung in allowed]
        self._proven = False

    def first(self, image: Image) -> str:
        """The rung to begin with; without a digest only a pod that pulls can tell what it scanned."""
        return self._rungs[0] if image.digest else PULL

    def worked(self, rung: str) -> None:
        self._proven = self._proven or rung == self._rungs[0]

    def failed(self, rung: str) -> str:
        """The next rung, or empty. The whole run moves while no image has used this one."""
        if rung not in self._rungs:
            return ""
        index = self._rungs.index(rung)
        following = self._rungs[index + 1] if index + 1 < len(self._rungs) else ""
        if not self._proven and index == 0 and following:
            self._rungs.pop(0)
        return following


class NextRungError(Exception):
    """The rung does not work for this image."""


class MoreMemoryError(Exception):
    """The container was killed at its memory limit."""


class ImageScan:
    """One image; `put` takes its one result."""

    def __init__(self, run: Run, image: Image, put: t.Callable[[Stored], None]) -> None:
        self._run = run
        self._image = image
        self._put = put
        self._compiled = is_enough(run.precompiled, image, run.settings)
        unused = REPLACED if self._compiled else (STREAM, FACTS)
        self._names = [name for name in run.content.files if name not in unused]
        self._size = sum(run.content.sizes[name] for name in self._names)
        self._memory = _GIB if self._compiled and not run.settings.oval else 8 * self._size + _GIB
        self._tried: list[str] = []

    def run(self) -> None:
        """Scan; whatever goes wrong with this image is its result."""
        with self._run.window.place() as given:
            if not given:
                return
            try:
                self._climb()
            except ScapError as error:
                self._give(Outcome(self._image, problem=self._sentence(error.message), code=error.code))
            except OSError as error:
                self._give(Outcome(self._image, problem=self._sentence(str(error)), code="system_error"))

    def _climb(self) -> None:
        if parse(self._image.reference).transport != "docker":
            raise ScapError("not_in_registry", "only images of registries can be scanned in a cluster")
        rung = self._run.ladder.first(self._image)
        grown = False
        while True:
            try:
                self._attempt(rung)
                return
            except NextRungError as reason:
                self._tried.append(f"{rung}: {reason}")
                rung = self._run.ladder.failed(rung)
                if not rung:
                    raise ScapError("no_rung", "; ".join(self._tried)) from reason
            except MoreMemoryError as reason:
                if grown:
                    raise ScapError("out_of_memory", f"killed at {self._memory} bytes: {reason}") from reason
                grown, self._memory = True, 2 * self._memory

    def _attempt(self, rung: str) -> None:
        name = self._name(rung)
        self._create(name, rung)
        try:
            self._follow(name, rung)
        finally:
            if not self._run.window.closed:
                self._delete(name)

    def _name(self, rung: str) -> str:
        image = self._image
        words = [image.digest or image.reference, self._run.fingerprint, str(self._memory)]
        key = hashlib.sha256(" ".join(words).encode()).hexdigest()[:24]
        return f"scan-{key}-{RUNGS.index(rung) + 1}"

    def _create(self, name: str, rung: str) -> None:
        """Make the Job, or take the one that a run before this one has left."""
        run = self._run
        collection = f"/apis/batch/v1/namespaces/{run.options.namespace}/jobs"
        body = job(self._work(name, rung), run.options)
        for _attempt in range(2):
            try:
                made = run.client.create(collection, body).json()
            except KubeError as error:
                if error.status != 409:
                    raise
                if not _ended(run.client.get(f"{collection}/{name}")):
                    return
                self._delete(name)
                self._gone(f"{collection}/{name}")
                continue
            volumes = made["spec"]["template"]["spec"].get("volumes") or []
            if rung != PULL and not any("image" in volume for volume in volumes):
                self._delete(name)
                raise NextRungError("this cluster knows no image volumes (Kubernetes 1.33 and later have them)")
            return
        raise ScapError("job_conflict", f"the Job {name} of an earlier run does not go")

    def _gone(self, path: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            try:
                self._run.client.get(path)
            except KubeError as error:
                if error.status == 404:
                    return
                raise
            time.sleep(0.2)

    def _work(self, name: str, rung: str) -> Work:
        run, image = self._run, self._image
        size = self._size + _GIB + (2 * image.size if rung == PULL else 0) + (0 if rung == RUNGS[0] else 4 * _GIB)
        seconds = int(4 * run.settings.timeout) + 600 + run.options.hold
        return Work(
            name=name,
            image=image,
            rung=rung,
            memory=self._memory,
            storage=size,
            spec=self._spec(rung),
            maps=[entry for name in self._names for entry in run.content.maps[name]],
            program=run.program,
            owner=run.owner,
            seconds=seconds,
        )

    def _spec(self, rung: str) -> J:
        run, image, settings = self._run, self._image, self._run.settings
        names = {name: run.content.files[name] for name in self._names}
        stream = next((name for name in (STREAM, "datastream.xml") if name in names), "")
        request = {
            **settings.request(image),
            "executor": "kubernetes",
            "reuse": False,
            "datastream": f"{WORK}/content/{stream}" if stream else settings.datastream,
            "compiled": f"{WORK}/content/{FACTS}" if FACTS in names else "",
            "tailoring": f"{WORK}/content/tailoring.xml" if "tailoring.xml" in names else "",
            "oval": [f"{WORK}/content/oval-{number}.xml" for number in range(len(settings.oval))],
            "access": {**to_json(run.access), "authfile": ""},
            "resolved": {
                "reference": image.reference,
                "digest": image.digest,
                "platform": image.platform or settings.platform or "linux/amd64",
                "index_digests": image.index_digests,
                "labels": image.labels,
            },
        }
        if not image.digest:
            del request["resolved"]
        known = [name for name in os.listdir(settings.cache) if ".valid-" in name or name.endswith(DIFFERS)]
        return {
            "request": request,
            "rung": rung,
            "content": names,
            "known": sorted(known),
            "deadline": run.options.hold,
        }

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
                    if error.code != "kube_exec":
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
            raise NextRungError(f"{state.reason}: {state.message}")
        if state.start_failed:
            if rung != PULL:
                raise NextRungError(f"{state.reason}: {state.message}")
            raise ScapError("pod_failed", f"its pod cannot start: {state.reason}: {state.message}")
        if state.reason == "Unschedulable":
            self._run.window.narrow()

    def _stuck(self, name: str, state: PodState | None, rung: str, seconds: float) -> None:
        """Nothing has changed for a while: what do the events say?"""
        said = self._events(name if state is None else state.name)
        if state is None:
            if "exceeded quota" in said:
                self._run.window.narrow()
            elif "violates PodSecurity" in said or "forbidden" in said:
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
        items = self._run.client.get(path, {"fieldSelector": selector, "limit": 50})["items"]
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
                raise ScapError(str(answer.get("code") or "scanner_failed"), str(answer.get("problem") or "no word"))
            origin = {"fingerprint": run.fingerprint, "pod": state.name, "node": state.node, "rung": rung}
            write_json(os.path.join(fetched.staging, ORIGIN), {**origin, "tried": self._tried})
            if self._compiled and run.precompiled is not None:
                shutil.copyfile(run.precompiled.texts, os.path.join(fetched.staging, TEXTS))
            run.ladder.worked(rung)
            run.window.widen(run.window.limit if run.window.size == 1 else 0)
            outcome = Outcome(self._image, staging=fetched.staging, key=str(answer.get("key") or ""))
            if self._give(outcome):
                fetched.acknowledge()
            else:
                shutil.rmtree(fetched.staging, ignore_errors=True)

    def _give(self, outcome: Outcome) -> bool:
        """Whether the outcome was stored."""
        stored = Stored(outcome, threading.Event())
        self._put(stored)
        while not stored.accepted.wait(0.2):
            if self._run.window.closed:
                return stored.accepted.is_set()
        return True

    def _delete(self, name: str) -> None:
        path = f"/apis/batch/v1/namespaces/{self._run.options.namespace}/jobs/{name}"
        self._run.client.delete(path)
        self._run.pods.forget(name)

    def _sentence(self, text: str) -> str:
        return text if self._image.reference in text else f"{self._image.reference}: {text}"


def _ended(found: J) -> bool:
    conditions = (found.get("status") or {}).get("conditions") or []
    finished = any(entry["type"] in ("Complete", "Failed") and entry["status"] == "True" for entry in conditions)
    return finished or bool(found["metadata"].get("deletionTimestamp"))
