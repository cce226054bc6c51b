# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OCI layouts, OCI archives and docker archives: files that hold images (OCI image specification, image layout)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tarfile
import typing as t

from ..files import read_bounded
from ..model import Image, ScapError, Skipped, is_digest
from .catalog import bare_platform
from .interface import Finding, Option, Source
from .registries import INDEXES, MANIFESTS
from .resolve import INDEX_ENTRIES, platform_text

JSON_LIMIT = 4 * 1024 * 1024
"""Bytes of an index, manifest or configuration."""

MEMBERS_LIMIT = 200_000
"""Entries of one archive."""

DEPTH = 3
"""Indexes within indexes."""

PLACES_LIMIT = 100_000
"""Folder entries that are looked at."""

_NAME = "org.opencontainers.image.ref.name"

Read = t.Callable[[str], bytes]


class Oci(Source):
    """Every layout and archive (`*.tar`) in a folder, or the one that `path` is."""

    type = "oci"
    options: t.ClassVar[dict[str, Option]] = {"path": Option("str", required=True)}

    def find(self) -> t.Iterator[Finding]:
        path = os.path.abspath(os.path.expanduser(self.values["path"]))
        if not os.path.exists(path):
            raise ScapError("source_invalid", f"source oci: {path} does not exist")
        if _is_layout(path) or os.path.isfile(path):
            yield from of_place(path, self.setting.platforms, self.type)
            return
        for number, name in enumerate(sorted(os.listdir(path))):
            if number >= PLACES_LIMIT:
                yield self.skipped(path, f"more than {PLACES_LIMIT} entries; the rest is not looked at")
                return
            place = os.path.join(path, name)
            if _is_layout(place) or (name.endswith(".tar") and os.path.isfile(place)):
                yield from of_place(place, self.setting.platforms, self.type)


def of_place(place: str, platforms: t.Sequence[str], source: str) -> t.Iterator[Finding]:
    """The images of one layout folder or archive; what cannot be read is Skipped."""
    try:
        if os.path.isdir(place):
            yield from _Layout(f"oci:{place}", _folder_reader(place), platforms, source).images()
            return
        with tarfile.open(place, "r:") as archive:
            members = _members(archive)
            read = _archive_reader(archive, members)
            if "index.json" in members:
                yield from _Layout(f"oci-archive:{place}", read, platforms, source).images()
            elif "manifest.json" in members:
                yield from _docker_archive(place, read, source)
            else:
                yield Skipped(place, "neither an OCI archive (index.json) nor a docker archive (manifest.json)", source)
    except (ScapError, OSError, tarfile.TarError, ValueError, RecursionError, EOFError) as error:
        yield Skipped(place, f"it cannot be read as an image: {error}", source)


class _Layout:
    """One image layout, wherever its files are."""

    def __init__(self, reference: str, read: Read, platforms: t.Sequence[str], source: str) -> None:
        self.reference = reference
        self.read = read
        self.wanted = {bare_platform(platform) for platform in platforms}
        self.source = source

    def images(self) -> t.Iterator[Finding]:
        entries = _entries(_object(self.read("index.json"), "index.json"), "index.json")
        for entry in entries:
            annotations = entry.get("annotations")
            name = annotations.get(_NAME) if isinstance(annotations, dict) else None
            if not (isinstance(name, str) and name.isprintable() and name):
                name = ""
            if not name and len(entries) > 1:
                yield Skipped(
                    self.reference, f"{entry.get('digest')}: one of several images without a name", self.source
                )
                continue
            reference = f"{self.reference}:{name}" if name else self.reference
            found = list(self._descend(reference, entry, [], 0))
            if not found:
                wanted = ", ".join(sorted(self.wanted))
                found = [Skipped(reference, f"foreign platform: wanted is {wanted}", self.source)]
            yield from found

    def _descend(self, reference: str, entry: dict[str, t.Any], above: list[str], depth: int) -> t.Iterator[Finding]:
        digest = entry.get("digest")
        if not isinstance(digest, str) or not is_digest(digest) or depth > DEPTH:
            yield Skipped(reference, f"its index names {str(digest)[:80]!r}, which is no sha256 digest", self.source)
            return
        body = _object(self._blob(digest), digest)
        media_type = body.get("mediaType") or entry.get("mediaType")
        if media_type in INDEXES or "manifests" in body:
            for inner in _entries(body, digest):
                platform = platform_text(inner.get("platform"))
                if platform == "unknown/unknown" or (
                    self.wanted and platform and bare_platform(platform) not in self.wanted
                ):
                    continue
                try:
                    yield from self._descend(reference, inner, [*above, digest], depth + 1)
                except ScapError as error:
                    yield Skipped(reference, f"{platform or 'one platform'}: {error.message}", self.source)
            return
        if media_type is not None and media_type not in MANIFESTS:
            yield Skipped(reference, f"{digest}: {str(media_type)[:80]!r} is no image", self.source)
            return
        yield self._image(reference, digest, body, above)

    def _image(self, reference: str, digest: str, body: dict[str, t.Any], above: list[str]) -> Image:
        descriptor = body.get("config")
        name = descriptor.get("digest") if isinstance(descriptor, dict) else None
        config = _object(self._blob(name), name) if isinstance(name, str) and is_digest(name) else {}
        inner = config.get("config")
        labels = inner.get("Labels") if isinstance(inner, dict) else None
        layers = body.get("layers")
        sizes = (
            [layer.get("size") for layer in layers or [] if isinstance(layer, dict)] if isinstance(layers, list) else []
        )
        return Image(
            reference,
            digest,
            platform_text(config),
            references=[reference],
            index_digests=above,
            sources=[self.source],
            size=sum(size for size in sizes if isinstance(size, int)),
            created=str(config.get("created") or ""),
            labels={k: v for k, v in labels.items() if isinstance(v, str)} if isinstance(labels, dict) else {},
        )

    def _blob(self, digest: str) -> bytes:
        data = self.read(f"blobs/sha256/{digest.partition(':')[2]}")
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
            raise ScapError("digest_wrong", f"the bytes of {digest} have another digest")
        return data


def _docker_archive(place: str, read: Read, source: str) -> t.Iterator[Finding]:
    """Images by name; their manifest's digest exists only once somebody converts them."""
    entries = json.loads(read("manifest.json"))
    for entry in entries if isinstance(entries, list) else []:
        names = entry.get("RepoTags") if isinstance(entry, dict) else None
        for name in names or ([""] if len(entries) == 1 else []):
            reference = f"docker-archive:{place}:{name}" if name else f"docker-archive:{place}"
            yield Image(reference, "", references=[reference], sources=[source])


def _is_layout(path: str) -> bool:
    return os.path.isfile(os.path.join(path, "index.json")) and os.path.isfile(os.path.join(path, "oci-layout"))


def _folder_reader(folder: str) -> Read:
    root = os.path.realpath(folder)

    def read(name: str) -> bytes:
        path = os.path.realpath(os.path.join(root, name))
        if not path.startswith(f"{root}{os.sep}"):
            raise ScapError("path_outside", f"{name} is a link out of the layout")
        return read_bounded(path, JSON_LIMIT)

    return read


def _members(archive: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    members: dict[str, tarfile.TarInfo] = {}
    for number, member in enumerate(archive):
        if number >= MEMBERS_LIMIT:
            raise ScapError("too_many", f"more than {MEMBERS_LIMIT} entries")
        if member.isreg():
            members[member.name[2:] if member.name.startswith("./") else member.name] = member
    return members


def _archive_reader(archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo]) -> Read:
    def read(name: str) -> bytes:
        if name not in members:
            raise ScapError("file_missing", f"{name} is missing")
        stream = archive.extractfile(members[name])
        if stream is None:
            raise ScapError("file_missing", f"{name} is no file")
        with contextlib.closing(stream):
            data = stream.read(JSON_LIMIT + 1)
        if len(data) > JSON_LIMIT:
            raise ScapError("file_too_large", f"{name} is longer than {JSON_LIMIT} bytes")
        return data

    return read


def _object(data: bytes, name: str) -> dict[str, t.Any]:
    body = json.loads(data)
    if not isinstance(body, dict):
        raise ScapError("file_malformed", f"{name} is no JSON object")
    return body


def _entries(body: dict[str, t.Any], name: str) -> list[dict[str, t.Any]]:
    entries = body.get("manifests")
    if not isinstance(entries, list) or len(entries) > INDEX_ENTRIES:
        raise ScapError("file_malformed", f"{name} lists no manifests, or more than {INDEX_ENTRIES}")
    return [entry for entry in entries if isinstance(entry, dict)]
