# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every name by which the judged images are known, out of what discovery found and what their verdicts say."""

from __future__ import annotations

import typing as t

from ..model import Image, Verdict
from . import keys


class Names:
    """What tags mean now, which indexes contain which image, and the keys that each judged image has."""

    def __init__(
        self, images: t.Iterable[Image], verdicts: t.Mapping[str, Verdict], search: t.Collection[str] = ()
    ) -> None:
        """`verdicts` by digest. A pod that names a tag often runs the digest of an index: discovery then knows the
        tag as that index, and only the verdict says which image was scanned out of it."""
        self._verdicts = verdicts
        self._search = search
        self._records: dict[str, list[Image]] = {}
        self.tags: dict[str, set[str]] = {}
        """A tag's key to every digest that it is known to mean."""
        self.indexes: dict[str, set[str]] = {}
        """A digest to the indexes that contain it."""
        members: dict[str, set[str]] = {}
        for digest, verdict in verdicts.items():
            for index in verdict.index_digests:
                members.setdefault(index, set()).add(digest)
            self.indexes.setdefault(digest, set()).update(verdict.index_digests)
        for image in images:
            if image.digest:
                self._records.setdefault(image.digest, []).append(image)
                self.indexes.setdefault(image.digest, set()).update(image.index_digests)
                for reference in [image.reference, *image.references]:
                    for key in keys.of_reference(reference, search):
                        means = self.tags.setdefault(key, set())
                        means.add(image.digest)
                        means.update(members.get(image.digest, ()))

    def keys(self, digest: str) -> list[str]:
        """The keys of one judged image, its digest first; no tag that means another image by now."""
        verdict = self._verdicts[digest]
        alone = Image(reference=verdict.image.reference, digest=digest, index_digests=list(verdict.index_digests))
        known = [image for name in (digest, *verdict.index_digests) for image in self._records.get(name, ())]
        found = keys.of_image(digest, [*known, alone], self._search)
        return [key for key in found if digest in self.tags.get(key, (digest,))]
