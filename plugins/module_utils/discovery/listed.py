# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain list of references."""

from __future__ import annotations

import os
import typing as t

from ..model import Image, ScapError
from ..reference import normalise, parse
from .interface import Finding, Option, Source
from .oci import of_place


class Listed(Source):
    """The references that the user wrote."""

    type = "list"
    options: t.ClassVar[dict[str, Option]] = {"images": Option("list", required=True)}

    def find(self) -> t.Iterator[Finding]:
        for text in self.values["images"]:
            try:
                reference, name = parse(text), normalise(text)
            except ScapError as error:
                yield self.skipped(text, error.message)
                continue
            if reference.transport in ("oci", "oci-archive"):
                yield from self._local(name, os.path.abspath(os.path.expanduser(reference.path)), reference.tag)
            else:
                yield Image(name, reference.digest, references=[name], sources=[self.type])

    def _local(self, name: str, place: str, tag: str) -> t.Iterator[Finding]:
        found = list(of_place(place, self.setting.platforms, self.type))
        wanted = [one for one in found if not tag or one.reference.endswith(f":{tag}") or not isinstance(one, Image)]
        if not wanted:
            yield self.skipped(name, f"{place} holds no image of that name")
        yield from wanted
