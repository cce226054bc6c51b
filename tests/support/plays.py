# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks of the collection, run as a user runs them."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

from .kube import ROOT


def play(
    name: str,
    folder: pathlib.Path,
    variables: t.Mapping[str, t.Any],
    *options: str,
    more: t.Mapping[str, str] | None = None,
) -> str:
    """What `ansible-playbook` says, started in `folder`; AssertionError where it fails. `more`: of the environment."""
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "dev"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        **(more or {}),
    }
    argv = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), name, *options]
    argv += ["--extra-vars", json.dumps(dict(variables))]
    done = subprocess.run(argv, env=environment, cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
