# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the found images a run is about; what it is not about becomes a record with the reason."""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
import re
import typing as t

from ..model import Image, RecordError, ScapError, Skipped, parse_time
from ..reference import normalise, parse
from .durations import seconds

INFRASTRUCTURE = ("kube-system", "kube-public", "kube-node-lease", "openshift", "openshift-*")
"""Namespaces of the cluster itself: an image that is in no other is infrastructure."""

PAYLOAD = ("quay.io/openshift-release-dev/", "registry.ci.openshift.org/")
PAYLOAD_PARTS = ("/ocp-release", "/ocp-v4.0-art-dev")
"""Repositories of OpenShift's own release payload: how they begin, and what their copies have in their names."""

_INFRASTRUCTURE = re.compile("|".join(map(fnmatch.translate, INFRASTRUCTURE)))


@dataclasses.dataclass(frozen=True)
class Selection:
    """What the user wants of everything that was found."""

    names: list[str] = dataclasses.field(default_factory=list)
    """Shell patterns; one of an image's references, without its transport, matches one of them."""
    registries: list[str] = dataclasses.field(default_factory=list)
    """`host[:port]` patterns."""
    max_size: int = 0
    """Bytes; 0: any."""
    created_within: str = ""
    """A duration; empty: any age."""
    exclude: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    """Mappings of `names` (patterns or digests) and `reason`."""
    infrastructure: bool = False
    """Whether the cluster's own images and OpenShift's release payload are wanted too."""
    scanner_images: list[str] = dataclasses.field(default_factory=list)
    """References or digests of the scanner's own image."""


class Selector:
    """Decides for one image after the other; ScapError `selection_invalid` for what cannot be meant."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self._oldest: datetime.datetime | None = None
        if selection.created_within:
            age = datetime.timedelta(seconds=seconds(selection.created_within, "created_within"))
            self._oldest = datetime.datetime.now(datetime.timezone.utc) - age
        self._exclude = [_exclusion(entry) for entry in selection.exclude]
        self._scanner = {part for name in selection.scanner_images for part in _means(name)}

    def reason(self, image: Image) -> str:
        """Why the image is not wanted; empty where it is."""
        selection = self.selection
        names = [_bare(name) for name in image.references or [image.reference]]
        if self._scanner or self._exclude:
            known = {*names, image.digest, *image.index_digests}
            if self._scanner & known:
                return "excluded: the scanner's own image"
            for patterns, reason in self._exclude:
                if any(pattern in known or _any(names, [pattern]) for pattern in patterns):
                    return f"excluded: {reason}"
        if not selection.infrastructure:
            if any(map(_is_payload, names)):
                return "excluded: OpenShift's release payload (set infrastructure to include it)"
            spaces = image.namespaces
            if spaces and all(map(_INFRASTRUCTURE.match, spaces)):
                return f"excluded: infrastructure, in {', '.join(spaces)} only (set infrastructure to include it)"
        if selection.names and not _any(names, selection.names):
            return "excluded: its name matches none of names"
        if selection.registries and not _any([parse(name).host for name in names], selection.registries):
            return "excluded: it is in none of registries"
        if selection.max_size and image.size > selection.max_size:
            return f"excluded: its {image.size} bytes are more than max_size"
        if self._oldest is not None:
            return self._too_old(image.created)
        return ""

    def _too_old(self, created: str) -> str:
        try:
            old = parse_time(f"{created[:19]}Z") < t.cast(datetime.datetime, self._oldest)
        except RecordError:
            return "excluded: nothing says when it was created, and created_within is set"
        return f"excluded: created {created}, before created_within" if old else ""


def split(images: t.Iterable[Image], selector: Selector, excluded: list[Skipped]) -> t.Iterator[Image]:
    """The wanted images; the others are added to `excluded`."""
    for image in images:
        reason = selector.reason(image)
        if reason:
            excluded.append(Skipped(image.reference, reason, ", ".join(image.sources)))
        else:
            yield image


def _is_payload(name: str) -> bool:
    return name.startswith(PAYLOAD) or any(part in name for part in PAYLOAD_PARTS)


def _means(name: str) -> list[str]:
    """A digest, or a reference and the digest that it names."""
    if name.startswith("sha256:"):
        return [name]
    reference = normalise(name)
    return [_bare(reference), *filter(None, [parse(reference).digest])]


def _exclusion(entry: dict[str, t.Any]) -> tuple[list[str], str]:
    names, reason = entry.get("names"), entry.get("reason")
    names = [names] if isinstance(names, str) else names
    good = isinstance(names, list) and names and all(isinstance(name, str) and name for name in names)
    if not good or not isinstance(reason, str) or not reason.strip() or set(entry) - {"names", "reason"}:
        raise ScapError(
            "selection_invalid", f"an entry of exclude has names (patterns or digests) and a reason: {entry}"
        )
    return [str(name) for name in t.cast("list[t.Any]", names)], reason.strip()


def _any(names: t.Iterable[str], patterns: t.Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _bare(reference: str) -> str:
    return reference[len("docker://") :] if reference.startswith("docker://") else reference
