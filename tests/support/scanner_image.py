# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scanner image that tests/setup/scanner-image makes."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

from .kube import ROOT, Cluster

NAME = "scanner"


def layout() -> pathlib.Path:
    """Folder of the OCI layout; made where it is missing."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(pathlib.Path.home() / ".cache")
    folder = pathlib.Path(cache) / "scap-images" / "scanner-1"
    if not (folder / "index.json").exists():
        if os.geteuid() != 0:
            pytest.skip("the scanner image is made as root")
        subprocess.run([str(ROOT / "tests" / "setup" / "scanner-image")], check=True, capture_output=True)
    return folder


def pushed(cluster: Cluster) -> str:
    """The image in the cluster's registry, as a pod names it."""
    return cluster.push(f"oci:{layout()}:scanner", f"{NAME}:1")
