# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the Job of one image, or takes the one that an earlier run has left."""

from __future__ import annotations

import hashlib
import os
import time
import typing as t

from ..kube.errors import KubeError
from ..model import Image, J, ScapError, to_json
from ..scanner.compiled import DIFFERS
from ..scanner.places import WORK
from ..scanner.pod import PULL, RUNGS
from .kubernetes_compiled import FACTS, REPLACED, STREAM, is_enough
from .kubernetes_job import NO_IMAGE_VOLUMES, PodOptions, Work, has_image_volume, job
from .kubernetes_run import REGISTRY_FILES, NextRungError, NoRoomError, Run

ARCHIVE = "images.tar"
"""Name in the cluster of an OCI archive that is sent there."""
SENT = f"{WORK}/content/{ARCHIVE}"
"""Where a pod finds it."""
_GIB = 1024 * 1024 * 1024
MORE_MEMORY, MORE_STORAGE = 2, 4
ATTEMPTS = [(memory, storage) for memory in (1, MORE_MEMORY) for storage in (1, MORE_STORAGE)]
"""How many times of the memory and the storage that an image needs at first its Jobs may have."""

_GONE_SECONDS = 90.0
_PATIENCE = 120.0
"""Seconds that an API server may be away."""
_FORGETFUL = 10.0
"""Seconds in which a refusal may be an API server's that has just started and does not know its rules yet."""
_PAUSE = 0.5
R = t.TypeVar("R")


def patiently(run: Run, call: t.Callable[[], R]) -> R:
    """What `call` returns, tried again while the API server is away. `call` must be safe to repeat.

    Raises NoRoomError where a quota refuses, KubeError for every other lasting refusal.
    """
    begun = time.monotonic()
    while True:
        try:
            return call()
        except KubeError as error:
            if error.status == 403 and "quota" in error.message:
                raise NoRoomError(error.message) from error
            patience = _FORGETFUL if error.status == 403 else _PATIENCE
            lasting = error.code == "kube_exec" or (error.status < 500 and error.status not in (0, 403, 429))
            if lasting or run.window.closed or time.monotonic() - begun > patience:
                raise
        time.sleep(_PAUSE)


def job_name(image: Image, fingerprint: str, options: PodOptions, rung: str, times: tuple[int, int] = (1, 1)) -> str:
    """The same for the same image, content, scanner and sizes, whether the content is compiled yet or not.

    `times`: how many times the memory and the storage that an image needs at first.
    """
    words = [image.digest or image.reference, fingerprint, str(options.memory), *map(str, times)]
    key = hashlib.sha256(" ".join(words).encode()).hexdigest()[:24]
    return f"scan-{key}-{RUNGS.index(rung) + 1}"


class Maker:
    """Of the Jobs of one image, one a rung and size."""

    def __init__(self, run: Run, image: Image) -> None:
        self._run = run
        self._image = image
        self.compiled = is_enough(run.precompiled, image, run.settings)
        unused = REPLACED if self.compiled else (STREAM, FACTS)
        self._names = [name for name in run.content.files if name not in unused]
        self._size = sum(run.content.sizes[name] for name in self._names)
        light = self.compiled and not run.settings.oval
        self._memory = run.options.memory or (_GIB if light else 8 * self._size + _GIB)
        self.memory_times = self.storage_times = 1
        """How many times of what an image needs at first."""
        self.notes: list[str] = []
        """What a person should know where pulling fails."""

    @property
    def memory(self) -> int:
        """Bytes that a scan may take."""
        return self.memory_times * self._memory

    def name(self, rung: str) -> str:
        """Of the Job."""
        run = self._run
        return job_name(self._image, run.fingerprint, run.options, rung, (self.memory_times, self.storage_times))

    def make(self, name: str, rung: str) -> None:
        """Make the Job, or take the one that a run before this one has left."""
        run = self._run
        collection = f"/apis/batch/v1/namespaces/{run.options.namespace}/jobs"
        auths, self.notes = run.secrets.auths(self._image)
        body = job(self._work(name, rung, bool(auths)), run.options)
        for _attempt in range(2):
            try:
                made = patiently(run, lambda: run.client.create(collection, body).json())
            except KubeError as error:
                if error.status != 409:
                    raise
                made = self._left(f"{collection}/{name}")
                if not made:
                    self.delete(name)
                    self._gone(f"{collection}/{name}")
                    continue
            if auths:
                self._give(run.secrets.manifest(name, auths, made))
            if rung != PULL and not has_image_volume(made):
                self.delete(name)
                raise NextRungError(NO_IMAGE_VOLUMES)
            return
        raise ScapError("job_conflict", f"the Job {name} of an earlier run does not go")

    def delete(self, name: str) -> None:
        """Its pods and secrets go with it."""
        path = f"/apis/batch/v1/namespaces/{self._run.options.namespace}/jobs/{name}"
        patiently(self._run, lambda: self._run.client.delete(path))
        self._run.pods.forget(name)

    def _give(self, secret: J) -> None:
        collection = f"/api/v1/namespaces/{self._run.options.namespace}/secrets"
        try:
            patiently(self._run, lambda: self._run.client.create(collection, secret))
        except KubeError as error:
            if error.status != 409:
                raise

    def _left(self, path: str) -> J:
        """The Job that an earlier run has left there; empty where it can give no evidence any more."""
        try:
            found = patiently(self._run, lambda: self._run.client.get(path))
        except KubeError as error:
            if error.status == 404:
                return {}
            raise
        conditions = (found.get("status") or {}).get("conditions") or []
        finished = any(entry["type"] in ("Complete", "Failed") and entry["status"] == "True" for entry in conditions)
        return {} if finished or found["metadata"].get("deletionTimestamp") else found

    def _gone(self, path: str) -> None:
        deadline = time.monotonic() + _GONE_SECONDS
        while time.monotonic() < deadline:
            if not patiently(self._run, lambda: self._run.client.exists(path)):
                return
            time.sleep(0.2)

    def _work(self, name: str, rung: str, copied: bool) -> Work:
        run, image = self._run, self._image
        image_bytes = 0 if rung == RUNGS[0] else 4 * image.size if image.size else 4 * _GIB
        size = self.storage_times * (run.options.storage or self._size + _GIB + image_bytes)
        seconds = int(4 * run.settings.timeout) + 600 + run.options.hold
        return Work(
            name=name,
            image=image,
            rung=rung,
            memory=self.memory,
            storage=size,
            spec=self._spec(rung),
            maps=[entry for content in self._names for entry in run.content.maps[content]],
            program=run.program,
            owner=run.owner,
            seconds=seconds,
            copied=copied,
            secrets=run.secrets.account() if rung == PULL and not copied and not run.options.pull_secret else (),
        )

    def _registry_files(self) -> dict[str, str]:
        """What the controller reaches registries with, where the pod finds it."""
        return {name: f"{WORK}/content/{name}" if name in self._run.content.files else "" for name in REGISTRY_FILES}

    def _spec(self, rung: str) -> J:
        run, image, settings = self._run, self._image, self._run.settings
        content = {name: run.content.files[name] for name in self._names}
        paths = {name: f"{WORK}/{entry['path']}" for name, entry in content.items()}
        request = {
            **settings.request(image),
            "executor": "kubernetes",
            "reuse": False,
            "datastream": paths.get(STREAM) or paths.get("datastream.xml") or settings.datastream,
            "compiled": paths.get(FACTS, ""),
            "tailoring": paths.get("tailoring.xml", ""),
            "oval": [paths[f"oval-{number}.xml"] for number in range(len(settings.oval))],
            "access": {**to_json(run.access), "authfile": "", **self._registry_files()},
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
            "content": content,
            "known": sorted(known),
            "deadline": run.options.hold,
        }
