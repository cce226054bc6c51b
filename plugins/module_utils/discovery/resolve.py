# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From references to digests: one HEAD each, in parallel, remembered with validators; indexes to their platforms."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import typing as t

from ..model import Image, ScapError, Skipped, is_digest
from ..reference import Reference, parse
from .catalog import Catalog, Key, bare_platform
from .checkpoint import Checkpoints
from .pullsecrets import PullSecrets
from .registries import Manifest, Registries

IDENTITY = {"cache": "references"}
SECRETS_SAID = 2
"""So many of them are named in a refusal."""

INDEX_ENTRIES = 1000
"""Manifests of one index; a longer one is refused."""


@dataclasses.dataclass(frozen=True)
class Resolved:
    """What one reference is: a manifest, or an index and the manifests of the wanted platforms."""

    digest: str
    etag: str
    members: list[tuple[str, str]] | None
    """(digest, platform) of an index's manifests; None for a plain manifest."""


class Resolver:
    """Fills in what the catalog's sources did not know."""

    def __init__(
        self,
        registries: Registries,
        store: Checkpoints,
        platforms: t.Sequence[str],
        parallelism: int,
        secrets: PullSecrets | None = None,
    ) -> None:
        """`secrets`: opens what the pods' pull secrets open; None where there is no cluster."""
        self.registries = registries
        self.secrets = secrets
        self.store = store
        self.platforms = {bare_platform(platform) for platform in platforms}
        self.parallelism = max(1, parallelism)
        self.revalidated = 0
        kept = store.load(IDENTITY)
        self._kept: dict[str, t.Any] = kept[1] if kept else {}
        self._used: dict[str, t.Any] = {}
        self._names: dict[str, list[str]] = {}
        """References to the pull secrets of their pods."""

    def run(self, catalog: Catalog, how: str) -> list[Skipped]:
        """`how`: `tags` resolves references without a digest, `all` asks for every digest too, `none` asks nobody."""
        skipped: list[Skipped] = []
        references = []
        for reference in catalog.unresolved():
            if how == "none" or not reference.startswith("docker://"):
                catalog.keep(reference)
            else:
                references.append(reference)
                self._names[reference] = catalog.pull_secrets_of(reference)
        for reference, answer in self._parallel(references, self._resolve):
            if isinstance(answer, ScapError):
                if not catalog.running_as(reference):
                    source = ", ".join(catalog.sources_of(reference))
                    skipped.append(Skipped(reference, answer.message, source))
                    catalog.drop(reference)
                continue
            images = self._images(reference, answer)
            if images:
                catalog.settle(reference, images)
            else:
                skipped.append(self._foreign(reference, answer, ", ".join(catalog.sources_of(reference))))
                catalog.drop(reference)
        if how == "all":
            skipped += self._expand_digests(catalog)
        if self._used != self._kept:
            self.store.save(IDENTITY, {}, self._used)
        return skipped

    def _expand_digests(self, catalog: Catalog) -> list[Skipped]:
        skipped = []
        keys: dict[str, list[Key]] = {}
        for key in catalog.digests():
            reference = catalog.reference_of(key)
            if key[0] and reference.startswith("docker://"):
                name = str(parse(reference).at(key[0]))
                keys.setdefault(name, []).append(key)
        for name, answer in self._parallel(list(keys), self._resolve):
            for key in keys[name]:
                if isinstance(answer, ScapError):
                    skipped.append(Skipped(name, f"its digest could not be checked: {answer.message}", "registry"))
                elif answer.members is not None:
                    wanted = {key[1]} if key[1] else self.platforms
                    images = self._images(name, answer, wanted)
                    if images:
                        catalog.expand(key, images)
        return skipped

    def _parallel(
        self, names: list[str], work: t.Callable[[str], Resolved]
    ) -> t.Iterator[tuple[str, Resolved | ScapError]]:
        def one(name: str) -> Resolved | ScapError:
            try:
                return work(name)
            except ScapError as error:
                return error

        if not names:
            return
        with concurrent.futures.ThreadPoolExecutor(min(self.parallelism, len(names))) as pool:
            yield from zip(names, pool.map(one, names))

    def _resolve(self, name: str) -> Resolved:
        reference = parse(name)
        failure = None
        for candidate in self.registries.conf.expand(reference):
            try:
                found = self._ask_with_secrets(name, candidate)
            except ScapError as error:
                failure = failure or error
                continue
            self._used[name] = [found.digest, found.etag, found.members]
            return found
        raise failure or ScapError("no_digest", f"{name}: nothing says what it means")

    def _ask_with_secrets(self, name: str, reference: Reference) -> Resolved:
        """By the user's own credentials, and where they are refused by the secrets that its pods pull it with."""
        try:
            return self._ask(name, reference, self.registries)
        except ScapError as error:
            if error.code != "registry_unauthorized" or self.secrets is None or not self._names.get(name):
                raise
            refusal = error
        said = []
        for secret in self._names[name]:
            try:
                return self._ask(name, reference, self.secrets.registries(secret))
            except ScapError as error:
                said.append(f"; by its pull secret {secret} neither: {error.message}")
        raise ScapError(refusal.code, f"{refusal.message}{''.join(said[:SECRETS_SAID])}")

    def _ask(self, name: str, reference: Reference, registries: Registries) -> Resolved:
        kept = self._remembered(name)
        if kept is not None and reference.digest:
            return kept
        manifest = registries.head(reference, kept.etag if kept else "")
        if manifest is None or (kept is not None and manifest.digest == kept.digest):
            self.revalidated += 1
            return t.cast(Resolved, kept)
        if not manifest.is_index:
            return Resolved(manifest.digest, manifest.etag, None)
        if manifest.body is None:
            manifest = dataclasses.replace(registries.fetch(reference.at(manifest.digest)), etag=manifest.etag)
        return Resolved(manifest.digest, manifest.etag, members(manifest, name))

    def _remembered(self, name: str) -> Resolved | None:
        try:
            digest, etag, found = self._kept[name]
            pairs = None if found is None else [(str(member), str(platform)) for member, platform in found]
        except (LookupError, TypeError, ValueError):
            return None
        return Resolved(digest, etag, pairs) if is_digest(digest) and isinstance(etag, str) else None

    def _images(self, reference: str, answer: Resolved, wanted: set[str] | None = None) -> list[Image]:
        wanted = self.platforms if wanted is None else wanted
        if answer.members is None:
            return [Image(reference, answer.digest)]
        return [
            Image(reference, digest, platform, index_digests=[answer.digest])
            for digest, platform in answer.members
            if not wanted or bare_platform(platform) in wanted
        ]

    def _foreign(self, reference: str, answer: Resolved, source: str) -> Skipped:
        has = ", ".join(sorted({platform for _digest, platform in answer.members or []})) or "no platform"
        return Skipped(
            reference, f"foreign platform: it has {has}, wanted is {', '.join(sorted(self.platforms))}", source
        )


def members(manifest: Manifest, name: str) -> list[tuple[str, str]]:
    """(digest, platform) of an index's runnable manifests; attestations and the like are left out."""
    entries = manifest.body.get("manifests") if isinstance(manifest.body, dict) else None
    if not isinstance(entries, list) or len(entries) > INDEX_ENTRIES:
        raise ScapError("registry_malformed", f"{name}: its index lists no manifests, or more than {INDEX_ENTRIES}")
    found = []
    for entry in entries:
        if not isinstance(entry, dict) or not is_digest(entry.get("digest")):
            raise ScapError("registry_malformed", f"{name}: its index lists a manifest without a sha256 digest")
        text = platform_text(entry.get("platform"))
        if text != "unknown/unknown":
            found.append((entry["digest"], text))
    return found


def platform_text(platform: t.Any) -> str:
    """`os/architecture[/variant]` of a platform object (OCI image index); empty where it says nothing."""
    if not isinstance(platform, dict):
        return ""
    words = [platform.get("os"), platform.get("architecture"), platform.get("variant")]
    if not all(isinstance(word, str) and word for word in words[:2]):
        return ""
    return "/".join(str(word) for word in words if word)
