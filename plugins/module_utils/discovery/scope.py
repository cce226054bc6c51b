# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images a scan is new or due for, by the evidence in `scap_dir/evidence`, and which come first."""

from __future__ import annotations

import datetime
import os
import typing as t

from ..files import read_json
from ..model import Evidence, Image, RecordError, ScapError, parse_time

SCOPES = ("new", "due", "all")
PRIORITIES = ("running", "exposed", "newest", "name")


class Scope:
    """`new`: no evidence with the present content. `due`: also what is older than `max_age`. `all`: everything.

    `contents` are the sha256 of the present content's files; empty: whatever content was used counts as present.
    """

    def __init__(self, folder: str | None, scope: str, max_age: float, contents: t.Sequence[str]) -> None:
        self.root = os.path.join(folder, "evidence") if folder else ""
        self.scope = scope
        self.contents = {text.rpartition(":")[2] for text in contents}
        self.oldest = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=max_age)
        if scope != "all" and not folder:
            raise ScapError("dir_missing", f"scope {scope} compares with earlier evidence: set dir")
        self._scanned = set(os.listdir(self.root)) if self.root and os.path.isdir(self.root) else set()

    def wants(self, image: Image) -> bool:
        """Whether the image is to be scanned; an image without a digest always is."""
        if self.scope == "all" or not image.digest:
            return True
        name = image.digest.partition(":")[2]
        return name not in self._scanned or not self._has_good(os.path.join(self.root, name))

    def _has_good(self, folder: str) -> bool:
        """An evidence with an error, one that is damaged or one of other content is as good as none."""
        keys = sorted(name for name in os.listdir(folder) if not name.startswith(".") and "-" not in name)
        if self.scope == "new" and not self.contents:
            return bool(keys)
        return any(self._good(os.path.join(folder, key, "evidence.json")) for key in keys)

    def _good(self, path: str) -> bool:
        try:
            evidence = Evidence.from_json(read_json(path))
            scanned = parse_time(evidence.scanned_at)
        except (ScapError, RecordError):
            return False
        if evidence.error is not None:
            return False
        if self.contents and not all(content.sha256 in self.contents for content in evidence.content):
            return False
        return self.scope == "new" or scanned >= self.oldest


def ordered(images: list[Image], priority: str) -> list[Image]:
    """`running`: what runs in more places first; `exposed`: what faces outside before that; `newest`: what was created
    last first; `name`: by reference."""
    if priority in ("running", "exposed"):
        outside = priority == "exposed"
        return sorted(
            images,
            key=lambda image: (
                outside and not image.exposed,
                -_running(image),
                -len(image.workloads),
                image.reference,
            ),
        )
    if priority == "newest":
        return sorted(images, key=lambda image: image.created, reverse=True)
    return sorted(images, key=lambda image: (image.reference, image.platform))


def _running(image: Image) -> int:
    return sum(place.running for place in image.workloads)
