# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed since the run before: images that were added, that are gone, tags that moved."""

from __future__ import annotations

import os
import typing as t

from ..files import read_jsonl
from ..model import Image, ScapError

SHOWN = 20
"""References that a summary shows of each kind; the counts are whole."""


class Before:
    """The images of the run before, read from its images.jsonl; nothing where there is none."""

    def __init__(self, path: str | None) -> None:
        self.images: dict[tuple[str, str], str] = {}
        self.tags: dict[str, set[str]] = {}
        if path is None or not os.path.isfile(path):
            return
        try:
            for row in read_jsonl(path):
                key = (str(row["digest"]), str(row.get("platform") or ""))
                self.images[key] = str(row["reference"])
                for name in row.get("references") or []:
                    if "@" not in name:
                        self.tags.setdefault(str(name), set()).add(key[0])
        except (ScapError, LookupError, TypeError, AttributeError):
            self.images, self.tags = {}, {}


def difference(before: Before, images: t.Iterable[Image]) -> dict[str, t.Any]:
    """Counts and the first references of what was added, is gone and was retagged."""
    present: set[tuple[str, str]] = set()
    tags: dict[str, set[str]] = {}
    added = []
    for image in images:
        key = (image.digest, image.platform)
        present.add(key)
        if key not in before.images:
            added.append(image.reference)
        for name in image.references:
            if "@" not in name:
                tags.setdefault(name, set()).add(image.digest)
    gone = sorted(reference for key, reference in before.images.items() if key not in present)
    retagged = sorted(name for name, digests in tags.items() if name in before.tags and before.tags[name] != digests)
    return {
        "added": _short(sorted(added)),
        "gone": _short(gone),
        "retagged": _short(retagged),
    }


def _short(names: list[str]) -> dict[str, t.Any]:
    return {"count": len(names), "references": names[:SHOWN]}
