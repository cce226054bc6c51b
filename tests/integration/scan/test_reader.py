# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever waits for a module is gone: the module ends, and so does what it runs, though a registry never answers."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess
import sys

from tests.support import kube

CONTENT = "/usr/share/xml/scap/ssg/content/ssg-debian11-ds.xml"


def test_a_scan_ends_with_whoever_waits_for_it(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as registry:
        arguments = {
            "images": [f"docker://127.0.0.1:{registry.getsockname()[1]}/shop/web:1"],
            "dir": str(tmp_path / "scap"),
            "content": CONTENT,
            "profile": "standard",
            "validate_registry_certs": False,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "ansible_collections.scap.images.plugins.modules.image_scan"],
            env={**os.environ, "PYTHONPATH": str(kube.ROOT / "build" / "dev"), "TMPDIR": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
        process.stdin.close()
        registry.settimeout(120)
        asked, _address = registry.accept()
        with asked:
            asked.settimeout(60)
            assert asked.recv(1) != b""
            process.stdout.close()
            assert process.wait(60) != 0
            while asked.recv(65536):
                pass
    assert [path.name for path in tmp_path.iterdir()] == ["scap"]
