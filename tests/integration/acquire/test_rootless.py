# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An ordinary user inside `podman unshare`: the image's own owners, as the user's subordinate ids have them."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import typing as t

import pytest

from tests.support.layouts import simple
from tests.support.tars import END, entry, folder

ROOT = pathlib.Path(__file__).resolve().parents[3]
USER = "scap-images-acquire"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes a user of its own")

_CODE = """
import os, pathlib, sys
sys.path[:0] = [sys.argv[1] + "/dev", sys.argv[1]]
from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from tests.support.acquiring import Acquirer
for way in ("storage", "unpack"):
    try:
        with Acquirer(pathlib.Path(sys.argv[1]) / "work").root(sys.argv[2], way) as root:
            status = os.lstat(os.path.join(root.path, "owned"))
            print(root.way, status.st_uid, status.st_gid, oct(status.st_mode & 0o7777))
    except ScapError as error:
        print(error.code)
"""


@pytest.fixture(scope="module")
def home() -> t.Iterator[pathlib.Path]:
    """A folder of a user's own, with a copy of what it needs: the checkout may lie where it cannot read."""
    subprocess.run(["useradd", "--create-home", USER], check=True)
    place = pathlib.Path(tempfile.mkdtemp(prefix="acquire-"))
    try:
        collection = place / "dev" / "ansible_collections" / "scap" / "images"
        shutil.copytree(ROOT / "plugins", collection / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "tests" / "support", place / "tests" / "support")
        for name in ("work", "run"):
            (place / name).mkdir(mode=0o700)
        simple(place / "layout", folder("d") + entry("owned", b"x", uid=1000, gid=33, mode=0o4755) + END)
        simple(place / "beyond", entry("owned", b"x", uid=1_000_650_000) + END)
        subprocess.run(["chown", "-R", USER, str(place)], check=True)
        place.chmod(0o755)
        yield place
    finally:
        _as_user(place, ["podman", "unshare", "rm", "-rf", str(place / "work")])
        _end_pause_process(place)
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run(["userdel", "--force", "--remove", USER], check=False, capture_output=True)


def _end_pause_process(place: pathlib.Path) -> None:
    """podman keeps a process that holds the user namespace, and its id in the user's run folder."""
    for note in (place / "run").rglob("pause.pid"):
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.kill(int(note.read_text()), signal.SIGKILL)


def _as_user(place: pathlib.Path, argv: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": f"/home/{USER}",
        "LANG": "C.UTF-8",
        "XDG_RUNTIME_DIR": str(place / "run"),
    }
    return subprocess.run(
        ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", *argv],
        env=environment,
        cwd=f"/home/{USER}",
        capture_output=True,
        check=False,
        text=True,
    )


def _acquire(home: pathlib.Path, name: str) -> list[str]:
    reference = f"oci:{home}/{name}:x"
    done = _as_user(home, ["podman", "unshare", "/usr/bin/python3", "-B", "-c", _CODE, str(home), reference])
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_owners_and_modes(home: pathlib.Path) -> None:
    assert _acquire(home, "layout") == ["storage 1000 33 0o4755", "unpack 1000 33 0o4755"]


def test_an_owner_beyond_the_subordinate_ids(home: pathlib.Path) -> None:
    """Never silently another owner: rules look at them."""
    assert _acquire(home, "beyond") == ["ids_missing", "ids_missing"]
