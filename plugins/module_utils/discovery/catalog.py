# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Image a manifest digest and platform, whatever number of sources spoke of it."""

from __future__ import annotations

import itertools
import operator
import typing as t

from ..model import Image, Workload

Key = t.Tuple[str, str]
_Place = t.Tuple[str, str, str, str]
_POOL: dict[str, str] = {}
_NOTHING: t.AbstractSet[str] = frozenset()
_PLACE = operator.attrgetter("kind", "namespace", "name", "container")


def shared(text: str) -> str:
    """The one object that stands for all equal texts: most images of a fleet say the same."""
    return _POOL.setdefault(text, text)


def shared_mapping(texts: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Those entries whose values are texts, these shared: the JSON parser shares the names of a page."""
    pool = _POOL.setdefault
    return {name: pool(text, text) for name, text in texts.items() if isinstance(text, str)}


def _with(known: t.AbstractSet[str], more: t.Collection[str]) -> t.AbstractSet[str]:
    """`known` and `more`; a set of its own only where there is something, since most of an entry's stay empty."""
    if not more:
        return known
    mine = known if isinstance(known, set) else set(known)
    mine.update(map(shared, more))
    return mine


def _in_order(known: t.Collection[t.Any]) -> list[t.Any]:
    """Sorted; nearly all that an entry knows is nothing, or one."""
    return sorted(known) if len(known) > 1 else list(known)


class Entry:
    """What is known so far of one digest and platform, or of one reference without a digest.

    While that is one plain image alone, as it is for most of a fleet, this is all that is kept of it.
    """

    __slots__ = (
        "alone",
        "annotations",
        "created",
        "exposed",
        "index_digests",
        "labels",
        "nodes",
        "places",
        "pull_secrets",
        "references",
        "size",
        "sources",
    )

    def __init__(self, alone: Image | None = None) -> None:
        self.alone = alone
        self.references: dict[str, None] = {}
        self.index_digests = _NOTHING
        self.sources = _NOTHING
        self.places: dict[_Place, bool] = {}
        self.pull_secrets = _NOTHING
        self.nodes = _NOTHING
        self.exposed = _NOTHING
        self.size = 0
        self.created = ""
        self.labels: dict[str, str] = {}
        self.annotations: dict[str, str] = {}

    def opened(self) -> Entry:
        """This entry with its fields filled, so that more can be added."""
        if self.alone is not None:
            image, self.alone = self.alone, None
            self.add(image)
        return self

    @property
    def indexes(self) -> t.Collection[str]:
        return self.index_digests if self.alone is None else self.alone.index_digests

    @property
    def is_of_nodes(self) -> bool:
        """Whether only nodes spoke of it."""
        known = self.sources if self.alone is None else self.alone.sources
        return len(known) == 1 and "nodes" in known

    def add(self, image: Image) -> None:
        self.opened()
        for reference in (image.reference, *image.references):
            if reference and reference not in self.references:
                self.references[shared(reference)] = None
        self.index_digests = _with(self.index_digests, image.index_digests)
        self.sources = _with(self.sources, image.sources)
        for place in image.workloads:
            key = (place.kind, shared(place.namespace), place.name, shared(place.container))
            self.places[key] = self.places.get(key, False) or place.running
        self.pull_secrets = _with(self.pull_secrets, image.pull_secrets)
        self.nodes = _with(self.nodes, image.nodes)
        self.exposed = _with(self.exposed, image.exposed)
        self.size = self.size or image.size
        self.created = self.created or image.created
        self.labels = self.labels or image.labels
        self.annotations = self.annotations or image.annotations

    def fold(self, other: Entry) -> None:
        """Take over what another entry knows of the same image."""
        self.opened()
        other.opened()
        self.references.update(other.references)
        self.index_digests = _with(self.index_digests, other.index_digests)
        self.sources = _with(self.sources, other.sources)
        for place, running in other.places.items():
            self.places[place] = self.places.get(place, False) or running
        self.pull_secrets = _with(self.pull_secrets, other.pull_secrets)
        self.nodes = _with(self.nodes, other.nodes)
        self.exposed = _with(self.exposed, other.exposed)
        self.size = self.size or other.size
        self.created = self.created or other.created
        self.labels = self.labels or other.labels
        self.annotations = self.annotations or other.annotations

    def image(self, digest: str, platform: str) -> Image:
        if self.alone is not None and (self.alone.digest, self.alone.platform) == (digest, platform):
            return self.alone
        self.opened()
        references = list(self.references)
        places: list[tuple[_Place, bool]] = _in_order(self.places.items())
        return Image(
            reference=_best(references, digest),
            digest=digest,
            platform=platform,
            references=references,
            index_digests=_in_order(self.index_digests - {digest} if self.index_digests else ()),
            sources=_in_order(self.sources),
            workloads=[Workload(*place, running=running) for place, running in places],
            pull_secrets=_in_order(self.pull_secrets),
            nodes=_in_order(self.nodes),
            exposed=_in_order(self.exposed),
            size=self.size,
            created=self.created,
            labels=self.labels,
            annotations=self.annotations,
        )


class Catalog:
    """The merger. Feed it with `add`, settle references with `settle`, then `fold`, then read `images`."""

    def __init__(self) -> None:
        self._known: dict[Key, Entry] = {}
        self._unresolved: dict[str, Entry] = {}
        self._authoritative: dict[str, str] = {}

    def add(self, image: Image, authoritative: bool = False) -> None:
        """`authoritative`: the source speaks for the registry, so its references need no resolving."""
        if image.digest:
            key = (image.digest, bare_platform(image.platform))
            if key in self._known or not _is_plain(image):
                self._entry(key).add(image)
            else:
                self._known[key] = Entry(image)
            if authoritative:
                for reference in image.references:
                    self._authoritative[reference] = image.digest
        else:
            if image.reference not in self._unresolved:
                self._unresolved[image.reference] = Entry()
            self._unresolved[image.reference].add(image)

    def unresolved(self) -> list[str]:
        """References whose digest no source knew."""
        for reference in [name for name in self._unresolved if name in self._authoritative]:
            self._settle(reference, self._authoritative[reference], "", ())
        return list(self._unresolved)

    def digests(self) -> list[Key]:
        return list(self._known)

    def reference_of(self, key: Key) -> str:
        return _best(list(self._known[key].opened().references), key[0])

    def sources_of(self, reference: str) -> list[str]:
        return sorted(self._unresolved[reference].sources)

    def pull_secrets_of(self, reference: str) -> list[str]:
        return sorted(self._unresolved[reference].pull_secrets)

    def settle(self, reference: str, found: t.Sequence[Image]) -> None:
        """`found`: what the reference turned out to be, one Image a platform."""
        entry = self._unresolved.pop(reference)
        for image in found:
            key = (image.digest, bare_platform(image.platform))
            target = self._entry(key)
            target.fold(entry)
            target.add(image)

    def expand(self, key: Key, found: t.Sequence[Image]) -> None:
        """The digest of `key` turned out to be an index of `found`: hand its entry on to each of them."""
        entry = self._known.pop(key).opened()
        entry.index_digests = _with(entry.index_digests, [key[0]])
        for image in found:
            target = self._entry((image.digest, bare_platform(image.platform)))
            target.fold(entry)
            target.add(image)

    def running_as(self, reference: str) -> bool:
        """Settle a reference by what runs under the same name; whether anything does."""
        keys = [key for key, entry in self._known.items() if reference in entry.opened().references]
        if not keys:
            return False
        entry = self._unresolved.pop(reference)
        for key in keys:
            self._known[key].fold(entry)
        return True

    def drop(self, reference: str) -> None:
        del self._unresolved[reference]

    def keep(self, reference: str) -> None:
        """Let a reference stand as an image without a digest."""
        self._entry(("", reference)).fold(self._unresolved.pop(reference))

    def fold(self) -> None:
        """Join what means the same: index digests with their manifests, unknown platforms with the known one."""
        self._fold_nodes()
        members: dict[str, list[Key]] = {}
        for key, entry in self._known.items():
            for digest in entry.indexes:
                members.setdefault(digest, []).append(key)
        for key in [key for key in self._known if key[0] in members]:
            own = members[key[0]]
            targets = [other for other in own if other != key and key[1] in ("", other[1])]
            if targets:
                entry = self._known.pop(key)
                for other in targets:
                    if other in self._known:
                        self._known[other].fold(entry)
        platforms: dict[str, list[str]] = {}
        for digest, platform in self._known:
            if digest and platform:
                platforms.setdefault(digest, []).append(platform)
        for digest, names in platforms.items():
            if (digest, "") in self._known and len(names) == 1:
                self._known[digest, names[0]].fold(self._known.pop((digest, "")))

    def _fold_nodes(self) -> None:
        """A node lists the digests of manifest and index alike: the one that another source knows is the manifest's."""
        others = {key[0]: key for key, entry in self._known.items() if not entry.is_of_nodes}
        for key in [key for key, entry in self._known.items() if entry.is_of_nodes]:
            for digest in self._known[key].indexes:
                if digest in others and key[0] not in others:
                    entry = self._known.pop(key).opened()
                    entry.index_digests = _with(entry.index_digests, [key[0]])
                    self._known[others[digest]].fold(entry)
                    break

    def images(self) -> t.Iterator[Image]:
        """The images, in the order of digest and platform; the catalog is empty afterwards."""
        for key in sorted(self._known):
            entry = self._known.pop(key)
            yield entry.image(key[0], key[1] if key[0] else "")

    def _settle(self, reference: str, digest: str, platform: str, indexes: t.Sequence[str]) -> None:
        keys = [key for key in self._known if key[0] == digest] or [(digest, platform)]
        entry = self._unresolved.pop(reference)
        entry.index_digests = _with(entry.index_digests, indexes)
        for key in keys:
            self._entry(key).fold(entry)

    def _entry(self, key: Key) -> Entry:
        entry = self._known.get(key)
        if entry is None:
            entry = self._known[key] = Entry()
        return entry


def _is_plain(image: Image) -> bool:
    """Whether an entry would make the very same image of it."""
    references = image.references
    if not references or references[0] != image.reference or image.digest in image.index_digests or "" in references:
        return False
    if len(references) > 1 and (
        len(references) > len(set(references)) or _best(references, image.digest) != references[0]
    ):
        return False
    lists = (image.sources, image.index_digests, image.pull_secrets, image.nodes, image.exposed)
    return all(map(_ascends, lists)) and (
        len(image.workloads) < 2 or _ascends([_PLACE(place) for place in image.workloads])
    )


def _ascends(things: t.Sequence[t.Any]) -> bool:
    return len(things) < 2 or all(map(operator.lt, things, itertools.islice(things, 1, None)))


def bare_platform(platform: str) -> str:
    """A platform without a variant that is the only one in use: `linux/arm64/v8` is `linux/arm64`."""
    return platform[: -len("/v8")] if platform.endswith("/arm64/v8") else platform


def _best(references: list[str], digest: str) -> str:
    """The reference that a person would use: with a registry before a short name, a tag before a digest."""

    def rank(reference: str) -> tuple[bool, bool]:
        bare = reference.partition("://")[2]
        host = bare.partition("/")[0]
        short = reference.startswith("docker://") and ("/" not in bare or not ("." in host or ":" in host))
        return short and host != "localhost", digest in reference

    if len(references) > 1:
        return min(references, key=rank)
    return references[0] if references else ""
