# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reference to one manifest of one platform: a tag is asked for once, everything after goes by digest."""

from __future__ import annotations

from ...model import ScapError
from ...reference import Reference, normalise
from .layout import choose_held, local_layout, pick, read_blob, read_index, view_of
from .manifest import MANIFESTS, check_size, choose, config_of, describe, digest_of, host_platform, is_index, parse
from .records import Access, Resolved
from .tools import Tools

_NESTED = 4
"""Indexes inside of indexes that are followed."""


def resolve(reference: Reference, platform: str, access: Access, work: str) -> Resolved:
    """Resolve `reference` to the wanted platform (the host's where it is empty, and only an index has to have it).

    Raises ScapError: image_unknown, registry_down, registry_unauthorized, registry_certificate, platform_missing,
    digest_mismatch, media_type_unsupported, manifest_malformed, archive_malformed, limit_bytes ...
    """
    tools = Tools(access, work)
    text = normalise(str(reference))
    if reference.transport == "docker":
        return _from_registry(reference, text, platform, tools)
    if reference.transport in ("oci", "oci-archive"):
        return _from_layout(reference, text, platform, work)
    return _from_store(reference, text, platform, tools)


def _from_registry(reference: Reference, text: str, platform: str, tools: Tools) -> Resolved:
    if reference.digest:
        reference = reference.at(reference.digest)
    indexes: list[str] = []
    data = _manifest(reference, text, tools)
    while is_index(parse(text, data, "manifest")) and len(indexes) < _NESTED:
        indexes.append(digest_of(data))
        reference = reference.at(choose(text, parse(text, data, "index"), platform or host_platform()))
        data = _manifest(reference, text, tools)
    reference = reference.at(digest_of(data))
    config_of(text, parse(text, data, "manifest"))
    return describe(text, str(reference), data, _config(reference, text, tools), indexes, "", platform)


def _manifest(reference: Reference, text: str, tools: Tools) -> bytes:
    data = tools.inspect(str(reference), ["--raw"], what="looking it up", text=text)
    if reference.digest and digest_of(data) != reference.digest:
        raise ScapError(
            "digest_mismatch",
            f"{text}: {reference.digest} was asked for, the registry gave {digest_of(data)}; do not trust it "
            "before you know why",
        )
    return check_size(text, data, "manifest")


def _config(reference: Reference, text: str, tools: Tools) -> bytes:
    data = tools.inspect(str(reference), ["--raw", "--config"], what="reading its config", text=text)
    return check_size(text, data, "config")


def _from_layout(reference: Reference, text: str, platform: str, work: str) -> Resolved:
    folder = local_layout(reference, text, work)
    digest = pick(read_index(folder, text), reference.tag, text)
    indexes: list[str] = []
    data = read_blob(folder, digest, text, "manifest")
    while is_index(parse(text, data, "manifest")) and len(indexes) < _NESTED:
        indexes.append(digest)
        digest = choose_held(folder, text, parse(text, data, "index"), platform)
        data = read_blob(folder, digest, text, "manifest")
    manifest = parse(text, data, "manifest")
    config = read_blob(folder, config_of(text, manifest), text, "config")
    source = view_of(folder, digest, data, str(manifest.get("mediaType", MANIFESTS[0])), work)
    return describe(text, source, data, config, indexes, folder, platform)


def _from_store(reference: Reference, text: str, platform: str, tools: Tools) -> Resolved:
    """Of `docker-archive:` and `containers-storage:`, whose layers are there unpacked and are checked by diff id."""
    data = check_size(text, tools.inspect(str(reference), ["--raw"], what="reading it", text=text), "manifest")
    config = _config(reference, text, tools)
    return describe(text, str(reference), data, config, [], "", platform)
