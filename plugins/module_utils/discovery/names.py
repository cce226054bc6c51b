# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""References as clusters spell them, each parsed once."""

from __future__ import annotations

import functools

from ..model import ScapError, is_digest
from ..reference import normalise, parse, with_transport

CACHED = 16_384
"""Distinct references that are remembered."""


@functools.lru_cache(maxsize=CACHED)
def named(image: str) -> tuple[str, str, str]:
    """The reference, its digest, and the problem where it is no reference."""
    try:
        return with_transport(image), parse(image).digest, ""
    except ScapError as error:
        return "", "", error.message


@functools.lru_cache(maxsize=CACHED)
def running_reference(image_id: str) -> str:
    """The pullable reference of a container status' imageID, in all its spellings; empty where it names no manifest.

    docker: `docker-pullable://NAME@DIGEST` (`docker://sha256:...` is an image id, no manifest); containerd and
    CRI-O: `NAME@DIGEST` (a bare `sha256:...` or 64 hex digits are image ids again).
    """
    text = image_id.partition("://")[2] if "://" in image_id else image_id
    name, _at, digest = text.rpartition("@")
    if not name or not is_digest(digest):
        return ""
    try:
        return normalise(f"{name}@{digest}")
    except ScapError:
        return ""
