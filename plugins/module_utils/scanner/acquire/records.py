# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What acquiring is given, and what it gives."""

from __future__ import annotations

import dataclasses
import typing as t

from ...model import field, is_digest, strings


@dataclasses.dataclass(frozen=True)
class Limits:
    """Beyond these an image is refused, with a sentence."""

    bytes: int = 64 * 1024 * 1024 * 1024
    """Of all files, unpacked."""
    files: int = 2_000_000
    depth: int = 256
    """Folders above a file."""
    layers: int = 512
    manifest: int = 8 * 1024 * 1024
    """Bytes of a manifest or a config."""

    @classmethod
    def from_json(cls, data: t.Any) -> Limits:
        return cls(**{entry.name: field(data, entry.name, int, entry.default) for entry in dataclasses.fields(cls)})


@dataclasses.dataclass(frozen=True)
class Access:
    """How registries are reached. It names files only: no secret stands in it."""

    authfile: str = ""
    """A containers-auth.json(5)."""
    ca_file: str = ""
    """PEM file of the registries' certificate authority."""
    tls_verify: bool = True
    registries_conf: str = ""
    """A containers-registries.conf(5)."""
    timeout: float = 1200.0
    """Seconds for each program, and for unpacking."""
    limits: Limits = Limits()

    @classmethod
    def from_json(cls, data: t.Any) -> Access:
        return cls(
            authfile=field(data, "authfile", str, ""),
            ca_file=field(data, "ca_file", str, ""),
            tls_verify=field(data, "tls_verify", bool, True),
            registries_conf=field(data, "registries_conf", str, ""),
            timeout=field(data, "timeout", float, 1200.0),
            limits=Limits.from_json(field(data, "limits", dict, {})),
        )


@dataclasses.dataclass(frozen=True)
class Layer:
    """One layer of a manifest."""

    digest: str
    media_type: str
    size: int
    """Compressed bytes."""
    diff_id: str
    """Digest of the uncompressed tar (OCI image configuration, rootfs.diff_ids)."""


@dataclasses.dataclass(frozen=True)
class Resolved:
    """A reference pinned to one manifest of one platform, checked against its digest."""

    reference: str
    digest: str
    platform: str
    source: str
    """What skopeo is given: `docker://name@digest` or `oci:LAYOUT:image`."""
    layout: str = ""
    """Folder of the OCI layout that holds it; empty where skopeo has to copy it."""
    config: str = ""
    """The config's digest: the image id of container runtimes."""
    created: str = ""
    """When it was made, as the config says."""
    size: int = 0
    """Compressed bytes of all layers."""
    index_digests: list[str] = dataclasses.field(default_factory=list)
    layers: list[Layer] = dataclasses.field(default_factory=list)
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    variables: list[str] = dataclasses.field(default_factory=list)
    """The image's environment, NAME=VALUE."""

    @classmethod
    def from_json(cls, data: t.Any) -> Resolved:
        """Of what another step resolved; layers are not needed by then."""
        digest = field(data, "digest", str)
        if not is_digest(digest):
            raise ValueError(f"{digest!r} is not a digest")
        return cls(
            reference=field(data, "reference", str),
            digest=digest,
            platform=field(data, "platform", str),
            source="",
            index_digests=strings(data, "index_digests"),
            labels=field(data, "labels", dict, {}),
            variables=strings(data, "variables"),
        )


@dataclasses.dataclass(frozen=True)
class Root:
    """An image's root, writable, thrown away in the end."""

    path: str
    way: str
    """`storage` or `unpack`."""
    tried: list[str] = dataclasses.field(default_factory=list)
    """The ways before it that did not work, each with its reason."""
    stats: dict[str, int] = dataclasses.field(default_factory=dict)
    """bytes and files (entries) of all layers, layers, skipped (device nodes, FIFOs, sockets)."""
