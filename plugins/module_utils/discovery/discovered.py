# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other discoveries found: the way in which several clusters become one fleet."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ..files import read_jsonl
from ..model import Image, RecordError, ScapError
from .interface import Finding, Option, Source


class Discovered(Source):
    """The images of one images.jsonl.

    With `cluster` their places are in namespaces called CLUSTER/NAMESPACE, and what means something only inside of that
    cluster, secrets and nodes, is left out.
    """

    type = "discovered"
    authoritative = True
    options: t.ClassVar[dict[str, Option]] = {"path": Option("str", required=True), "cluster": Option("str", "")}

    def find(self) -> t.Iterator[Finding]:
        path = os.path.abspath(os.path.expanduser(self.values["path"]))
        if not os.path.isfile(path):
            raise ScapError(
                "source_invalid", f"source discovered: there is no {path}; run discovery there first, with a dir"
            )
        for number, row in enumerate(read_jsonl(path), 1):
            try:
                image = Image.from_json(row)
            except RecordError as error:
                raise ScapError("images_damaged", f"{path}: line {number}: {error}; discover again") from error
            yield self._elsewhere(image) if self.values["cluster"] else image

    def _elsewhere(self, image: Image) -> Image:
        cluster = self.values["cluster"]
        workloads = [dataclasses.replace(place, namespace=f"{cluster}/{place.namespace}") for place in image.workloads]
        return dataclasses.replace(image, workloads=workloads, pull_secrets=[], nodes=[])
