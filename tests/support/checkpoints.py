# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints of discovery, made older than any API server remembers."""

from __future__ import annotations

import json
import pathlib


def age(folder: pathlib.Path) -> None:
    """Every list below `folder` was read at resourceVersion 1."""
    paths = list((folder / "discovery").glob("*.jsonl"))
    assert paths
    for path in paths:
        *rows, last = path.read_text().splitlines()
        said = json.loads(last)
        if "resource_version" in said["state"]:
            said["state"]["resource_version"] = "1"
        path.write_text("\n".join([*rows, json.dumps(said)]) + "\n")
