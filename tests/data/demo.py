# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: three images of our own making, or the one that is named, through the installed collection.

Run as: python -m tests.data.demo [REFERENCE]
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
import typing as t

from ..support import registry
from . import demo_images

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
SCAP_DIR = BUILD / "demo"
EXPECTED = {"legacy": "non_compliant", "repaired": "compliant", "damaged": "error"}


def main(arguments: list[str]) -> int:
    if arguments:
        return _scan({"scap_image": arguments[0]})
    _say("three images from Debian packages (kept for the next time)")
    layout = demo_images.layout()
    with registry.running(BUILD / "registry") as here:
        _say(f"push them to a registry on {here.address}")
        references = [here.push(f"oci:{layout}:{tag}", f"demo/{tag}:1") for tag in demo_images.TAGS]
        _say("ansible-playbook scap.images.scan_image")
        status = _scan({"scap_image": references, "scap_validate_certs": False})
    return status or _verify(demo_images.digests(layout))


def _scan(variables: dict[str, t.Any]) -> int:
    """The exit status of the playbook, as a user calls it."""
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(BUILD / "collections"),
        "ANSIBLE_HOME": str(BUILD / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    }
    argv = [
        str(pathlib.Path(sys.executable).parent / "ansible-playbook"),
        "scap.images.scan_image",
        "--extra-vars",
        json.dumps({"scap_dir": str(SCAP_DIR), **variables}),
    ]
    return subprocess.run(argv, env=environment, check=False).returncode


def _verify(digests: dict[str, str]) -> int:
    lines = (SCAP_DIR / "verdicts.jsonl").read_text().splitlines()
    states = {verdict["image"]["digest"]: verdict["state"] for verdict in map(json.loads, lines)}
    found = {tag: states.get(digest, "missing") for tag, digest in digests.items()}
    wrong = [
        f"demo/{tag}: the verdict should be {state}, it is {found[tag]}"
        for tag, state in EXPECTED.items()
        if found[tag] != state
    ]
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


_start = time.monotonic()


def _say(what: str) -> None:
    print(f"[{time.monotonic() - _start:4.1f} s] {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
