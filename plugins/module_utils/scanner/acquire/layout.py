# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OCI image layouts (OCI image spec 1.1, "Image Layout Specification"), and how other local images become one."""

from __future__ import annotations

import errno
import lzma
import os
import re
import shutil
import tarfile
import zlib

from ...files import write_json
from ...model import J, ScapError, is_digest
from ...reference import Reference
from .manifest import check_size, choose, digest_of, host_platform, parse
from .records import Limits

_REF_NAME = "org.opencontainers.image.ref.name"
_CONTAINERD_NAME = "io.containerd.image.name"
_MEMBER = re.compile(r"(?:\./)?(oci-layout|index\.json|blobs/sha256/[0-9a-f]{64})\Z")
_BLOCK = 1 << 20


def local_layout(reference: Reference, text: str, work: str) -> str:
    """The folder of the OCI layout that `oci:` or `oci-archive:` names; ScapError names the file."""
    if reference.transport == "oci":
        return reference.path
    folder = os.path.join(work, "layout")
    extract_layout(reference.path, text, folder)
    return folder


def extract_layout(archive: str, text: str, folder: str) -> None:
    """Take the files of a layout, and nothing else, out of a tar; links, other names and other kinds are left in it."""
    os.makedirs(os.path.join(folder, "blobs", "sha256"), mode=0o700)
    total = 0
    try:
        with tarfile.open(archive, "r:*") as tar:
            for count, member in enumerate(tar):
                if count > 100_000:
                    raise ScapError("archive_malformed", f"{text}: the archive has more than 100,000 entries")
                match = _MEMBER.match(member.name)
                if match is None or not member.isfile():
                    continue
                total += member.size
                if total > Limits().bytes:
                    raise ScapError("archive_malformed", f"{text}: the archive holds more than {Limits().bytes} bytes")
                source = tar.extractfile(member)
                if source is None:
                    continue
                with open(os.path.join(folder, match[1]), "wb") as target:
                    shutil.copyfileobj(source, target, _BLOCK)
    except FileNotFoundError as error:
        raise ScapError("image_unknown", f"{text}: there is no file {archive}; check the path") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ScapError("disk_full", f"{text}: the disk is full; free some space or move scap_dir") from error
        raise ScapError("archive_malformed", f"{text}: the archive cannot be read: {error}; make it again") from error
    except (tarfile.TarError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise ScapError("archive_malformed", f"{text}: the archive cannot be read: {error}; make it again") from error
    if not os.path.exists(os.path.join(folder, "index.json")):
        raise ScapError("archive_malformed", f"{text}: the archive holds no index.json: it is not an OCI archive")


def read_index(folder: str, text: str) -> J:
    path = os.path.join(folder, "index.json")
    try:
        with open(path, "rb") as stream:
            data = stream.read(Limits().manifest + 1)
    except OSError as error:
        raise ScapError("image_unknown", f"{text}: {path} cannot be read: {error.strerror}; check the path") from error
    return parse(text, check_size(text, data, "index.json"), "index.json")


def pick(index: J, tag: str, text: str) -> str:
    """The digest that a tag stands for in index.json; without a tag the only one."""
    entries = [
        entry for entry in index.get("manifests") or () if isinstance(entry, dict) and is_digest(entry.get("digest"))
    ]
    named = []
    for entry in entries:
        notes = entry.get("annotations")
        notes = notes if isinstance(notes, dict) else {}
        name = str(notes.get(_REF_NAME) or notes.get(_CONTAINERD_NAME) or "")
        if tag and tag in (name, name.rpartition(":")[2]):
            return str(entry["digest"])
        named.append(name or str(entry["digest"]))
    if not tag and len(entries) == 1:
        return str(entries[0]["digest"])
    problem = f"no image is called {tag!r}" if tag else "which image is meant must be said behind a colon"
    raise ScapError("image_unknown", f"{text}: {problem}; there are: {', '.join(named[:20]) or 'none'}")


def choose_held(folder: str, text: str, index: J, platform: str) -> str:
    """The digest of the manifest for a platform.

    Exports often hold one platform of many that their index names: where none is wanted and only one is there, it is
    meant, whatever its platform.
    """
    if platform:
        return choose(text, index, platform)
    there = [
        entry
        for entry in index.get("manifests") or ()
        if isinstance(entry, dict)
        and is_digest(entry.get("digest"))
        and os.path.exists(blob_path(folder, entry["digest"]))
    ]
    if len(there) == 1:
        return str(there[0]["digest"])
    return choose(text, {**index, "manifests": there} if there else index, host_platform())


def read_blob(folder: str, digest: str, text: str, what: str) -> bytes:
    """A manifest or config of the layout, checked against its digest."""
    path = blob_path(folder, digest)
    try:
        with open(path, "rb") as stream:
            data = stream.read(Limits().manifest + 1)
    except OSError as error:
        raise ScapError("image_incomplete", f"{text}: its {what} {digest} is not there: {error.strerror}") from error
    check_size(text, data, what)
    if digest_of(data) != digest:
        raise ScapError("digest_mismatch", f"{text}: its {what} is not what {digest} promises; make the image again")
    return data


def blob_path(folder: str, digest: str) -> str:
    return os.path.join(folder, "blobs", "sha256", digest.rpartition(":")[2])


def view_of(folder: str, digest: str, data: bytes, kind: str, work: str) -> str:
    """A layout in the work folder that names the one manifest and shares the blobs; skopeo knows no digest
    in an `oci:` reference."""
    view = os.path.join(work, "view-of-layout")
    os.makedirs(view, mode=0o700)
    os.symlink(os.path.join(os.path.abspath(folder), "blobs"), os.path.join(view, "blobs"))
    entry = {"mediaType": kind, "digest": digest, "size": len(data), "annotations": {_REF_NAME: "image"}}
    write_json(os.path.join(view, "index.json"), {"schemaVersion": 2, "manifests": [entry]}, durable=False)
    write_json(os.path.join(view, "oci-layout"), {"imageLayoutVersion": "1.0.0"}, durable=False)
    return f"oci:{view}:image"
