# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image references: parse, normalise, compare.

Spelled as containers-transports(5) has them: `docker://host/name:tag`, `docker://host/name@sha256:...`
(a bare `host/name:tag` means that), `oci:PATH[:TAG]`, `oci-archive:PATH[:TAG]`, `docker-archive:PATH[:REF]`,
`containers-storage:NAME`.
"""

from __future__ import annotations

import re
import typing as t

from .model import ScapError, is_digest

TRANSPORTS = ("docker", "oci", "oci-archive", "docker-archive", "containers-storage")
_WITH_TRANSPORT = ("docker://", *(f"{name}:" for name in TRANSPORTS[1:]))

# The grammar of github.com/distribution/reference.
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(
    rf"(?:(?P<host>{_HOST})/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>[^@]+))?\Z"
)


class Reference(t.NamedTuple):
    """One parsed reference."""

    transport: str
    host: str
    """docker: `host[:port]`, empty for a short name; other transports: empty."""
    path: str
    """docker: the repository; other transports: the path or name."""
    tag: str
    digest: str

    def __str__(self) -> str:
        """The reference in full, with its transport."""
        if self.transport == "docker":
            return f"docker://{self.name}{self._suffix()}"
        colon = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.transport}:{self.path}{colon}{digest}"

    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return tag + digest

    @property
    def name(self) -> str:
        """docker: `host/repository`."""
        return f"{self.host}/{self.path}" if self.host else self.path

    @property
    def is_short(self) -> bool:
        """A docker reference without a registry: what it means, only registries.conf can say."""
        return self.transport == "docker" and not self.host

    def at(self, digest: str) -> Reference:
        """The same repository by digest; a tag beside a digest means nothing, so it is left out."""
        return self._replace(tag="", digest=digest)


def parse(text: str) -> Reference:
    """Parse one reference; ScapError `reference_invalid` says what is wrong with it."""
    stripped = text.strip()
    for transport in TRANSPORTS[1:]:
        if stripped.startswith(transport + ":"):
            return _parse_local(transport, stripped[len(transport) + 1 :], text)
    bare = stripped[len("docker://") :] if stripped.startswith("docker://") else stripped
    match = _NAME.match(bare)
    if match is None:
        raise ScapError("reference_invalid", f"{text!r} is not an image reference{_hint(bare)}")
    host, path = match["host"] or "", match["path"]
    if host and not _looks_like_host(host):
        host, path = "", f"{host}/{path}"
    digest = match["digest"] or ""
    if digest and not is_digest(digest):
        raise ScapError(
            "reference_invalid", f"{text!r}: {digest!r} is not a digest (sha256: and 64 lower-case hex digits)"
        )
    return Reference("docker", host, path, match["tag"] or "", digest)


def normalise(text: str) -> str:
    """The reference as records carry it: what was written, `docker://` before it where the transport was left out."""
    parse(text)
    return with_transport(text)


def with_transport(text: str) -> str:
    """`normalise` of what is known to be a reference."""
    stripped = text.strip()
    return stripped if stripped.startswith(_WITH_TRANSPORT) else f"docker://{stripped}"


def _looks_like_host(host: str) -> bool:
    return "." in host or ":" in host or host == "localhost" or host != host.lower()


def _parse_local(transport: str, rest: str, text: str) -> Reference:
    if not rest or "\0" in rest or "\n" in rest:
        raise ScapError("reference_invalid", f"{text!r}: nothing usable stands behind {transport}:")
    if transport == "containers-storage":
        return Reference(transport, "", rest, "", "")
    path, colon, tag = rest.partition(":")
    if colon and not tag:
        raise ScapError("reference_invalid", f"{text!r}: the tag behind the colon is empty")
    return Reference(transport, "", path, tag, "")


def _hint(bare: str) -> str:
    if bare != bare.lower() and _NAME.match(bare.lower()):
        return ": a repository's name is lower case only"
    if "://" in bare:
        return f": write it as docker://host/name:tag or with one of {', '.join(TRANSPORTS[1:])}"
    return ": write it as host/name:tag or host/name@sha256:..."
