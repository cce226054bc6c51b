# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""oscap as people call it: OSCAP_PROBE_ROOT, a content, and what its result file then says."""

from __future__ import annotations

import pathlib
import subprocess

from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from ansible_collections.scap.images.plugins.module_utils.results import parse_file
from ansible_collections.scap.images.plugins.module_utils.scan import canary_content

from .traps import LOUD, RIGHT, WRONG, Place

RULE = "line"
"""The rule that must fail where XCCDF is evaluated."""


def ask(place: Place, tools: str, name: str) -> str:
    """RIGHT, WRONG or LOUD: what the oscap of `tools` says of a copy of the root."""
    work = place.work / f"bare-{name}"
    work.mkdir()
    root = work / "root"
    subprocess.run(["cp", "-a", str(place.root), str(root)], check=True)
    if place.bare.get("earlier"):
        status = root / "var/lib/dpkg/status"
        kept = status.read_bytes()
        status.write_bytes(kept.split(b"\n\n")[0] + b"\n\n")
        _oscap(place, tools, work, root, None)
        status.write_bytes(kept)
    status_code = _oscap(place, tools, work, root, place.bare.get("timeout"))
    if status_code not in (0, 2):
        return LOUD
    try:
        results = parse_file(str(work / "results.xml")).results
    except ScapError:
        return WRONG
    failed = {rule.id.rpartition("_rule_")[2] for rule in results.rules if rule.result == "fail"}
    return RIGHT if results.vulnerabilities or RULE in failed else WRONG


def _oscap(place: Place, tools: str, work: pathlib.Path, root: pathlib.Path, timeout: float | None) -> int:
    content, results = work / "content.xml", work / "results.xml"
    content.write_text(place.stream or place.feed)
    argv = ["oscap", "oval", "eval", "--results", str(results), str(content)]
    if place.stream:
        argv = ["oscap", "xccdf", "eval", "--profile", canary_content.PROFILE, "--results", str(results), str(content)]
    home = work / "home"
    home.mkdir(exist_ok=True)
    if place.bare.get("macros"):
        (home / ".rpmmacros").write_text("%_dbpath /var/lib/rpm\n")
    mounts = ["--bind", tools, "/", "--proc", "/proc", "--dev", "/dev", "--bind", str(place.work), str(place.work)]
    if place.bare.get("read_only"):
        mounts += ["--ro-bind", str(root), str(root)]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(home), "OSCAP_PROBE_ROOT": str(root)}
    environment.update(place.variables)
    if not place.bare.get("macros"):
        environment["HOME"] = "/root"
    try:
        done = subprocess.run(
            ["bwrap", *mounts, *place.bare.get("options", ()), *argv],
            env=environment,
            capture_output=True,
            check=False,
            timeout=timeout or 120,
        )
    except subprocess.TimeoutExpired:
        return 0 if results.exists() else 124
    return done.returncode
