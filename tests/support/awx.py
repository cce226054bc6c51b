# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job as AWX runs it: ansible-runner, a project that is only read, a HOME of its own, variables that are texts."""

from __future__ import annotations

import os
import pathlib
import shutil
import sys
import typing as t

import ansible_runner  # type: ignore[import-untyped]

from .kube import ROOT
from .trees import snapshot

_INVENTORY = "localhost ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'"


def environment(folder: pathlib.Path) -> dict[str, str]:
    """Of a job in `folder`."""
    return {
        "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder / "home"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "dev"),
        "ANSIBLE_NOCOLOR": "true",
    }


def job(
    folder: pathlib.Path, playbook: str, survey: t.Mapping[str, str], access: t.Mapping[str, str] | None = None
) -> ansible_runner.Runner:
    """Run one of examples/awx in `folder`, which is made. `access`: what the built-in credential hands over."""
    project = folder / "project"
    shutil.copytree(ROOT / "examples" / "awx", project)
    (folder / "home").mkdir()
    credential: dict[str, str] = {}
    if access is not None:
        names = {"HOST": "host", "API_KEY": "api_key", "SSL_CA_CERT": "ca_cert"}
        credential = {f"K8S_AUTH_{name}": access[key] for name, key in names.items()}
        credential["K8S_AUTH_VERIFY_SSL"] = "True"
    before = snapshot(project)
    runner = ansible_runner.run(
        private_data_dir=str(folder),
        playbook=f"{playbook}.yml",
        inventory=_INVENTORY,
        extravars=dict(survey),
        envvars={**environment(folder), **credential},
        quiet=True,
    )
    assert snapshot(project) == before
    return runner
