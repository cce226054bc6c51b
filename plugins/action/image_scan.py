# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows, while image_scan works, how far it is: one line every few seconds, never the same line twice."""

from __future__ import annotations

import contextlib
import os
import threading
import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.scap.images.plugins.module_utils.files import read_json
from ansible_collections.scap.images.plugins.module_utils.model import J, ScapError
from ansible_collections.scap.images.plugins.module_utils.scan.engine import PROGRESS

EVERY = 5.0
"""Seconds between two lines."""
_PATHS = ("dir", "images_from", "storage", "authfile", "ca_file", "registries_conf")
_LOCAL = ("oci", "oci-archive", "docker-archive")


def line(progress: J) -> str:
    """One line of progress; empty before the first image has ended."""
    done, total, seconds = progress["done"], progress["total"], progress["seconds"]
    if not done:
        return ""
    rate = done / seconds if seconds else 0.0
    left = f", {(total - done) / rate:.0f} s left" if rate and done < total else ""
    parts = [f"{progress['failed']} failed"] if progress["failed"] else []
    parts += [f"{progress['reused']} known"] if progress["reused"] else []
    extra = f" ({', '.join(parts)})" if parts else ""
    return f"scanned {done} of {total}{extra}, {rate * 3600:.0f} an hour{left}: {progress['last']}"


def absolute(arguments: J, folder: str) -> J:
    """The arguments, relative paths seen from `folder`, the user's: a playbook of a collection runs elsewhere."""
    found = dict(arguments)
    for name in _PATHS:
        if isinstance(found.get(name), str) and found[name]:
            found[name] = os.path.join(folder, os.path.expanduser(found[name]))
    if isinstance(found.get("content"), str) and found["content"] != "auto":
        found["content"] = _file(found["content"], folder)
    if isinstance(found.get("oval"), list):
        found["oval"] = [_file(entry, folder) if isinstance(entry, str) else entry for entry in found["oval"]]
    if isinstance(found.get("images"), list):
        found["images"] = [_reference(entry, folder) if isinstance(entry, str) else entry for entry in found["images"]]
    return found


def _file(source: str, folder: str) -> str:
    return source if "://" in source else os.path.join(folder, os.path.expanduser(source))


def _reference(text: str, folder: str) -> str:
    transport, colon, path = text.partition(":")
    return f"{transport}:{os.path.join(folder, path)}" if colon and transport in _LOCAL else text


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs the module where the task runs; the progress file is seen where that is this host."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> J:
        result: J = super().run(tmp, task_vars)
        ended = threading.Event()
        follower = threading.Thread(target=self._follow, args=(ended,), daemon=True)
        follower.start()
        try:
            arguments = absolute(self._task.args, os.getcwd()) if self._connection.transport == "local" else None
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        finally:
            ended.set()
            follower.join()
        return result

    def _follow(self, ended: threading.Event) -> None:
        path = os.path.join(os.getcwd(), str(self._task.args.get("dir", ".")), PROGRESS)
        before = ""
        while not ended.wait(EVERY):
            with contextlib.suppress(ScapError, KeyError):
                now = line(read_json(path, limit=65536))
                if now and now != before:
                    self._display.display(now)
                    before = now
