# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which content an image is evaluated with, and whether that content is for its operating system at all."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import typing as t

from ..files import dumps, read_json, sha256_file
from ..model import Check, Content, OperatingSystem, Package, Reason, ScapError, field
from .contentinfo import ContentInfo, Profile, choose_profile, content_info
from .detect import cpe_matches, datastream_names, oval_platform_matches
from .feed import check_feed
from .request import Request

NEWEST_SCHEMA = 11
"""Of OVAL 5. We let oscap evaluate feeds without validating them, so it would not complain of a newer one."""
DEFAULT_FOLDERS = ("/usr/share/xml/scap/ssg/content",)
UNUSED = "not evaluated: "
"""How the check of a feed begins that is for other operating systems."""


@dataclasses.dataclass(frozen=True)
class Selected:
    """The content set of one scan."""

    datastream: str
    """Path; empty where no XCCDF is evaluated."""
    profile: Profile | None
    infos: list[ContentInfo]
    """One for the data stream (if any), then one for each OVAL file."""
    oval: list[str]
    contents: list[Content]
    unused: list[Check] = dataclasses.field(default_factory=list)
    """One for each OVAL file that is for other operating systems."""

    @property
    def key(self) -> str:
        """CONTENT_HEX12 of the evidence's folder."""
        return content_key(self.contents)


def content_key(contents: list[Content]) -> str:
    """12 hex digits that stand for a content set: the kinds, profiles and sha256 of its files."""
    parts = sorted([content.kind, content.profile, content.sha256] for content in contents)
    return hashlib.sha256(dumps(parts)).hexdigest()[:12]


def request_key(request: Request) -> str:
    """CONTENT_HEX12 of a scan that failed before its content was known: it stands for what was asked."""
    return hashlib.sha256(dumps([request.datastream, request.profile, request.oval])).hexdigest()[:12]


def select(request: Request, os_: OperatingSystem) -> Selected | Reason:
    """The content for this OS, or the reason why there is none (the image is then not applicable).

    Raises ScapError for content that was asked for and cannot be used.
    """
    datastream = request.datastream
    if request.profile == "none":
        datastream = "none"
    if datastream == "none" and not request.oval:
        raise ScapError(
            "content_missing", "neither a profile nor an OVAL file is to be evaluated; set scap_profile or scap_oval"
        )
    if datastream == "auto":
        found = _find_datastream(request, os_)
        if isinstance(found, Reason):
            return found
        datastream = found
    infos: list[ContentInfo] = []
    contents: list[Content] = []
    profile = None
    if request.compiled:
        facts = read_json(request.compiled)
        infos.append(ContentInfo.from_json(field(facts, "info", dict)))
        contents += [Content.from_json(content) for content in field(facts, "contents", list)]
        profile = infos[0].profiles[0]
    elif datastream != "none":
        original, wanted = datastream, request.profile
        if request.tailoring:
            from .tailor import tailor

            datastream, names = tailor(original, request.tailoring, request.cache)
            wanted = names[0] if wanted in ("", "auto") and len(names) == 1 else wanted
        info = content_info(datastream, request.cache)
        if info.kind != "datastream":
            raise ScapError("content_unsupported", f"{datastream}: is OVAL, not a data stream; give it as scap_oval")
        profile = choose_profile(info, wanted, original)
        infos.append(info)
        contents.append(
            Content("datastream", os.path.basename(original), profile.id, info.sha256, "", info.generated_at)
        )
    feeds = [content_info(path, request.cache) for path in request.oval]
    for path, info in zip(request.oval, feeds):
        if info.kind != "oval":
            raise ScapError("content_unsupported", f"{path}: is a data stream, not OVAL; give it as scap_content")
    used = fitting(os_, feeds) or list(range(len(feeds)))
    paths = [request.oval[number] for number in used]
    chosen = [feeds[number] for number in used]
    infos += chosen
    contents += feed_contents(paths, chosen)
    if request.tailoring and profile is not None and not request.compiled:
        contents[0] = dataclasses.replace(contents[0], sha256=sha256_file(original))
        name, digest = os.path.basename(request.tailoring), sha256_file(request.tailoring)
        contents.append(Content("tailoring", name, profile.id, digest))
    unused = left_out(os_, request.oval, feeds, used)
    return Selected("" if datastream == "none" else datastream, profile, infos, paths, contents, unused)


def fitting(os_: OperatingSystem, feeds: t.Sequence[ContentInfo]) -> list[int]:
    """The numbers of the feeds that are for this OS: a fleet's feeds are given together, and each image has its own.

    One that names no platform may be for any: it stays, and its check says what is wrong with it.
    """
    named = enumerate(info.platforms for info in feeds)
    return [number for number, platforms in named if not platforms or oval_platform_matches(os_, platforms)]


def feed_contents(paths: t.Sequence[str], feeds: t.Sequence[ContentInfo]) -> list[Content]:
    """The records of feeds that are not compiled yet."""
    pairs = zip(paths, feeds)
    return [Content("oval", os.path.basename(path), "", info.sha256, "", info.generated_at) for path, info in pairs]


def left_out(
    os_: OperatingSystem, paths: t.Sequence[str], feeds: t.Sequence[ContentInfo], used: t.Collection[int]
) -> list[Check]:
    """One Check for each feed that is not used."""
    others = [number for number in range(len(feeds)) if number not in used]
    said = [_relation(os.path.basename(paths[number]), os_, False, _names(feeds[number])) for number in others]
    return [Check("content", True, f"{UNUSED}{text}") for text in said]


def _find_datastream(request: Request, os_: OperatingSystem) -> str | Reason:
    names = datastream_names(os_)
    folders = request.folders or list(DEFAULT_FOLDERS)
    for folder in folders:
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                return path
    if not os_.id:
        return Reason("no_os", "the image has no os-release: no SCAP content can be chosen for it")
    if not names:
        return Reason("no_content", f"no SCAP content exists for {os_.name or os_.label}")
    return Reason(
        "no_content",
        f"no data stream for {os_.name or os_.label}: {' or '.join(names)} is not in {', '.join(folders)}; install a "
        "newer scap-security-guide, or name one with scap_content",
    )


def _is_known(schema: str) -> bool:
    """Whether oscap 1.3 and 1.4 know a version of the OVAL schema (5.3 to 5.11.3; `5.11.1:1.2` is one too)."""
    match = re.match(r"5\.(\d{1,3})(?![\d])", schema)
    return match is not None and int(match[1]) <= NEWEST_SCHEMA


def check_content(selected: Selected, os_: OperatingSystem, packages: list[Package]) -> list[Check]:
    """Whether every file of the content set is for this OS, and each feed for its packages.

    One Check a file, all called `content`, and a `feed` more for each OVAL file that is used.
    """
    checks = []
    files = [content for content in selected.contents if content.kind != "tailoring"]
    for content, info in zip(files, selected.infos):
        names = _names(info)
        if info.kind == "datastream":
            passed = cpe_matches(os_, info.platforms)
            rules = selected.profile.rules if selected.profile else []
            missing = set(info.broken)
            broken = [rule for rule in rules if rule in missing]
            if passed and broken:
                what = f"{len(broken)} rules of {content.profile} name OVAL definitions that {content.id} does not hold"
                checks.append(Check("content", False, f"{what}: {', '.join(broken[:5])}; fetch the content again"))
        else:
            known = _is_known(info.schema)
            passed = oval_platform_matches(os_, info.platforms) and info.definitions > 0 and known
            if not info.definitions:
                names = "no patch or vulnerability definition"
            if not known:
                names = f"the OVAL schema {info.schema or 'of no version'}, which oscap does not know"
        checks.append(Check("content", passed, _relation(content.id, os_, passed, names)))
        if info.kind == "oval" and packages:
            checks.append(check_feed(content, info.packages, info.keys, packages))
    if selected.oval and not packages:
        checks.append(Check("content", False, "no package is installed that an OVAL definition could be about"))
    return [*checks, *selected.unused]


def _relation(name: str, os_: OperatingSystem, is_for: bool, names: str) -> str:
    relation = "is for" if is_for else "is not for"
    return f"{name} {relation} {os_.label or 'an unknown OS'} (it names {names})"


def _names(info: ContentInfo) -> str:
    return ", ".join(sorted(info.platforms)[:3]) or "no platform"
