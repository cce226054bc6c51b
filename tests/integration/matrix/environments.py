# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments with other Pythons and other releases of ansible-core, made once and kept in build/venvs."""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import subprocess
import typing as t

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"
CACHE = BUILD / "venvs"
LIBRARIES = ("jmespath==1.1.0", "lxml==6.1.3", "PyYAML==6.0.3")
"""What modules import outside of the cluster."""
CORES = {
    "2.16": (("3.10", "3.11", "3.12"), "ansible-core==2.16.19"),
    "2.21": (("3.14", "3.13", "3.12"), "ansible-core==2.21.5"),
}
"""A release, the Pythons that it supports (the least common first) and what pip installs."""


def ansible(release: str) -> pathlib.Path:
    """The folder with the programs of one ansible-core, a key of CORES."""
    pythons, requirement = CORES[release]
    return environment(interpreter(pythons), (requirement, *LIBRARIES))


def interpreter(versions: t.Sequence[str]) -> str:
    """The first Python of `versions` that this machine has; the test that asks is skipped where it has none."""
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT") or pathlib.Path.home() / ".pyenv") / "versions"
    for version in versions:
        for found in (*sorted(pyenv.glob(f"{version}.*/bin/python{version}")), shutil.which(f"python{version}")):
            if found and _can_make_environments(found):
                return str(found)
    pytest.skip(f"this machine has no Python {' or '.join(versions)}")


def _can_make_environments(python: str | pathlib.Path) -> bool:
    argv = [str(python), "-c", "import ensurepip, venv"]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def environment(python: str, requirements: t.Sequence[str]) -> pathlib.Path:
    """The folder with the programs of a virtual environment of `python` that holds `requirements`."""
    name = hashlib.sha256("\n".join([python, *requirements]).encode()).hexdigest()[:12]
    folder = CACHE / name
    marker = folder / "complete"
    if not marker.exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *requirements], check=True, stdin=subprocess.DEVNULL)
        marker.touch()
    return folder / "bin"


def run(argv: t.Sequence[str | pathlib.Path], **variables: str) -> str:
    """What a program wrote to its standard output; the test fails with it where the program failed."""
    ended = subprocess.run(
        [str(word) for word in argv],
        cwd=ROOT,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(BUILD / "collections"),
            "ANSIBLE_HOME": str(BUILD / "ansible"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            **variables,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
