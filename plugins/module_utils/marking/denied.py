# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The denied set: DeniedImages objects, each a map of keys that admission looks up.

One entry is `key: "STATE DATE [DIGEST ...]"`: the verdict's state, the day since when, and the digests of the images
that the key stands for (left out where the key itself is that digest). Several images may own one key: the
platforms of an index, the tag that names it. A key leaves the set with its last owner.

`Denied` holds the whole set in memory, changes it and knows which objects then have to be written: an entry stays in
its object, a new one goes where something is written anyhow, so that one more image writes one object.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ..model import J, is_digest
from .names import API_VERSION, GROUP, LABELS, STAGE_LABEL, STAGES

PLURAL = "deniedimages"
PATH = f"/apis/{API_VERSION}/{PLURAL}"

MAX_ENTRIES = 10_000
MAX_BYTES = 1_040_000
"""Of an object's maps as JSON; with the rest of the object less than 1 MiB."""

MAX_OWNERS = 56
MAX_VALUE = 4096
MAX_TEXT = 512
"""Characters of `report` and `help`: a refusal has to hold them beside the keys."""

_NAME = re.compile(rf"({'|'.join(STAGES)})-[0-9]{{5}}\Z")


@dataclasses.dataclass
class Entry:
    """What one key says."""

    state: str
    since: str
    """YYYY-MM-DD."""
    owners: set[str]

    def text(self, key: str) -> str:
        owners = "" if self.owners <= {key} else " " + " ".join(sorted(self.owners)[:MAX_OWNERS])
        return f"{self.state} {self.since}{owners}"

    @classmethod
    def of(cls, key: str, text: str) -> Entry:
        """Lenient: a person may have written it; a digest without owners is its own."""
        words = text.split()
        owners = {word for word in words[2:] if is_digest(word)}
        if not owners and is_digest(key):
            owners = {key}
        return cls(words[0] if words else "unknown", words[1] if len(words) > 1 else "", owners)


@dataclasses.dataclass
class Shard:
    """One DeniedImages object."""

    name: str
    stage: str
    resource_version: str = ""
    entries: dict[str, str] = dataclasses.field(default_factory=dict)
    exempt: dict[str, str] = dataclasses.field(default_factory=dict)
    """`NAMESPACE KEY` (`*` for every namespace) to `YYYY-MM-DD OWNER: REASON`; void after that day."""
    report: str = ""
    help: str = ""
    size: int = 0
    dirty: bool = False

    def __post_init__(self) -> None:
        self.size = 0
        for part in (self.entries, self.exempt):
            self.size += sum(map(len, part)) + sum(map(len, part.values())) + len(part) * cost("", "")

    def put(self, key: str, value: str) -> None:
        if self.entries.get(key) != value:
            self.drop(key)
            self.entries[key] = value
            self.size += cost(key, value)
            self.dirty = True

    def drop(self, key: str) -> None:
        value = self.entries.pop(key, None)
        if value is not None:
            self.size -= cost(key, value)
            self.dirty = True

    def replace_exempt(self, exempt: dict[str, str]) -> None:
        if exempt != self.exempt:
            self.exempt = exempt
            self.dirty = True
            self.__post_init__()

    def has_room(self, key: str, value: str) -> bool:
        return len(self.entries) < MAX_ENTRIES and self.size + cost(key, value) <= MAX_BYTES

    def manifest(self) -> J:
        metadata: J = {"name": self.name, "labels": {**LABELS, STAGE_LABEL: self.stage}}
        if self.resource_version:
            metadata["resourceVersion"] = self.resource_version
        spec: J = {"images": self.entries, "exempt": self.exempt, "report": self.report, "help": self.help}
        return {"apiVersion": API_VERSION, "kind": "DeniedImages", "metadata": metadata, "spec": spec}


def cost(key: str, value: str) -> int:
    """Bytes of one entry in JSON; keys and values are ASCII without quotes."""
    return len(key) + len(value) + 6


class Denied:
    """The whole denied set."""

    def __init__(self, objects: t.Iterable[J], report: str = "", help: str = "") -> None:  # noqa: A002
        """`objects`: every DeniedImages of the cluster; those whose names are not ours are left alone.

        `report` and `help`: where the reports lie and the way to an exemption; admission's message repeats them.
        """
        self.report = report
        self.help = help
        self.shards: dict[str, Shard] = {}
        self.foreign: list[str] = []
        self.before: dict[str, tuple[str, list[str]]] = {}
        """Every image that was changed: the stage and the keys that it had."""
        self._where: dict[str, Shard] = {}
        self._named: dict[str, set[str]] = {}
        """Images to the keys that name them as an owner; a digest without owners is its own and stands in no list."""
        for data in objects:
            self._load(data)

    def _load(self, data: J) -> None:
        metadata, spec = data["metadata"], data.get("spec") or {}
        match = _NAME.match(metadata["name"])
        if match is None:
            self.foreign.append(metadata["name"])
            return
        shard = Shard(
            metadata["name"],
            match[1],
            metadata.get("resourceVersion", ""),
            dict(spec.get("images") or {}),
            dict(spec.get("exempt") or {}),
            spec.get("report", ""),
            spec.get("help", ""),
        )
        labels = metadata.get("labels") or {}
        wanted = {**LABELS, STAGE_LABEL: shard.stage}
        shard.dirty = any(labels.get(key) != value for key, value in wanted.items())
        if self.report and (shard.report, shard.help) != (self.report, self.help):
            shard.report, shard.help, shard.dirty = self.report, self.help, True
        self.shards[shard.name] = shard
        for key in self._where.keys() & shard.entries.keys():  # written twice, by hand: the stricter stage keeps it
            loser = min(self._where[key], shard, key=lambda one: STAGES.index(one.stage))
            loser.drop(key)
        for key, text in shard.entries.items():
            self._where[key] = shard
            for owner in text.split(" ")[2:]:
                self._named.setdefault(owner, set()).add(key)

    def __len__(self) -> int:
        return len(self._where)

    def stage_of(self, digest: str) -> str:
        """The stage at which an image is denied, empty where it is not."""
        return self._where[digest].stage if digest in self.owners(digest) else ""

    def state_of(self, digest: str) -> str:
        """The state for which an image was denied, empty where it is not."""
        return self._entry(digest).state if digest in self._where else ""

    def since(self, digest: str) -> str:
        return self._entry(digest).since if digest in self._where else ""

    def keys_of(self, digest: str) -> list[str]:
        """The keys that stand for an image, its digest first."""
        keys = [key for key in self._named.get(digest, ()) if key != digest]
        return [*([digest] if digest in self.owners(digest) else []), *sorted(keys)]

    def owners(self, key: str) -> set[str]:
        """The images that a key stands for."""
        return self._entry(key).owners if key in self._where else set()

    def shard_of(self, key: str) -> str:
        return self._where[key].name

    def digests(self) -> set[str]:
        """Every image that is denied at some stage."""
        own = {key for key, shard in self._where.items() if is_digest(key) and shard.entries[key].count(" ") < 2}
        return own | {digest for digest, keys in self._named.items() if keys}

    def deny(self, digest: str, keys: t.Sequence[str], stage: str, state: str, since: str) -> None:
        """Every key of `keys` stands for the image, at `stage` or at a stricter one that another owner has."""
        self._remember(digest)
        moves = self.stage_of(digest) != stage
        entry = self._entry(digest) if digest in self._where else Entry(state, since, set())
        entry.state = state
        self._place(digest, entry, {digest}, stage)
        for key in [*keys, *(self.keys_of(digest) if moves else ())]:
            if key != digest:
                shared = self._entry(key) if key in self._where else Entry(state, since, set())
                if moves or digest not in shared.owners:
                    self._place(key, shared, {digest})

    def lift(self, digest: str) -> None:
        """No key stands for the image any more."""
        for key in self.keys_of(digest):
            self.release(key, digest)

    def release(self, key: str, digest: str) -> None:
        """This key stands for the image no more."""
        self._remember(digest)
        entry = self._entry(key)
        entry.owners.discard(digest)
        self._named.get(digest, set()).discard(key)
        if entry.owners:
            self._place(key, entry)
        else:
            self._where.pop(key).drop(key)

    def follow(self, tags: t.Mapping[str, t.Collection[str]], indexes: t.Mapping[str, t.Collection[str]]) -> list[str]:
        """Release tags that have moved; returns their keys.

        `tags`: a tag's key to every digest that it is known to mean now; `indexes`: a digest to the indexes that
        contain it. A tag of an index still means every image that is denied together with that index.
        """
        moved = []
        for key in tags.keys() & self._where.keys():
            around = {index for digest in tags[key] for index in (digest, *indexes.get(digest, ()))}
            for owner in sorted(self.owners(key)):
                if owner not in tags[key] and not around.intersection(self.keys_of(owner)):
                    self.release(key, owner)
                    moved.append(key)
        return sorted(moved)

    def exempt(self, wanted: t.Sequence[Exemption] | None, today: str) -> list[Exemption]:
        """Make these the exemptions of the whole set (None: keep what is there); those past their day are removed.

        Returns the ones that concern no denied image.
        """
        unused = []
        placed: dict[str, dict[str, str]] = {name: {} for name in self.shards}
        for exemption in wanted or ():
            keys = {key for owner in self.owners(exemption.key) for key in self.keys_of(owner)}
            if not keys or exemption.expires < today:
                unused.append(exemption)
            for key in keys if exemption.expires >= today else ():
                for namespace in exemption.namespaces:
                    placed[self.shard_of(key)][f"{namespace} {key}"] = exemption.text
        for shard in self.shards.values():
            kept = {
                name: text
                for name, text in shard.exempt.items()
                if text[:10] >= today and name.split(" ", 1)[-1] in shard.entries
            }
            shard.replace_exempt(kept if wanted is None else placed[shard.name])
        return unused

    def exempted(self, digest: str) -> dict[str, str]:
        """`NAMESPACE` to `YYYY-MM-DD OWNER: REASON` of an image's exemptions."""
        shard = self._where.get(digest)
        marks = shard.exempt if shard is not None else {}
        return {name.split(" ", 1)[0]: text for name, text in marks.items() if name.endswith(f" {digest}")}

    def changes(self) -> tuple[list[Shard], list[str]]:
        """The objects to write (new ones have no resource version) and the names of those to delete."""
        write = [shard for shard in self.shards.values() if shard.dirty and shard.entries]
        return write, [shard.name for shard in self.shards.values() if not shard.entries and shard.resource_version]

    def _entry(self, key: str) -> Entry:
        return Entry.of(key, self._where[key].entries[key])

    def _remember(self, digest: str) -> None:
        if digest not in self.before:
            self.before[digest] = (self.stage_of(digest), self.keys_of(digest))

    def _place(self, key: str, entry: Entry, more: t.Collection[str] = (), stage: str = "") -> None:
        """Write an entry, with `more` owners, where the strictest stage of its owners has room.

        `stage`: that stage, where the caller knows it.
        """
        entry.owners.update(more)
        text = entry.text(key)
        for owner in entry.owners if " " in text.partition(" ")[2] else ():
            self._named.setdefault(owner, set()).add(key)
        present = self._where.get(key)
        stages = [stage] if stage else [found for found in map(self.stage_of, entry.owners) if found]
        strictest = max(stages, key=STAGES.index, default=present.stage if present is not None else STAGES[0])
        if present is not None and (present.stage != strictest or not present.has_room(key, text)):
            present.drop(key)
            present = None
        if present is None:
            present = self._where[key] = self._room(strictest, key, text)
        present.put(key, text)

    def _room(self, stage: str, key: str, text: str) -> Shard:
        fitting = [shard for shard in self.shards.values() if shard.stage == stage and shard.has_room(key, text)]
        if fitting:
            return max(fitting, key=lambda shard: (shard.dirty, bool(shard.entries), -len(shard.entries)))
        number = 1
        while f"{stage}-{number:05d}" in self.shards:
            number += 1
        shard = Shard(f"{stage}-{number:05d}", stage, report=self.report, help=self.help)
        self.shards[shard.name] = shard
        return shard


@dataclasses.dataclass(frozen=True)
class Exemption:
    """Leave to run a denied image for a while, with somebody who answers for it."""

    key: str
    """A digest or a tag's key; every other key of the same image is exempt with it."""
    namespaces: tuple[str, ...]
    """`*` for every namespace."""
    owner: str
    reason: str
    expires: str
    """YYYY-MM-DD: the last day on which it holds (UTC)."""

    @property
    def text(self) -> str:
        return f"{self.expires} {self.owner}: {self.reason}"


def definition() -> J:
    """The CustomResourceDefinition. The maps are atomic: field managers would double their size otherwise."""
    entries = {
        "type": "object",
        "additionalProperties": {"type": "string", "maxLength": MAX_VALUE},
        "maxProperties": MAX_ENTRIES,
        "x-kubernetes-map-type": "atomic",
    }
    text = {"type": "string", "maxLength": MAX_TEXT}
    spec = {
        "type": "object",
        "properties": {
            "images": {**entries, "description": "Digest or reference to verdict, date and digests."},
            "exempt": {**entries, "description": "Namespace and key to last day, owner and reason."},
            "report": {**text, "description": "Where the reports lie."},
            "help": {**text, "description": "The way to an exemption."},
        },
        "required": ["images"],
    }
    schema = {
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
        },
        "required": ["spec"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}", "labels": dict(LABELS)},
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {
                "kind": "DeniedImages",
                "listKind": "DeniedImagesList",
                "plural": PLURAL,
                "singular": "deniedimages",
            },
            "versions": [
                {
                    "name": "v1alpha1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "additionalPrinterColumns": [
                        {
                            "name": "Stage",
                            "type": "string",
                            "jsonPath": f".metadata.labels.{STAGE_LABEL}".replace(
                                GROUP + "/stage", GROUP.replace(".", "\\.") + "/stage"
                            ),
                        },
                        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                    ],
                }
            ],
        },
    }
