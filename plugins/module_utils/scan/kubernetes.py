# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes executor: a Job an image, a rolling window of them, evidence held in the pod until it is stored here.

A Job's name is made of the image's digest and of what it is scanned with. So a run that follows a killed one finds the
Jobs of its predecessor and takes their evidence instead of scanning again.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import os
import queue
import typing as t

from ..files import dumps, read_json, sha256_file
from ..kube.client import METADATA_ONLY, Client
from ..kube.errors import KubeError
from ..model import Evidence, Image, J, RecordError, ScapError
from ..scanner.acquire.records import Access
from ..scanner.pod import PULL, RUNGS
from . import zipapp
from .indexing import indexes
from .interface import Executor, Outcome, Settings
from .kubernetes_compiled import precompile
from .kubernetes_content import upload, upload_program
from .kubernetes_job import NO_IMAGE_VOLUMES, SELECTOR, PodOptions, Work, has_image_volume, job
from .kubernetes_make import ARCHIVE, ATTEMPTS, SENT, job_name
from .kubernetes_pods import Pods
from .kubernetes_run import REGISTRY_FILES, Ladder, Run, Stored
from .kubernetes_scan import ORIGIN, ImageScan
from .kubernetes_secrets import Secrets
from .kubernetes_window import Window

_DEFAULT_WINDOW = 8


@dataclasses.dataclass(frozen=True)
class KubernetesOptions:
    """What the executor needs beside the run's Settings."""

    pods: PodOptions
    access: Access
    """How a pod that pulls reaches registries; its authfile is the pull secret's."""
    rungs: t.Sequence[str] = ()
    """The rungs that may be used; empty: all."""


class KubernetesExecutor(Executor):
    """Scans in the cluster that `client` speaks to."""

    name = "kubernetes"

    def __init__(self, client: Client, options: KubernetesOptions) -> None:
        self._client = client
        self._options = options

    def scan(self, images: t.Sequence[Image], settings: Settings) -> t.Iterator[Outcome]:
        fingerprint = _fingerprint(settings, self._options.pods.image)
        todo, reused = [], []
        for image in images:
            path = _stored(settings, image, fingerprint) if settings.reuse else ""
            if path:
                reused.append(image)
                yield Outcome(image, reused=path)
            else:
                todo.append(image)
        if reused:
            self._remove_jobs(reused, fingerprint)
        if todo:
            yield from self._scan(todo, settings, fingerprint)

    def _remove_jobs(self, images: t.Sequence[Image], fingerprint: str) -> None:
        """Of images whose evidence is stored: a controller that was killed then has left them."""
        pods = self._options.pods
        path = f"/apis/batch/v1/namespaces/{pods.namespace}/jobs"
        names = {
            job_name(image, fingerprint, pods, rung, times) for image in images for rung in RUNGS for times in ATTEMPTS
        }
        for page in self._client.list_pages(path, 500, params={"labelSelector": SELECTOR}, accept=METADATA_ONLY):
            for found in page.objects:
                if found["metadata"]["name"] in names:
                    self._client.delete(f"{path}/{found['metadata']['name']}")

    def archive(self, path: str) -> str:
        return SENT

    def check(self, images: t.Sequence[Image], settings: Settings) -> list[tuple[Image, str]]:
        """The images that would be scanned, each with the rung that it would be tried on first; nothing is stored.

        The API server is asked by dry runs; ScapError where it would take no Job.
        """
        fingerprint = _fingerprint(settings, self._options.pods.image)
        ladder = Ladder(self._options.rungs)
        taken: dict[str, str] = {}
        due = []
        for image in images:
            if not settings.reuse or not _stored(settings, image, fingerprint):
                rung = ladder.first(image)
                if rung not in taken:
                    taken[rung] = self._first_taken(image, rung)
                due.append((image, taken[rung]))
        return due

    def _first_taken(self, image: Image, rung: str) -> str:
        """The first rung from `rung` on whose volumes and user namespace this API server knows."""
        pods = self._options.pods
        allowed = [name for name in RUNGS if not self._options.rungs or name in self._options.rungs or name == rung]
        for name in allowed[allowed.index(rung) :]:
            work = Work("scan-check", image, name, 1 << 30, 1 << 30, {}, (), "scan-check", "scan-check", 60)
            path = f"/apis/batch/v1/namespaces/{pods.namespace}/jobs"
            made = self._client.create(path, job(work, pods), dry_run=True).json()
            own_users = made["spec"]["template"]["spec"].get("hostUsers") is False
            if name == PULL or (has_image_volume(made) and (name != RUNGS[0] or own_users)):
                return name
        raise ScapError("no_rung", NO_IMAGE_VOLUMES)

    def _scan(self, images: t.Sequence[Image], settings: Settings, fingerprint: str) -> t.Iterator[Outcome]:
        window = Window(settings.parallelism or _DEFAULT_WINDOW)
        run = self._prepare(settings, fingerprint, window)
        results: queue.Queue[Stored] = queue.Queue()
        pool = concurrent.futures.ThreadPoolExecutor(window.limit)
        waiting = [pool.submit(ImageScan(run, image, results.put).run) for image in images]
        try:
            for _number in images:
                stored = _next(results, waiting)
                yield stored.outcome
                stored.accepted.set()
            concurrent.futures.wait(waiting)
        finally:
            window.close()
            run.pods.stop()
            for future in waiting:
                future.cancel()
            pool.shutdown()

    def _prepare(self, settings: Settings, fingerprint: str, window: Window) -> Run:
        options = self._options
        namespace = options.pods.namespace
        try:
            program, owner = upload_program(self._client, namespace, zipapp.build())
            precompiled = precompile(settings)
            content = {**_files(settings), **indexes(settings), **(precompiled.files if precompiled else {})}
            uploaded = upload(self._client, namespace, {**content, **_registry_files(options.access)})
            pods = Pods(self._client, namespace)
            pods.start()
        except KubeError as error:
            if error.status == 404:
                raise ScapError(
                    "namespace_missing",
                    f"{error.message}: the namespace {namespace} is missing; run the playbook scap.images.setup",
                ) from error
            raise
        return Run(
            client=self._client,
            options=options.pods,
            access=options.access,
            settings=settings,
            fingerprint=fingerprint,
            program=program,
            owner=owner,
            content=uploaded,
            precompiled=precompiled,
            pods=pods,
            window=window,
            ladder=Ladder(options.rungs),
            secrets=Secrets(self._client, options.pods),
        )


def _next(results: queue.Queue[Stored], waiting: t.Sequence[concurrent.futures.Future[None]]) -> Stored:
    """The next result; the error of a thread that ended without one."""
    while True:
        try:
            return results.get(timeout=1.0)
        except queue.Empty:
            for future in waiting:
                if future.done() and not future.cancelled() and future.exception() is not None:
                    future.result()


def _files(settings: Settings) -> dict[str, str]:
    """Content that is sent to the cluster, by its name there; `auto` is the scanner image's own."""
    files = {f"oval-{number}.xml": path for number, path in enumerate(settings.oval)}
    if settings.profile != "none" and settings.datastream != "auto":
        files["datastream.xml"] = settings.datastream
    if settings.tailoring:
        files["tailoring.xml"] = settings.tailoring
    if settings.archive:
        files[ARCHIVE] = settings.archive
    return files


def _registry_files(access: Access) -> dict[str, str]:
    known: dict[str, str] = {name: getattr(access, name) for name in REGISTRY_FILES}
    return {name: path for name, path in known.items() if path}


def _fingerprint(settings: Settings, scanner: str) -> str:
    """Of all that decides what a scan finds, but the image."""
    content = {name: sha256_file(path) for name, path in _files(settings).items()}
    known: J = {"content": content, "profile": settings.profile, "scanner": scanner, "folders": settings.folders}
    known["compile"] = settings.compile
    return hashlib.sha256(dumps(known)).hexdigest()[:16]


def _stored(settings: Settings, image: Image, fingerprint: str) -> str:
    """Folder of a complete evidence of this image with this fingerprint; empty where there is none."""
    base = os.path.join(settings.evidence, image.digest.rpartition(":")[2]) if image.digest else ""
    if not base or not os.path.isdir(base):
        return ""
    for name in sorted(os.listdir(base)):
        folder = os.path.join(base, name)
        try:
            origin = read_json(os.path.join(folder, ORIGIN))
            known = Evidence.from_json(read_json(os.path.join(folder, "evidence.json")))
        except (ScapError, RecordError, OSError):
            continue
        if isinstance(origin, dict) and origin.get("fingerprint") == fingerprint and _is_complete(folder, known):
            return folder
    return ""


def _is_complete(folder: str, known: Evidence) -> bool:
    if known.error is not None or not all(check.passed for check in known.coverage):
        return False
    return bool(known.files) and all(
        os.path.isfile(os.path.join(folder, file.name))
        and os.path.getsize(os.path.join(folder, file.name)) == file.size
        for file in known.files
    )
