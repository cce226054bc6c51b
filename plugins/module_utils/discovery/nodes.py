# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the nodes hold: their image lists, as the kubelets report them (by default the 50 largest images of a node)."""

from __future__ import annotations

import typing as t

from ..kube.errors import KubeError
from ..model import Image, ScapError
from ..reference import normalise, parse
from .interface import Finding, Option, Source
from .listing import Listing
from .names import running_reference


class Nodes(Source):
    """Images in `status.images` of the nodes."""

    type = "nodes"
    options: t.ClassVar[dict[str, Option]] = {}

    def find(self) -> t.Iterator[Finding]:
        client = self.setting.client()
        listing = Listing(client, self.setting.store, "/api/v1/nodes", _extract)
        try:
            rows = listing.rows()
        except KubeError as error:
            yield self.skipped("/api/v1/nodes", error.message)
            return
        self.mode = "incremental" if listing.incremental else "full"
        for node, (platform, images) in rows.items():
            for names, size in images:
                yield self._image(node, platform, names, size)

    def _image(self, node: str, platform: str, names: list[str], size: int) -> Finding:
        digests = [name for name in names if running_reference(name)]
        shown = names[0] if names else "an image without a name"
        if not digests:
            return self.skipped(shown, f"no digest: node {node} knows it by {', '.join(names) or 'nothing'} only")
        references = []
        for name in names:
            try:
                references.append(normalise(name))
            except ScapError:
                continue
        digest = parse(running_reference(digests[0])).digest
        others = sorted({parse(running_reference(name)).digest for name in digests} - {digest})
        return Image(
            references[0],
            digest,
            platform,
            references=references,
            index_digests=others,
            sources=[self.type],
            nodes=[node],
            size=size,
        )


def _extract(node: dict[str, t.Any]) -> t.Any:
    status = node.get("status") or {}
    info = status.get("nodeInfo") or {}
    platform = f"{info.get('operatingSystem')}/{info.get('architecture')}" if info.get("architecture") else ""
    images = []
    for image in status.get("images") or []:
        names = [name for name in image.get("names") or [] if isinstance(name, str)]
        images.append([names, int(image.get("sizeBytes") or 0)])
    return [platform, images]
