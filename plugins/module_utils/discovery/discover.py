# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One discovery: every source asked, what they know merged, resolved, selected, compared with the run before."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import gc
import os
import time
import typing as t

from ..model import Image, J, Skipped
from . import sources
from .catalog import Catalog
from .difference import Before, difference
from .interface import Setting, Source
from .output import are_rows, row, write_rows
from .pullsecrets import PullSecrets
from .resolve import Resolver
from .scope import Scope, ordered
from .selection import Selection, Selector, split

RESOLVE = ("tags", "all", "none")
FLEET = "images.jsonl"


@dataclasses.dataclass(frozen=True)
class Wish:
    """What a discovery is asked for beside its sources."""

    dir: str | None = None
    """`scap_dir`: images.jsonl, evidence and checkpoints; None: nothing is compared or kept."""
    scope: str = "all"
    max_age: float = 7 * 86400.0
    """Seconds after which an evidence is due."""
    contents: list[str] = dataclasses.field(default_factory=list)
    priority: str = "running"
    resolve: str = "tags"
    selection: Selection = dataclasses.field(default_factory=Selection)
    dry_run: bool = False
    """Write nothing."""


@dataclasses.dataclass(frozen=True)
class Discovery:
    """What was found."""

    images: list[Image]
    """Of the scope, the first to scan first."""
    skipped: list[Skipped]
    summary: J
    changed: bool
    """Whether images.jsonl is (or, in a dry run, would be) another than before."""


def discover(mappings: t.Sequence[t.Any], setting: Setting, wish: Wish) -> Discovery:
    """Run the sources one after the other (each asks in parallel) and merge what they say. Raises ScapError."""
    with _no_collection():
        return _discover(mappings, setting, wish)


def _discover(mappings: t.Sequence[t.Any], setting: Setting, wish: Wish) -> Discovery:
    started = time.monotonic()
    built = sources.build(mappings, setting)
    selector = Selector(wish.selection)
    scope = Scope(wish.dir, wish.scope, wish.max_age, wish.contents)
    catalog = Catalog()
    skipped: list[Skipped] = []
    told = [_ask(source, catalog, skipped) for source in built]
    secrets = PullSecrets(setting.client, setting.registries)
    resolver = Resolver(setting.registries, setting.store, _platforms(setting), setting.parallelism, secrets)
    asked = setting.registries.requests
    skipped += resolver.run(catalog, wish.resolve)
    catalog.fold()
    excluded: list[Skipped] = []
    fleet = ordered(list(split(catalog.images(), selector, excluded)), wish.priority)
    path = os.path.join(wish.dir, FLEET) if wish.dir else None
    unchanged = path is not None and are_rows(path, map(row, fleet))
    changes = difference(Before(None), ()) if unchanged else difference(Before(path), fleet)
    changed = path is not None and not unchanged and write_rows(path, map(row, fleet), wish.dry_run)
    images = [image for image in fleet if scope.wants(image)]
    everything = _distinct(skipped + excluded)
    summary = {
        "found": len(fleet) + len(excluded),
        "images": len(fleet),
        "selected": len(images),
        "scope": wish.scope,
        "skipped": len(everything),
        "excluded": len(excluded),
        "reasons": _reasons(everything),
        "sources": told,
        "resolved": {
            "requests": setting.registries.requests - asked + secrets.requests,
            "unchanged": resolver.revalidated,
        },
        "difference": changes,
        "seconds": round(time.monotonic() - started, 3),
    }
    return Discovery(images, everything, summary, changed)


@contextlib.contextmanager
def _no_collection() -> t.Iterator[None]:
    """Records make no cycles, and the collector that looks for them takes as long as reading them itself.

    What was found lives as long as the process: the collector need not look at it afterwards either.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.freeze()
            gc.enable()


def _ask(source: Source, catalog: Catalog, skipped: list[Skipped]) -> J:
    started, found, left = time.monotonic(), 0, len(skipped)
    before = source.setting.requests
    for finding in source.find():
        if isinstance(finding, Image):
            found += 1
            catalog.add(finding, source.authoritative)
        else:
            skipped.append(finding)
    return {
        "type": source.type,
        "found": found,
        "skipped": len(skipped) - left,
        "mode": source.mode,
        "requests": source.setting.requests - before,
        "seconds": round(time.monotonic() - started, 3),
    }


def _platforms(setting: Setting) -> list[str]:
    """The platforms that the user names, or those of the nodes that a source has seen."""
    return setting.platforms or sorted(set((setting.node_platforms or {}).values()))


def _distinct(records: list[Skipped]) -> list[Skipped]:
    return sorted(set(records), key=lambda record: (record.reference, record.source, record.reason))


def _reasons(records: list[Skipped]) -> dict[str, int]:
    """How often each kind of reason was met: the words before the first colon or comma."""
    kinds: collections.Counter[str] = collections.Counter()
    for record in records:
        words = record.reason.replace("(", ":").replace(",", ":").split(":")
        kind = f"{words[0]}:{words[1]}" if words[0] == "excluded" and len(words) > 1 else words[0]
        kinds[kind.strip() if len(kind) < 80 else "other"] += 1
    return dict(kinds.most_common(20))
