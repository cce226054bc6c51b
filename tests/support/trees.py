# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole trees as values that can be compared."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import typing as t

Node = t.Dict[str, t.Any]


def snapshot(root: str | os.PathLike[str], *, times: bool = True) -> dict[bytes, Node]:
    """Path to kind, mode, owner, link target, time, content's sha256, capability, and the paths that share the file."""
    base = os.fsencode(root)
    nodes: dict[bytes, Node] = {}
    shared: dict[tuple[int, int], list[bytes]] = {}
    for path in _walk(base):
        name = path[len(base) :].lstrip(b"/") or b"."
        status = os.lstat(path)
        mode = status.st_mode
        node: Node = {"kind": stat.S_IFMT(mode), "mode": stat.S_IMODE(mode), "owner": (status.st_uid, status.st_gid)}
        if times:
            node["mtime"] = status.st_mtime_ns
        if stat.S_ISLNK(mode):
            node["target"] = os.readlink(path)
            del node["mode"]
        elif stat.S_ISREG(mode):
            with open(path, "rb") as stream:
                node["sha256"] = hashlib.sha256(stream.read()).hexdigest()
            with contextlib.suppress(OSError):
                node["capability"] = os.getxattr(path, "security.capability")
            if status.st_nlink > 1:
                shared.setdefault((status.st_dev, status.st_ino), []).append(name)
        nodes[name] = node
    for group in shared.values():
        if len(group) > 1:
            for name in group:
                nodes[name]["shared"] = sorted(group)
    return nodes


def _walk(path: bytes) -> t.Iterator[bytes]:
    yield path
    if stat.S_ISDIR(os.lstat(path).st_mode):
        for name in sorted(os.listdir(path)):
            yield from _walk(path + b"/" + name)


def difference(left: dict[bytes, Node], right: dict[bytes, Node]) -> dict[bytes, tuple[t.Any, t.Any]]:
    """What is not the same, for a test that fails."""
    return {
        name: (left.get(name), right.get(name))
        for name in sorted(left.keys() | right.keys())
        if left.get(name) != right.get(name)
    }
