# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a content file says of itself: profiles and the rules they select, platforms, definitions, their age.

Read in one streaming pass of expat, without entities, DTD or anything external, and kept by sha256 in a cache
folder. Formats: SCAP 1.2 and 1.3 source data streams (XCCDF 1.2 inside), OVAL 5 definitions.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t
import xml.parsers.expat
import xml.parsers.expat.errors

from ..files import read_json, sha256_file, write_json
from ..model import J, RecordError, ScapError, field, strings
from .checkrefs import CheckRefs
from .feed import FeedTests
from .texts import TextObjects

MAX_BYTES = 512 * 1024 * 1024
MAX_DEPTH = 200
_CACHE_VERSION = 5

_XCCDF = "http://checklists.nist.gov/xccdf/1.2"
_OVAL = "http://oval.mitre.org/XMLSchema/oval-definitions-5"
_OVAL_COMMON = "http://oval.mitre.org/XMLSchema/oval-common-5"
_STREAM = "http://scap.nist.gov/schema/scap/source/1.2"
_OVAL_SYSTEM = "http://oval.mitre.org/XMLSchema/oval-definitions-5"


@dataclasses.dataclass(frozen=True)
class Profile:
    """One XCCDF profile with the rules that it selects."""

    id: str
    title: str
    rules: list[str]
    """Ids of the selected rules in document order, extends, groups, requires and conflicts resolved (XCCDF 1.2)."""

    @classmethod
    def from_json(cls, data: t.Any) -> Profile:
        return cls(field(data, "id", str), field(data, "title", str, ""), strings(data, "rules"))


@dataclasses.dataclass(frozen=True)
class ContentInfo:
    """What one content file holds."""

    sha256: str
    kind: str
    """`datastream` or `oval`."""
    benchmarks: list[str] = dataclasses.field(default_factory=list)
    platforms: list[str] = dataclasses.field(default_factory=list)
    """CPE names of the benchmark, or the <platform> names of OVAL definitions."""
    profiles: list[Profile] = dataclasses.field(default_factory=list)
    rules: int = 0
    definitions: int = 0
    """OVAL definitions of class patch or vulnerability, deprecated ones included."""
    generated_at: str = ""
    """The generator's timestamp (OVAL)."""
    schema: str = ""
    """The version of the OVAL schema that the file is written in, as its generator says (OVAL)."""
    families: list[str] = dataclasses.field(default_factory=list)
    """Local names of the OVAL objects without their ending: rpminfo, textfilecontent54 ..."""
    texts: list[str] = dataclasses.field(default_factory=list)
    """The files that textfilecontent54 objects read, as texts.TextObjects writes them."""
    packages: list[str] = dataclasses.field(default_factory=list)
    """OVAL: the package names that are asked for, as feed.FeedTests writes them."""
    keys: list[str] = dataclasses.field(default_factory=list)
    """OVAL: the signature keys that are asked for, likewise."""
    broken: list[str] = dataclasses.field(default_factory=list)
    """Data stream: the rules whose OVAL definitions it does not hold."""

    @classmethod
    def from_json(cls, data: t.Any) -> ContentInfo:
        return cls(
            sha256=field(data, "sha256", str),
            kind=field(data, "kind", str),
            benchmarks=strings(data, "benchmarks"),
            platforms=strings(data, "platforms"),
            profiles=[Profile.from_json(entry) for entry in field(data, "profiles", list)],
            rules=field(data, "rules", int),
            definitions=field(data, "definitions", int),
            generated_at=field(data, "generated_at", str, ""),
            schema=field(data, "schema", str, ""),
            families=strings(data, "families"),
            texts=strings(data, "texts"),
            packages=strings(data, "packages"),
            keys=strings(data, "keys"),
            broken=strings(data, "broken"),
        )


def content_info(path: str, cache: str = "") -> ContentInfo:
    """What `path` holds, from the cache folder where its sha256 is known there.

    Raises ScapError content_missing, content_malformed or content_unsupported.
    """
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise ScapError("content_malformed", f"{path}: larger than {MAX_BYTES} bytes")
        digest = sha256_file(path)
    except OSError as error:
        raise ScapError("content_missing", f"{path}: the content cannot be read: {error.strerror}") from error
    kept = os.path.join(cache, f"{digest}.v{_CACHE_VERSION}.json.gz") if cache else ""
    if kept and os.path.exists(kept):
        try:
            return ContentInfo.from_json(read_json(kept))
        except (RecordError, ScapError):
            os.unlink(kept)
    info = _Reader(path, digest).read()
    if kept:
        os.makedirs(cache, mode=0o700, exist_ok=True)
        write_json(kept, dataclasses.asdict(info), durable=False)
    return info


PREFERRED_PROFILES = ("standard", "cis_server_l1", "cis_level1_server", "cis", "ospp", "stig", "pci-dss")


def choose_profile(info: ContentInfo, wanted: str, path: str) -> Profile:
    """The profile by short or full id; `auto`: the first of PREFERRED_PROFILES that there is.

    Raises ScapError profile_unknown with the list of those there are, profile_empty where it selects no rule.
    """
    by_short = {profile.id.rpartition("_profile_")[2]: profile for profile in info.profiles}
    chosen = None
    for name in PREFERRED_PROFILES if wanted in ("", "auto") else (wanted,):
        exact = [profile for profile in info.profiles if profile.id == name]
        chosen = exact[0] if exact else by_short.get(name)
        if chosen is not None:
            break
    if chosen is None:
        there = ", ".join(sorted(by_short)) or "none at all"
        what = "no profile was named" if wanted in ("", "auto") else f"the profile {wanted!r} is not in it"
        raise ScapError("profile_unknown", f"{path}: {what}; there are: {there}")
    if not chosen.rules:
        raise ScapError("profile_empty", f"{path}: the profile {chosen.id} selects no rule: it would prove nothing")
    return chosen


class _Item:
    """One Rule or Group while its benchmark is read."""

    def __init__(self, name: str, selected: bool, parents: tuple[str, ...]) -> None:
        self.name = name
        self.selected = selected
        self.parents = parents
        self.requires: list[list[str]] = []
        self.conflicts: list[str] = []


class _Reader:
    """The expat pass."""

    def __init__(self, path: str, digest: str) -> None:
        self._path = path
        self._digest = digest
        self._stack: list[str] = []
        self._groups: list[str] = []
        self._rules: dict[str, _Item] = {}
        self._group_items: dict[str, _Item] = {}
        self._selects: dict[str, list[tuple[str, bool]]] = {}
        self._titles: dict[str, str] = {}
        self._extends: dict[str, str] = {}
        self._benchmarks: list[str] = []
        self._platforms: set[str] = set()
        self._profile = ""
        self._rule = ""
        self._text: list[str] | None = None
        self._definitions = 0
        self._generated = ""
        self._schema = ""
        self._families: set[str] = set()
        self._texts = TextObjects()
        self._feed = FeedTests()
        self._checks = CheckRefs()
        self._kind = ""

    def read(self) -> ContentInfo:
        parser = xml.parsers.expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.SetParamEntityParsing(xml.parsers.expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            with open(self._path, "rb") as stream:
                parser.ParseFile(stream)
        except xml.parsers.expat.ExpatError as error:
            raise ScapError(
                "content_malformed", f"{self._path}: not well-formed XML ({error}); fetch the content again"
            ) from error
        if self._kind == "datastream" and not self._benchmarks:
            raise ScapError("content_malformed", f"{self._path}: the data stream holds no XCCDF benchmark")
        return ContentInfo(
            sha256=self._digest,
            kind=self._kind,
            benchmarks=self._benchmarks,
            platforms=sorted(self._platforms),
            profiles=[self._resolve(name) for name in self._selects],
            rules=len(self._rules),
            definitions=self._definitions,
            generated_at=self._generated,
            schema=self._schema,
            families=sorted(self._families),
            texts=sorted(self._texts.found),
            packages=sorted(self._feed.names),
            keys=sorted(self._feed.keys),
            broken=self._checks.broken,
        )

    def _doctype(self, *_unused: t.Any) -> None:
        raise ScapError(
            "content_malformed", f"{self._path}: has a document type declaration, which SCAP content never needs"
        )

    def _start(self, name: str, attributes: J) -> None:
        stack = self._stack
        if not stack:
            self._root(name)
        elif len(stack) > MAX_DEPTH:
            raise ScapError("content_malformed", f"{self._path}: elements are nested more than {MAX_DEPTH} deep")
        space, _unused, local = name.rpartition(" ")
        stack.append(local)
        self._texts.start(local, attributes)
        if self._kind == "oval":
            self._feed.start(local, attributes)
        else:
            self._checks.start(local, attributes)
        if space == _XCCDF:
            self._start_xccdf(local, attributes)
        elif local.endswith("_object"):
            self._families.add(local[: -len("_object")])
        elif space == _OVAL:
            if local == "definition" and attributes.get("class") in ("patch", "vulnerability"):
                self._definitions += 1
            elif local == "platform" and self._kind == "oval":
                self._text = []
        elif space == _OVAL_COMMON and self._kind == "oval" and local in ("timestamp", "schema_version"):
            self._text = []

    def _root(self, name: str) -> None:
        if name == f"{_STREAM} data-stream-collection":
            self._kind = "datastream"
        elif name == f"{_OVAL} oval_definitions":
            self._kind = "oval"
        else:
            local = name.rpartition(" ")[2]
            cure = " (make one of it with: oscap ds sds-compose)" if local == "Benchmark" else ""
            raise ScapError(
                "content_unsupported",
                f"{self._path}: its root element is <{local}>; what can be evaluated is a SCAP source data stream"
                f"{cure} or OVAL 5 definitions",
            )

    def _start_xccdf(self, local: str, attributes: J) -> None:
        parent = self._stack[-2]
        if local == "Benchmark":
            self._benchmarks.append(attributes.get("id", ""))
        elif local == "Group":
            self._group_items[attributes.get("id", "")] = _Item(
                attributes.get("id", ""), attributes.get("selected", "true") in ("true", "1"), tuple(self._groups)
            )
            self._groups.append(attributes.get("id", ""))
        elif local == "Rule":
            self._rule = attributes.get("id", "")
            self._rules[attributes.get("id", "")] = _Item(
                attributes.get("id", ""), attributes.get("selected", "true") in ("true", "1"), tuple(self._groups)
            )
        elif local == "Profile":
            self._profile = attributes.get("id", "")
            self._selects[self._profile] = []
            if attributes.get("extends"):
                self._extends[self._profile] = attributes["extends"]
        elif local == "select" and self._profile:
            self._selects[self._profile].append(
                (attributes.get("idref", ""), attributes.get("selected", "") in ("true", "1"))
            )
        elif local == "requires" and parent == "Rule":
            self._rules[self._rule].requires.append(attributes.get("idref", "").split())
        elif local == "conflicts" and parent == "Rule":
            self._rules[self._rule].conflicts.append(attributes.get("idref", ""))
        elif local == "title" and parent == "Profile":
            self._text = []
        elif local == "platform" and parent == "Benchmark":
            self._platforms.add(attributes.get("idref", ""))

    def _characters(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)
        self._texts.characters(data)
        self._feed.characters(data)

    def _end(self, name: str) -> None:
        local = self._stack.pop()
        self._texts.end(local)
        self._feed.end(local)
        self._checks.end(local)
        if self._text is not None:
            text, self._text = "".join(self._text).strip()[:1000], None
            if local == "platform":
                self._platforms.add(text)
            elif local == "timestamp":
                self._generated = self._generated or text
            elif local == "schema_version":
                self._schema = self._schema or text
            elif local == "title":
                self._titles[self._profile] = text
        if local == "Group" and name.startswith(_XCCDF):
            self._groups.pop()
        elif local == "Profile":
            self._profile = ""

    def _resolve(self, name: str) -> Profile:
        chain: list[str] = []
        step = name
        while step:
            if step in chain:
                raise ScapError("content_malformed", f"{self._path}: the profile {name} extends itself")
            chain.append(step)
            step = self._extends.get(step, "")
        selected = {item.name: item.selected for item in (*self._group_items.values(), *self._rules.values())}
        for step in reversed(chain):
            for idref, value in self._selects.get(step, []):
                selected[idref] = value
        # As oscap does it: in the order of the document; rules of unselected groups stay as they are for the others.
        rules = []
        for rule in self._rules.values():
            if all(selected[parent] for parent in rule.parents):
                selected[rule.name] = (
                    selected[rule.name]
                    and all(any(selected.get(idref) for idref in choices) for choices in rule.requires)
                    and not any(selected.get(idref) for idref in rule.conflicts)
                )
                if selected[rule.name]:
                    rules.append(rule.name)
        return Profile(name, self._titles.get(name, ""), rules)
