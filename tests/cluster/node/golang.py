# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Go that builds the node's programs: the machine's where it is new enough, else a toolchain from the module proxy.

Standard library only.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile
import urllib.request
import zipfile

VERSION = (1, 26)
_NAME = "golang.org/toolchain@v0.0.1-go1.26.0.linux-amd64"
_URL = "https://proxy.golang.org/golang.org/toolchain/@v/v0.0.1-go1.26.0.linux-amd64.zip"
_SHA256 = "38461905b98c59173672814302e222ab43b652274bc0c95817b08b71ab66b705"


def program(cache: pathlib.Path) -> str:
    """The path of a go that is new enough; fetched into `cache` (70 MB) where the machine has none."""
    found = shutil.which("go")
    if found and _version(found) >= VERSION:
        return found
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / _NAME.rpartition("@")[2]
    with (cache / ".go.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _fetch(target)
    return str(target / "bin" / "go")


def _version(path: str) -> tuple[int, ...]:
    words = subprocess.run([path, "version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"go(\d+)\.(\d+)", words)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _fetch(target: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".part-") as name:
        part = pathlib.Path(name)
        archive = part / "go.zip"
        with urllib.request.urlopen(_URL, timeout=180) as answer, archive.open("wb") as stream:
            shutil.copyfileobj(answer, stream)
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        if digest != _SHA256:
            raise RuntimeError(f"{_URL} has sha256 {digest}, {_SHA256} was expected")
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(part)
        made = part / _NAME
        for folder in ("bin", "pkg/tool"):
            for path in (made / folder).rglob("*"):
                if path.is_file():
                    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        os.rename(made, target)
