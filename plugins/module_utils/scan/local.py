# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local executor: one scanner process an image on this host, a window of them at a time."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
import threading
import typing as t

from ..files import write_json
from ..model import Image, J, ScapError, to_json
from ..process import Completed, run
from ..scanner.acquire.records import Access
from . import zipapp
from .interface import Executor, Outcome, Settings

_MEMORY_A_SCAN = 1536 * 1024 * 1024
"""What one scan of a large data stream needs, with room to spare."""


@dataclasses.dataclass(frozen=True)
class LocalOptions:
    """What the local executor needs beside the run's Settings."""

    access: Access
    python: str
    way: str = "auto"
    storage: str = ""
    """Folder of our own containers storage; empty: below scap_dir."""
    storage_limit: int = 20 * 1024 * 1024 * 1024
    tools: str = "/"


class LocalExecutor(Executor):
    """Runs scanner.pyz; as an ordinary user inside `podman unshare`, whose user namespace maps all subordinate ids."""

    name = "local"

    def __init__(self, options: LocalOptions) -> None:
        self._options = options

    def scan(self, images: t.Sequence[Image], settings: Settings) -> t.Iterator[Outcome]:
        prefix = user_prefix()
        with contextlib.ExitStack() as stack:
            scratch = tempfile.mkdtemp(prefix="scap-images-")
            stack.callback(shutil.rmtree, scratch, ignore_errors=True)
            program = zipapp.write(scratch)
            pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(_window(settings)))
            stopped = threading.Event()
            waiting = [pool.submit(self._one, image, settings, program, scratch, prefix, stopped) for image in images]
            try:
                for future in concurrent.futures.as_completed(waiting):
                    yield future.result()
            finally:
                stopped.set()
                for future in waiting:
                    future.cancel()

    def archive(self, path: str) -> str:
        return path

    def _one(
        self,
        image: Image,
        settings: Settings,
        program: str,
        scratch: str,
        prefix: list[str],
        stopped: threading.Event,
    ) -> Outcome:
        options = self._options

        def watch() -> None:
            if stopped.is_set():
                raise ScapError("interrupted", f"{image.reference}: the run was interrupted")

        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            request: J = {
                **settings.request(image),
                "executor": self.name,
                "way": options.way,
                "access": to_json(options.access),
                "storage": options.storage or os.path.join(settings.dir, "storage"),
                "storage_limit": options.storage_limit,
                "tools": options.tools,
            }
            path = os.path.join(folder, "request.json")
            write_json(path, request, durable=False)
            argv = [*prefix, options.python, "-I", "-S", program, path, folder]
            try:
                return _outcome(image, run(argv, timeout=4 * settings.timeout + 600, watch=watch))
            except ScapError as error:
                return Outcome(image, problem=error.message, code=error.code)


def _outcome(image: Image, done: Completed) -> Outcome:
    last = done.stdout.decode("utf-8", "replace").splitlines()[-1:]
    answer: t.Any = None
    if done.returncode == 0 and last:
        with contextlib.suppress(ValueError):
            answer = json.loads(last[0])
    if isinstance(answer, dict) and ("staging" in answer or "reused" in answer):
        return Outcome(
            image, staging=answer.get("staging", ""), key=answer.get("key", ""), reused=answer.get("reused", "")
        )
    how = "took too long" if done.timed_out else f"ended with {done.returncode}"
    return Outcome(
        image, problem=f"{image.reference}: the scanner {how}: {done.error or 'no word'}", code="scanner_failed"
    )


def user_prefix() -> list[str]:
    """What the scanner is started with: nothing as root; a full id map as an ordinary user, or ScapError."""
    if os.geteuid() == 0:
        return []
    done = run(["podman", "unshare", "cat", "/proc/self/uid_map"], timeout=60)
    maps = [line.split() for line in done.stdout.decode("ascii", "replace").splitlines()]
    if done.returncode != 0 or sum(int(entry[2]) for entry in maps if len(entry) == 3) < 65536:
        raise ScapError(
            "no_subordinate_ids",
            "an ordinary user needs 65536 subordinate ids to look at an image with its own owners: "
            f"{done.error or 'the map holds fewer'}; usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "
            "USER, or run as root",
        )
    return ["podman", "unshare"]


def _window(settings: Settings) -> int:
    """Scans at a time: the processors that this process may use, as far as memory goes."""
    if settings.parallelism > 0:
        return settings.parallelism
    processors = len(os.sched_getaffinity(0))
    pages = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(processors, int(pages // _MEMORY_A_SCAN)))
