# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows, after scap_report, the table of the images and where the report is."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.scap.images.plugins.module_utils.model import J


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs the module, then says what it found."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> J:
        result: J = super().run(tmp, task_vars)
        result.update(self._execute_module(task_vars=task_vars))
        if not result.get("failed"):
            for line in [*result.get("table", []), f"report: {result.get('index', '')}"]:
                self._display.display(line)
        return result
