# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows how far scap_report is; after it the table of the images and where the report is."""

from __future__ import annotations

import os
import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.scap.images.plugins.module_utils.model import J
from ansible_collections.scap.images.plugins.module_utils.progress import REPORT
from ansible_collections.scap.images.plugins.plugin_utils.follow import Follower


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs the module, then says what it found."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> J:
        result: J = super().run(tmp, task_vars)
        path = os.path.join(os.getcwd(), str(self._task.args.get("dir", ".")), REPORT)
        with Follower(self._display.display, path, "files written:"):
            result.update(self._execute_module(task_vars=task_vars))
        if not result.get("failed"):
            for line in result.get("table", []):
                self._display.display(line)
            if result.get("index"):
                self._display.display(f"report: {result['index']}")
        return result
