# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows, while scap_result works, how far it is."""

from __future__ import annotations

import os
import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.scap.images.plugins.module_utils.model import J
from ansible_collections.scap.images.plugins.module_utils.progress import JUDGE
from ansible_collections.scap.images.plugins.plugin_utils.follow import Follower


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs the module as it is; the progress file is seen where the task runs on this host."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> J:
        result: J = super().run(tmp, task_vars)
        path = os.path.join(os.getcwd(), str(self._task.args.get("dir") or "."), JUDGE)
        with Follower(self._display.display, path, "judged"):
            result.update(self._execute_module(task_vars=task_vars))
        return result
