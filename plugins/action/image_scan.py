# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows, while image_scan works, how far it is, and what an interrupted run leaves."""

from __future__ import annotations

import os
import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.scap.images.plugins.module_utils.model import J
from ansible_collections.scap.images.plugins.module_utils.progress import SCAN, interrupted
from ansible_collections.scap.images.plugins.plugin_utils.follow import Follower, continued, told_when_interrupted

_PATHS = ("dir", "images_from", "storage", "authfile", "ca_file", "registries_conf")
_LOCAL = ("oci", "oci-archive", "docker-archive")


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
        folder = os.path.join(os.getcwd(), str(self._task.args.get("dir", ".")))
        arguments = absolute(self._task.args, os.getcwd()) if self._connection.transport == "local" else None
        follower = Follower(self._display.display, os.path.join(folder, SCAN), "scanned")
        with follower, told_when_interrupted(lambda: _kept(folder)):
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        if result.get("continued") and not result.get("failed"):
            follower.once(continued(result["continued"]))
        return result


def _kept(folder: str) -> str:
    found = interrupted(folder)
    done = f"{found['done']} of {found['total']} images are done" if found else "what is done"
    return f"interrupted: {done}; all of it is kept in {folder}, and the next run goes on from there"
