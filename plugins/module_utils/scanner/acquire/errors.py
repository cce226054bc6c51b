# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What skopeo says when it fails, as sentences that name the image, what came back, and the cure."""

from __future__ import annotations

import re
import typing as t

from ...model import ScapError
from ...process import Completed

_KNOWN: t.Sequence[tuple[str, str, str]] = (
    (
        r"no space left|disk quota exceeded",
        "disk_full",
        "the disk is full; free some space or move scap_dir",
    ),
    (
        r"insufficient UIDs or GIDs|lchown .*invalid argument|chown .*invalid argument",
        "ids_missing",
        "a file's owner has no id in this user namespace; give the user more subordinate ids, or run as root",
    ),
    (
        r"unauthorized|authentication required|invalid username/password|access to the resource is denied|"
        r"\b(StatusCode|status|status code|response):? 40[13]\b|\b40[13] \(?(Unauthorized|Forbidden)",
        "registry_unauthorized",
        "the registry does not let us in; log in with podman login and name the file as scap_authfile",
    ),
    (
        r"error getting username and password|invalid character .*auth|unmarshal.*auth|auth\.json",
        "authfile_malformed",
        "the file with the credentials cannot be used; make it again with podman login",
    ),
    (
        r"server gave HTTP response to HTTPS client",
        "registry_plain_http",
        "the registry speaks plain HTTP; set scap_validate_certs to false if that is meant",
    ),
    (
        r"x509|certificate|tls: ",
        "registry_certificate",
        "the registry's certificate is not trusted; name its authority as scap_ca_file",
    ),
    (
        r"\b429\b|toomanyrequests|too many requests",
        "registry_busy",
        "the registry asks for patience; scan fewer images at a time, or log in",
    ),
    (
        r"exceeded maximum allowed size",
        "limit_bytes",
        "its manifest or config is larger than any image needs; it was refused",
    ),
    (
        r"loading tar component|archive/tar|determining if .* is compressed|tarball|repositories file",
        "archive_malformed",
        "the archive is not what docker save or podman save writes; make it again",
    ),
    (
        r"manifest unknown|name unknown|no such image|NAME_UNKNOWN|MANIFEST_UNKNOWN|does not exist|no image found|"
        r"does not resolve to an image|identifier is not an image|image not known|manifest.*not found",
        "image_unknown",
        "there is no such image; check the name and the tag",
    ),
    (
        r"connection refused|no route to host|no such host|i/o timeout|connection reset|network is unreachable|"
        r"handshake timeout|context deadline exceeded|server misbehaving|: EOF\b|\b(status|StatusCode):? ?5\d\d\b|"
        r"\b50[0-9] (Internal|Bad|Service|Gateway)|unexpected HTTP status",
        "registry_down",
        "the registry does not answer as it should; check that it runs and can be reached from here",
    ),
    (
        r"digest|checksum|does not match|unexpected EOF|verif(y|ication)|size mismatch|blob.*(unknown|not found)",
        "digest_mismatch",
        "what came is not what its digest promises: it was damaged on the way or in the registry; push the image again",
    ),
    (
        r"unsupported|unknown media type|not implemented|unrecognized|schema ?1",
        "media_type_unsupported",
        "the image is of a kind that cannot be unpacked; push it again as an OCI or Docker schema 2 image",
    ),
    (
        r"no such file or directory|not found|cannot find|unable to open",
        "image_unknown",
        "there is no such file or image; check the name",
    ),
)


def failed(reference: str, tried: str, done: Completed) -> ScapError:
    """The error for a program that did not do what was tried with the image."""
    if done.timed_out:
        return ScapError(
            "time_limit",
            f"{reference}: {tried}: {done.argv[0]} took longer than {done.seconds:.0f} s; allow it more time, or "
            "look at the registry",
        )
    if done.truncated:
        return ScapError("limit_bytes", f"{reference}: {tried}: more came back than any image needs; it was refused")
    said = _short(done.error or f"exit status {done.returncode}")
    bare = _without_names(said, reference)
    for pattern, code, cure in _KNOWN:
        if re.search(pattern, bare, re.IGNORECASE):
            return ScapError(code, f"{reference}: {tried} failed: {said}: {cure}")
    return ScapError("acquire_failed", f"{reference}: {tried} failed: {said}")


def _without_names(said: str, reference: str) -> str:
    """What was said without the names in it, which the author of an image or a registry can choose."""
    bare = re.sub(r'\\?"[a-z-]+:[^"]*"', "", said)
    name = reference.partition(":")[2].lstrip("/")
    for part in (name, name.partition("@")[0], re.sub(r":[\w.-]+$", "", name)):
        bare = bare.replace(part, "") if part else bare
    return bare


def _short(said: str) -> str:
    text = re.sub(r'time="[^"]*" level=\w+ msg="?', "", said).strip().rstrip('"').replace('\\"', '"')
    return text if len(text) < 500 else f"{text[:250]} ... {text[-240:]}"
