# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reference to one manifest of one platform: a tag is asked for once, everything after goes by digest."""

from __future__ import annotations

from ...model import J, ScapError, is_digest
from ...reference import Reference, normalise
from .layout import local_layout, pick, read_blob, read_index, view_of
from .manifest import MANIFESTS, check_size, choose, describe, digest_of, host_platform, is_index, parse
from .records import Access, Resolved
from .tools import Tools

_NESTED = 4
"""Indexes inside of indexes that are followed."""


def resolve(reference: Reference, platform: str, access: Access, work: str) -> Resolved:
    """Resolve `reference` to the wanted platform (the host's where it is empty, and only an index has to have it).

    Raises ScapError: image_unknown, registry_down, registry_unauthorized, registry_certificate, platform_missing,
    digest_mismatch, media_type_unsupported, manifest_malformed, archive_malformed ...
    """
    tools = Tools(access, work)
    text = normalise(str(reference))
    if reference.transport == "docker":
        return _from_registry(reference, text, platform, tools)
    folder, tag = local_layout(reference, text, tools, work)
    digest = pick(read_index(folder, text), tag, text)
    indexes: list[str] = []
    data = read_blob(folder, digest, text, "manifest")
    while is_index(parse(text, data, "manifest")) and len(indexes) < _NESTED:
        indexes.append(digest)
        digest = choose(text, parse(text, data, "index"), platform or host_platform())
        data = read_blob(folder, digest, text, "manifest")
    manifest = parse(text, data, "manifest")
    config = read_blob(folder, _config_digest(manifest, text), text, "config")
    source = view_of(folder, digest, data, str(manifest.get("mediaType", MANIFESTS[0])), work)
    return describe(text, source, data, config, indexes, folder, platform)


def _from_registry(reference: Reference, text: str, platform: str, tools: Tools) -> Resolved:
    if reference.digest:
        reference = reference.at(reference.digest)
    indexes: list[str] = []
    data = _inspect(reference, text, tools, [])
    if reference.digest and digest_of(data) != reference.digest:
        data = _inspect(reference.at(reference.digest), text, tools, [])
    while is_index(parse(text, data, "manifest")) and len(indexes) < _NESTED:
        indexes.append(digest_of(data))
        reference = reference.at(choose(text, parse(text, data, "index"), platform or host_platform()))
        data = _inspect(reference, text, tools, [])
    reference = reference.at(digest_of(data))
    config = _inspect(reference, text, tools, ["--config"])
    return describe(text, str(reference), data, config, indexes, "", platform)


def _inspect(reference: Reference, text: str, tools: Tools, options: list[str]) -> bytes:
    what = "reading its config" if options else "looking it up"
    data = tools.skopeo(["inspect", "--raw", *options, str(reference)], what=what, reference=text, registry=True)
    return check_size(text, data, "config" if options else "manifest")


def _config_digest(manifest: J, text: str) -> str:
    config = manifest.get("config")
    digest = config.get("digest") if isinstance(config, dict) else None
    if not is_digest(digest):
        raise ScapError("manifest_malformed", f"{text}: its manifest names no config; make the image again")
    return str(digest)
