# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories of a registry: tags by pattern, the newest ones, by age; the catalog where it is allowed."""

from __future__ import annotations

import concurrent.futures
import datetime
import typing as t

from ..model import Image, RecordError, ScapError, is_digest, parse_time
from ..reference import Reference, parse
from .durations import seconds
from .interface import Finding, Option, Source, matches
from .registries import Manifest
from .resolve import members, platform_text

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class Registry(Source):
    """One registry; every tag that is asked for is one HEAD, its configuration is read only where a key needs it."""

    type = "registry"
    authoritative = True
    options: t.ClassVar[dict[str, Option]] = {
        "registry": Option("str", required=True),
        "repositories": Option("list", []),
        "catalog": Option("bool", False),
        "tags": Option("list", ["*"]),
        "newest": Option("int", 0),
        "max_age": Option("str", ""),
        "details": Option("bool", False),
    }

    def find(self) -> t.Iterator[Finding]:
        host = self.values["registry"]
        patterns = self.values["repositories"]
        if not patterns and not self.values["catalog"]:
            raise ScapError("source_invalid", f"source registry {host}: give repositories, or catalog: true")
        parse(f"{host}/x")
        oldest = seconds(self.values["max_age"], "source registry: max_age") if self.values["max_age"] else 0.0
        repositories: t.Iterable[str] = patterns
        if self.values["catalog"]:
            names = self.setting.registries.catalog(host)
            repositories = sorted(name for name in names if matches(name, patterns))
        with concurrent.futures.ThreadPoolExecutor(self.setting.parallelism) as pool:
            for repository in repositories:
                yield from self._repository(pool, host, repository, oldest)

    def _repository(
        self, pool: concurrent.futures.Executor, host: str, repository: str, oldest: float
    ) -> t.Iterator[Finding]:
        where = f"{host}/{repository}"
        try:
            tags = [tag for tag in self.setting.registries.tags(host, repository) if matches(tag, self.values["tags"])]
            references = [parse(f"{where}:{tag}") for tag in sorted(set(tags))]
        except ScapError as error:
            yield self.skipped(where, error.message)
            return
        found: list[Image] = []
        for finding in pool.map(self._look, references):
            for one in finding:
                if isinstance(one, Image):
                    found.append(one)
                else:
                    yield one
        yield from self._recent(found, oldest)

    def _recent(self, found: list[Image], oldest: float) -> t.Iterator[Finding]:
        """The tags that `newest` and `max_age` leave; the others are records too."""
        newest = self.values["newest"]
        order: dict[str, datetime.datetime] = {}
        for image in found:
            order[image.reference] = max(order.get(image.reference, EPOCH), _moment(image.created))
        kept = sorted(order, key=lambda name: (order[name], name), reverse=True)[: newest or None]
        limit = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=oldest)
        for image in found:
            if image.reference not in kept:
                yield self.skipped(image.reference, f"excluded: not among the {newest} newest tags")
            elif oldest and order[image.reference] < limit:
                yield self.skipped(
                    image.reference, f"excluded: created {image.created or 'at no known time'}, before max_age"
                )
            else:
                yield image

    def _look(self, reference: Reference) -> list[Finding]:
        try:
            manifest = self.setting.registries.head(reference)
            if manifest is None:
                return []
            if manifest.is_index:
                return self._of_index(reference, manifest)
            return [self._image(reference, reference.at(manifest.digest), manifest, "", "")]
        except ScapError as error:
            return [self.skipped(str(reference), error.message)]

    def _of_index(self, reference: Reference, manifest: Manifest) -> list[Finding]:
        if manifest.body is None:
            manifest = self.setting.registries.fetch(reference.at(manifest.digest))
        found: list[Finding] = []
        wanted = set(self.setting.platforms)
        for digest, platform in members(manifest, str(reference)):
            if wanted and platform not in wanted:
                continue
            inside = Manifest(digest, "")
            found.append(self._image(reference, reference.at(digest), inside, platform, manifest.digest))
        if not found:
            return [self.skipped(str(reference), f"foreign platform: wanted is {', '.join(sorted(wanted))}")]
        return found

    def _image(self, reference: Reference, exact: Reference, manifest: Manifest, platform: str, index: str) -> Image:
        size, created, labels = 0, "", {}
        if self.values["details"] or self.values["newest"] or self.values["max_age"]:
            if manifest.body is None:
                manifest = self.setting.registries.fetch(exact)
            config = self.setting.registries.config(exact, manifest)
            layers = manifest.body.get("layers") if isinstance(manifest.body, dict) else None
            sizes = [entry.get("size") for entry in layers or [] if isinstance(entry, dict)]
            size = sum(number for number in sizes if isinstance(number, int))
            platform = platform or platform_text(config)
            created = str(config.get("created") or "")
            inner = config.get("config")
            given = inner.get("Labels") if isinstance(inner, dict) else None
            labels = {k: v for k, v in (given or {}).items() if isinstance(v, str)} if isinstance(given, dict) else {}
        return Image(
            str(reference),
            manifest.digest,
            platform,
            references=[str(reference)],
            index_digests=[index] if is_digest(index) else [],
            sources=[self.type],
            size=size,
            created=created,
            labels=labels,
        )


def _moment(text: str) -> datetime.datetime:
    """Registries write nanoseconds, which Python 3.9 cannot read."""
    try:
        return parse_time(f"{text[:19]}Z")
    except RecordError:
        return EPOCH
