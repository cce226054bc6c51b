# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What skopeo and buildah say when they fail, as sentences that name the image, what came back, and the cure."""

from __future__ import annotations

import re
import typing as t

from ...model import ScapError
from ...process import Completed

_KNOWN: t.Sequence[tuple[str, str, str]] = (
    (
        r"unauthorized|authentication required|invalid username/password|access to the resource is denied|\b40[13]\b",
        "registry_unauthorized",
        "the registry does not let us in; log in with podman login and name the file as scap_authfile",
    ),
    (
        r"x509|certificate|tls: ",
        "registry_certificate",
        "the registry's certificate is not trusted; name its authority as scap_ca_file",
    ),
    (
        r"server gave HTTP response to HTTPS client",
        "registry_plain_http",
        "the registry speaks plain HTTP; set scap_validate_certs to false if that is meant",
    ),
    (
        r"manifest unknown|name unknown|not found|no such image|NAME_UNKNOWN|MANIFEST_UNKNOWN|does not exist|"
        r"no image found|"
        r"no descriptor found|expected \d+ images? .*got 0",
        "image_unknown",
        "there is no such image; check the name and the tag",
    ),
    (
        r"digest|checksum|does not match|unexpected EOF|verif(y|ication)",
        "digest_mismatch",
        "what came is not what its digest promises: it was damaged on the way or in the registry; push the image again",
    ),
    (
        r"connection refused|no route to host|no such host|i/o timeout|connection reset|EOF|"
        r"network is unreachable|\b5\d\d\b",
        "registry_down",
        "the registry does not answer; check that it runs and can be reached from here",
    ),
    (
        r"\b429\b|toomanyrequests",
        "registry_busy",
        "the registry asks for patience; scan fewer images at a time, or log in",
    ),
    (
        r"invalid character|error reading.*auth|unmarshal.*auth|auth\.json|JSON",
        "authfile_malformed",
        "the file with the credentials (or an answer) is not JSON; make it again with podman login",
    ),
    (r"no space left", "disk_full", "the disk is full; free some space or move scap_dir"),
    (
        r"unsupported|unknown media type|not implemented|unrecognized|schema ?1",
        "media_type_unsupported",
        "the image is of a kind that cannot be unpacked; push it again as an OCI or Docker schema 2 image",
    ),
    (
        r"no such file or directory|cannot find|unable to open",
        "image_unknown",
        "there is no such file; check the path",
    ),
)


def failed(reference: str, tried: str, done: Completed) -> ScapError:
    """The error for a program that did not do what was tried with the image."""
    if done.timed_out:
        return ScapError("time_limit", f"{reference}: {tried}: {done.argv[0]} took longer than {done.seconds:.0f} s")
    said = done.error or f"exit status {done.returncode}"
    for pattern, code, cure in _KNOWN:
        if re.search(pattern, said, re.IGNORECASE):
            return ScapError(code, f"{reference}: {tried} failed: {_short(said)}: {cure}")
    return ScapError("acquire_failed", f"{reference}: {tried} failed: {_short(said)}")


def _short(said: str) -> str:
    text = re.sub(r'time="[^"]*" level=\w+ msg="?', "", said).strip().rstrip('"')
    return text if len(text) < 500 else f"{text[:250]} ... {text[-240:]}"
