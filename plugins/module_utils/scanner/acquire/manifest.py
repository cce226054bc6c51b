# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests, indexes and configs: OCI image spec 1.1 and Docker image manifest version 2, schema 2."""

from __future__ import annotations

import hashlib
import json
import platform as host
import typing as t

from ...model import J, RecordError, ScapError, field, is_digest
from .records import Layer, Limits, Resolved

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
_LAYERS = (
    "application/vnd.oci.image.layer.",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
)
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}


def host_platform() -> str:
    """The platform of this host, as an index names it."""
    machine = host.machine()
    return f"linux/{_MACHINES.get(machine, machine)}"


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def parse(reference: str, data: bytes, what: str) -> J:
    """A JSON object; ScapError manifest_malformed."""
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ScapError(
            "manifest_malformed", f"{reference}: its {what} is not JSON: {error}; push the image again"
        ) from error
    if not isinstance(value, dict):
        raise ScapError("manifest_malformed", f"{reference}: its {what} is not a JSON object; push the image again")
    return value


def is_index(manifest: J) -> bool:
    return manifest.get("mediaType") in INDEXES or (
        "mediaType" not in manifest and isinstance(manifest.get("manifests"), list)
    )


def choose(reference: str, index: J, wanted: str) -> str:
    """The digest of the manifest for a platform; ScapError platform_missing lists those there are."""
    there: dict[str, str] = {}
    for entry in index.get("manifests") or ():
        platform = entry.get("platform") if isinstance(entry, dict) else None
        if isinstance(platform, dict) and is_digest(entry.get("digest")):
            there.setdefault(platform_of(platform), str(entry["digest"]))
    for name in (wanted, *there):
        if name in there and fits(name, wanted):
            return there[name]
    names = sorted(name for name in there if not name.startswith("unknown"))
    raise ScapError(
        "platform_missing", f"{reference}: it has no image for {wanted}; there are: {', '.join(names[:50]) or 'none'}"
    )


def platform_of(described: J) -> str:
    """`os/architecture[/variant]` of a platform in an index, or of a config."""
    return "/".join(str(described[key])[:50] for key in ("os", "architecture", "variant") if described.get(key))


def fits(platform: str, wanted: str) -> bool:
    """Whether an image of one platform is what was asked for; a variant counts where both name one."""
    there, asked = platform.split("/"), wanted.split("/")
    return all(one == other for one, other in zip(there, asked)) and len(there) >= 2 <= len(asked)


def config_of(reference: str, manifest: J) -> str:
    """The config's digest, of an image manifest that we can handle; other ScapError media_type_unsupported."""
    kind, schema = manifest.get("mediaType", MANIFESTS[0]), manifest.get("schemaVersion")
    if schema != 2 or kind not in MANIFESTS:
        raise ScapError(
            "media_type_unsupported",
            f"{reference}: its manifest is of type {str(kind)[:100]}, schema {str(schema)[:20]}; "
            "push it again as an OCI or Docker schema 2 image",
        )
    descriptor = manifest.get("config")
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    if not isinstance(descriptor, dict) or not is_digest(digest):
        raise ScapError("manifest_malformed", f"{reference}: its manifest names no config; push the image again")
    if descriptor.get("mediaType") not in _CONFIGS:
        raise ScapError(
            "media_type_unsupported",
            f"{reference}: it is no container image but holds {str(descriptor.get('mediaType'))[:100]}",
        )
    size = descriptor.get("size")
    if not isinstance(size, int) or not 0 <= size <= Limits().manifest:
        raise ScapError(
            "limit_bytes", f"{reference}: its config is of {size!r} bytes, at most {Limits().manifest} are read"
        )
    return str(digest)


def layers_of(reference: str, manifest: J, config: J, limits: Limits) -> list[Layer]:
    """The layers with their diff ids; ScapError where the two documents do not fit each other."""
    try:
        entries = field(manifest, "layers", list)
        diff_ids = field(field(config, "rootfs", dict), "diff_ids", list)
        layers = [
            Layer(
                digest=field(entry, "digest", str),
                media_type=field(entry, "mediaType", str),
                size=field(entry, "size", int),
                diff_id=str(diff_id),
            )
            for entry, diff_id in zip(entries, diff_ids)
        ]
    except RecordError as error:
        raise ScapError("manifest_malformed", f"{reference}: {error}; push the image again") from error
    if len(entries) != len(diff_ids) or len(entries) > limits.layers:
        raise ScapError(
            "manifest_malformed",
            f"{reference}: {len(entries)} layers in its manifest, {len(diff_ids)} in its config",
        )
    for layer in layers:
        if not is_digest(layer.digest) or not is_digest(layer.diff_id) or layer.size < 0:
            raise ScapError("manifest_malformed", f"{reference}: a layer has no sha256 digest or no size")
        if not layer.media_type.startswith(_LAYERS) or "encrypted" in layer.media_type:
            raise ScapError(
                "media_type_unsupported",
                f"{reference}: a layer is of type {layer.media_type[:100]}; it cannot be unpacked",
            )
        if "foreign" in layer.media_type or "nondistributable" in layer.media_type:
            raise ScapError("media_type_unsupported", f"{reference}: a layer is foreign: no registry has it")
    if sum(layer.size for layer in layers) > limits.bytes:
        raise ScapError("limit_bytes", f"{reference}: its layers take more than {limits.bytes} bytes; it was refused")
    return layers


def describe(
    reference: str, source: str, manifest: bytes, config: bytes, indexes: t.Sequence[str], layout: str, wanted: str
) -> Resolved:
    """Everything that is known of a manifest, its config checked against its digest."""
    parsed = parse(reference, manifest, "manifest")
    digest = config_of(reference, parsed)
    if digest != digest_of(config):
        raise ScapError(
            "digest_mismatch", f"{reference}: its config is not the one that the manifest names; push the image again"
        )
    settings = parse(reference, config, "config")
    platform = platform_of(settings)
    if wanted and not fits(platform, wanted):
        raise ScapError(
            "platform_missing", f"{reference}: it is for {platform or 'an unnamed platform'}, not for {wanted}"
        )
    layers = layers_of(reference, parsed, settings, Limits())
    inner = settings.get("config")
    inner = inner if isinstance(inner, dict) else {}
    labels, variables = inner.get("Labels"), inner.get("Env")
    return Resolved(
        reference=reference,
        digest=digest_of(manifest),
        platform=platform,
        source=source,
        layout=layout,
        index_digests=list(indexes),
        config=digest,
        created=str(settings.get("created") or "")[:40],
        size=sum(layer.size for layer in layers),
        layers=layers,
        labels=_strings(labels),
        variables=_variables(variables),
    )


def _strings(labels: t.Any) -> dict[str, str]:
    if not isinstance(labels, dict):
        return {}
    return {str(key)[:200]: value[:500] for key, value in list(labels.items())[:200] if isinstance(value, str)}


def _variables(entries: t.Any) -> list[str]:
    if not isinstance(entries, list):
        return []
    return [entry for entry in entries[:1000] if isinstance(entry, str) and "\n" not in entry]


def check_size(reference: str, data: bytes, what: str) -> bytes:
    """`data` where it is within the limits of a manifest or config."""
    if len(data) > Limits().manifest:
        raise ScapError(
            "limit_bytes", f"{reference}: its {what} is larger than {Limits().manifest} bytes; it was refused"
        )
    return data
