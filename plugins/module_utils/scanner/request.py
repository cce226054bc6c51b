# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one run of the scanner is asked to do: a JSON file, mode 0600."""

from __future__ import annotations

import dataclasses
import typing as t

from ..model import J, field, strings


@dataclasses.dataclass(frozen=True)
class Request:
    """One image and what it is to be evaluated with."""

    reference: str
    platform: str
    """`os/architecture[/variant]`; empty: the host's."""
    digest: str
    """The manifest that must come out, empty where any will do."""
    executor: str
    way: str
    """`auto`, `storage` or `unpack`: how the root is had; `root`: it is there already."""
    root: str
    """With `root`: a writable folder that may be thrown away."""
    rung: str
    """With `root`: what the evidence calls the way in which it was made."""
    resolved: J
    """With `root`: acquire.Resolved as JSON, from whoever resolved the reference."""
    access: J
    """acquire.Access as JSON."""
    storage: str
    storage_limit: int
    datastream: str
    """`auto`, `none` or a path."""
    folders: list[str]
    """Where `auto` looks for data streams."""
    profile: str
    oval: list[str]
    cache: str
    """Folder that keeps what is known of content files."""
    evidence: str
    """Folder of evidences; the new one is left in a hidden folder of it."""
    timeout: float
    """Seconds for each program."""
    memory: int
    """Bytes of address space for oscap."""
    tools: str
    """The root whose oscap is used."""
    confined: bool
    """Whether the process runs in a pod of its own, so that bubblewrap is left out."""
    reuse: bool
    """Whether an evidence of the same image and content makes a scan unnecessary."""
    compile: bool
    """Whether data streams are cut to their profile before they are evaluated."""
    tailoring: str
    """Path of an XCCDF 1.2 tailoring of the data stream; empty: none."""
    compiled: str
    """Path of what is known of the data stream that `datastream` was compiled from by somebody else; empty: it is
    the original."""
    sample: float
    """Share of the images that are evaluated both ways, compiled and not."""

    @classmethod
    def from_json(cls, data: t.Any) -> Request:
        return cls(
            reference=field(data, "reference", str),
            platform=field(data, "platform", str, ""),
            digest=field(data, "digest", str, ""),
            executor=field(data, "executor", str, "local"),
            way=field(data, "way", str, "auto"),
            root=field(data, "root", str, ""),
            rung=field(data, "rung", str, ""),
            resolved=field(data, "resolved", dict, {}),
            access=field(data, "access", dict, {}),
            storage=field(data, "storage", str, ""),
            storage_limit=field(data, "storage_limit", int, 0),
            datastream=field(data, "datastream", str, "auto"),
            folders=strings(data, "folders"),
            profile=field(data, "profile", str, "auto"),
            oval=strings(data, "oval"),
            cache=field(data, "cache", str, ""),
            evidence=field(data, "evidence", str),
            timeout=field(data, "timeout", float, 1200.0),
            memory=field(data, "memory", int, 6 * 1024 * 1024 * 1024),
            tools=field(data, "tools", str, "/"),
            confined=field(data, "confined", bool, False),
            reuse=field(data, "reuse", bool, True),
            compile=field(data, "compile", bool, True),
            tailoring=field(data, "tailoring", str, ""),
            compiled=field(data, "compiled", str, ""),
            sample=field(data, "sample", float, 0.0),
        )
