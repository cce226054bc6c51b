# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scans by an ordinary user: with subordinate ids the same answer as root's, without them a clear error."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import typing as t

import pytest

from tests.data import tiny

ROOT = pathlib.Path(__file__).resolve().parents[3]
USER = "scap-images-tests"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes a user of its own")

_CODE = """
import json, pathlib, sys
sys.path[:0] = [sys.argv[1] + "/dev", sys.argv[1]]
from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from tests.support.local_scans import Scanner, unproven
try:
    evidence = Scanner(pathlib.Path(sys.argv[1]) / "scap", way=sys.argv[3]).one(sys.argv[2])
    problem = evidence.error and evidence.error.message
    print(json.dumps([problem, unproven(evidence), evidence.packages, evidence.scan.rung]))
except ScapError as error:
    print(json.dumps([error.code, error.message]))
"""


@pytest.fixture(scope="module")
def home() -> t.Iterator[pathlib.Path]:
    """A folder of the user's own, with a copy of what it needs: the checkout may lie where it cannot read."""
    subprocess.run(["useradd", "--create-home", USER], check=True)
    _end_processes()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="scap-images-tests-"))
    try:
        collection = folder / "dev" / "ansible_collections" / "scap" / "images"
        shutil.copytree(ROOT / "plugins", collection / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "tests" / "support", folder / "tests" / "support")
        tiny.layout(folder / "layout")
        subprocess.run(["chown", "-R", USER, str(folder)], check=True)
        folder.chmod(0o755)
        yield folder
    finally:
        _as_user(["podman", "unshare", "rm", "-rf", str(folder / "scap")])
        _end_processes()
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["userdel", "--force", "--remove", USER], check=False, capture_output=True)


def _end_processes() -> None:
    """podman keeps a process that holds the user's namespace, with the ids of when it was made; and folders for it."""
    number = pwd.getpwnam(USER).pw_uid
    for note in pathlib.Path(f"/tmp/podman-run-{number}").rglob("pause.pid"):
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.kill(int(note.read_text()), signal.SIGKILL)
    for name in ("podman-run", "containers-user", "storage-run"):
        shutil.rmtree(f"/tmp/{name}-{number}", ignore_errors=True)


def _as_user(argv: list[str]) -> subprocess.CompletedProcess[bytes]:
    home = pwd.getpwnam(USER).pw_dir
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": home, "LANG": "C.UTF-8"}
    return subprocess.run(
        ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", *argv],
        env=environment,
        cwd=home,
        capture_output=True,
        check=False,
    )


def _scan(home: pathlib.Path, way: str) -> t.Any:
    done = _as_user(["/usr/bin/python3", "-B", "-c", _CODE, str(home), f"oci:{home}/layout:tiny", way])
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.mark.parametrize("way", ["unpack", "storage"])
def test_an_ordinary_user_gets_the_same_answer(home: pathlib.Path, way: str) -> None:
    shutil.rmtree(home / "scap", ignore_errors=True)
    assert _scan(home, way) == [None, {}, 2, way]


def test_without_subordinate_ids_there_is_a_clear_error(home: pathlib.Path) -> None:
    kept = {name: pathlib.Path(name).read_text() for name in ("/etc/subuid", "/etc/subgid")}
    try:
        for name, text in kept.items():
            lines = [line for line in text.splitlines(keepends=True) if not line.startswith(f"{USER}:")]
            pathlib.Path(name).write_text("".join(lines))
        _end_processes()
        code, message = _scan(home, "unpack")
    finally:
        for name, text in kept.items():
            pathlib.Path(name).write_text(text)
        _end_processes()
    assert code == "no_subordinate_ids"
    assert "usermod --add-subuids" in message
