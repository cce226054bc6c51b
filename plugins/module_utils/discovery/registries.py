# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries, asked over HTTP (OCI distribution specification 1.1): manifests, configurations, tags, catalogs.

Every body is bounded, every digest is checked against the bytes that were fetched, pages never lead elsewhere.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import re
import typing as t
import urllib.parse

from ..model import ScapError, is_digest
from ..reference import Reference
from .authfile import Credentials
from .registriesconf import RegistriesConf
from .transport import Reply, Transport

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/vnd.docker.distribution.manifest.v1+json",
)
MANIFEST_LIMIT = 4 * 1024 * 1024
"""Bytes of a manifest or index (the specification's own recommendation) or a config."""

LIST_LIMIT = 8 * 1024 * 1024
PAGES = 10_000
NAMES = 1_000_000
"""Bounds of one page of tags or repositories, of the pages, and of the names altogether."""

_ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
_LINK = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a registry says a reference is."""

    digest: str
    media_type: str
    etag: str = ""
    body: t.Any = None
    """The parsed manifest where it was fetched and its digest proven; None after a mere HEAD."""

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEXES


class Registries:
    """All registries of a run: one configuration, shared connections. Thread safe; counts its `requests`."""

    def __init__(
        self,
        *,
        authfile: str | None = None,
        registries_conf: str | None = None,
        insecure: t.Sequence[str] = (),
        ca_file: str | None = None,
        timeout: float = 30.0,
    ) -> None:
        self.conf = RegistriesConf(registries_conf)
        self._insecure = list(insecure)
        self._timeout = timeout
        self._ca_file = ca_file
        self._transport = Transport(Credentials(authfile), timeout, ca_file)

    def opened_by(self, credentials: Credentials) -> Registries:
        """The same registries with other credentials."""
        other = copy.copy(self)
        other._transport = Transport(credentials, self._timeout, self._ca_file)
        return other

    @property
    def requests(self) -> int:
        return self._transport.requests

    def head(self, reference: Reference, etag: str = "") -> Manifest | None:
        """The manifest behind a reference, by one HEAD; None where `etag` still holds.

        A registry that gives no digest on HEAD is asked with GET. Raises ScapError.
        """
        headers = {"Accept": _ACCEPT, **({"If-None-Match": etag} if etag else {})}
        reply = self._manifest("HEAD", reference, headers)
        if reply.status == 304:
            return None
        media_type, digest = _media_type(reply), reply.headers.get("Docker-Content-Digest") or ""
        if not is_digest(digest) or media_type not in (*INDEXES, *MANIFESTS):
            return self.fetch(reference)
        if reference.digest and digest != reference.digest:
            raise ScapError("registry_lies", f"{reference}: the registry answers with the digest {digest}")
        return Manifest(digest, media_type, reply.headers.get("ETag") or "")

    def fetch(self, reference: Reference) -> Manifest:
        """The manifest itself, its digest computed from its bytes."""
        reply = self._manifest("GET", reference, {"Accept": _ACCEPT})
        body = _json(reply, f"the manifest of {reference}")
        media_type = _media_type(reply)
        if media_type not in (*INDEXES, *MANIFESTS):
            media_type = str(body.get("mediaType") or "")
        if media_type not in (*INDEXES, *MANIFESTS):
            raise ScapError(
                "registry_malformed",
                f"{reference}: the registry answers {_media_type(reply) or 'no media type'}, which is no image",
            )
        digest = f"sha256:{hashlib.sha256(reply.body).hexdigest()}"
        claimed = reference.digest or reply.headers.get("Docker-Content-Digest") or ""
        if is_digest(claimed) and digest != claimed:
            if (
                "docker.distribution.manifest.v1" not in media_type
            ):  # schema 1: the digest leaves the signatures in the bytes out
                raise ScapError("registry_lies", f"{reference}: the registry says {claimed}, its bytes are {digest}")
            digest = claimed
        return Manifest(digest, media_type, reply.headers.get("ETag") or "", body)

    def config(self, reference: Reference, manifest: Manifest) -> dict[str, t.Any]:
        """The image's configuration (OCI image specification, config), its digest proven; empty for schema 1."""
        descriptor = manifest.body.get("config") if isinstance(manifest.body, dict) else None
        digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
        if not is_digest(digest):
            return {}
        path = f"/v2/{reference.path}/blobs/{digest}"
        reply = self._ask("GET", reference.host, reference.path, path, {}, f"the configuration of {reference}")
        if f"sha256:{hashlib.sha256(reply.body).hexdigest()}" != digest:
            raise ScapError("registry_lies", f"{reference}: the configuration's bytes are not those of {digest}")
        return _json(reply, f"the configuration of {reference}")

    def tags(self, host: str, repository: str) -> t.Iterator[str]:
        """All tags of a repository."""
        return self._names(host, repository, f"/v2/{repository}/tags/list?n=1000", "tags")

    def catalog(self, host: str) -> t.Iterator[str]:
        """All repositories of a registry, where it allows the question."""
        return self._names(host, "", "/v2/_catalog?n=1000", "repositories")

    def _manifest(self, method: str, reference: Reference, headers: dict[str, str]) -> Reply:
        if self.conf.is_blocked(reference.host, reference.path):
            raise ScapError("registry_blocked", f"{reference}: {self.conf.path} blocks this registry")
        path = f"/v2/{reference.path}/manifests/{reference.digest or reference.tag or 'latest'}"
        return self._ask(method, reference.host, reference.path, path, headers, str(reference))

    def _names(self, host: str, repository: str, path: str, field: str) -> t.Iterator[str]:
        seen: set[str] = set()
        what = f"the {field} of {host}/{repository}".rstrip("/")
        count = 0
        for _page in range(PAGES):
            if path in seen:
                raise ScapError("registry_malformed", f"{what}: the pages go round in a circle at {path}")
            seen.add(path)
            reply = self._ask("GET", host, repository, path, {"Accept": "application/json"}, what, LIST_LIMIT)
            names = _json(reply, what).get(field) or []
            for name in names if isinstance(names, list) else []:
                if isinstance(name, str):
                    count += 1
                    yield name
            link = _LINK.search(reply.headers.get("Link") or "")
            if link is None:
                return
            path = _same_host(host, path, link[1], what)
            if count > NAMES:
                break
        raise ScapError("registry_malformed", f"{what}: more than {NAMES} names or {PAGES} pages; the rest is not read")

    def _ask(
        self,
        method: str,
        host: str,
        repository: str,
        path: str,
        headers: dict[str, str],
        what: str,
        limit: int = MANIFEST_LIMIT,
    ) -> Reply:
        insecure = self.conf.is_insecure(host, repository) or host in self._insecure
        reply = self._transport.ask(method, host, repository, path, headers, insecure=insecure, limit=limit, what=what)
        if reply.status in (200, 304):
            return reply
        raise _refusal(what, host, reply)


def _refusal(what: str, host: str, reply: Reply) -> ScapError:
    if reply.status in (401, 403):
        return ScapError(
            "registry_unauthorized",
            f"{what}: {host} refuses (HTTP {reply.status}); log in with podman login {host}, or name an authfile",
        )
    if reply.status == 404:
        return ScapError("registry_not_found", f"{what}: {host} does not have it (HTTP 404)")
    if reply.status == 429:
        return ScapError("registry_throttled", f"{what}: {host} has had enough requests (HTTP 429); try later")
    return ScapError("registry_failed", f"{what}: {host} answers HTTP {reply.status}")


def _media_type(reply: Reply) -> str:
    return (reply.headers.get("Content-Type") or "").partition(";")[0].strip().lower()


def _json(reply: Reply, what: str) -> dict[str, t.Any]:
    try:
        body = json.loads(reply.body)
    except (ValueError, RecursionError) as error:
        kind = _media_type(reply) or "something"
        raise ScapError("registry_malformed", f"{what}: the registry answers {kind} that is not JSON") from error
    if not isinstance(body, dict):
        raise ScapError("registry_malformed", f"{what}: the registry's answer is no JSON object")
    return body


def _same_host(host: str, path: str, link: str, what: str) -> str:
    url = urllib.parse.urljoin(f"https://{host}{path}", link)
    parts = urllib.parse.urlsplit(url)
    if parts.netloc != host or not parts.path.startswith("/v2/"):
        raise ScapError("registry_malformed", f"{what}: the next page is said to be {link}, which is elsewhere")
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
