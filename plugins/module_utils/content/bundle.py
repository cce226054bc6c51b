# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Content and feeds in one file that is carried to a site without a network: a tar with its manifest first.

The manifest says of every file by which address users name it, and its sha256. What a scan takes out of it is checked
against that; the bundle itself can be pinned by `PATH#sha256=HEX`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
import typing as t

from ..files import sha256_file, whole
from ..model import J, RecordError, ScapError, field, now
from .fetch import MAX_BYTES, put
from .source import Source, parse

MANIFEST = "manifest.json"
_MAX_MANIFEST = 1024 * 1024
_VERSION = 1


def write(path: str, files: t.Mapping[str, str]) -> tuple[list[J], bool]:
    """Write the bundle `path` of `files` (address: path of the plain file) whole.

    Returns what its manifest says of them, and whether it was written: one that holds these very files stays.
    """
    entries: list[J] = [
        {
            "source": address,
            "name": f"files/{number}-{os.path.basename(place)}",
            "sha256": sha256_file(place),
            "size": os.path.getsize(place),
        }
        for number, (address, place) in enumerate(sorted(files.items()))
    ]
    if os.path.exists(path):
        with contextlib.suppress(ScapError):
            if Bundle(path).whole_with(entries):
                return entries, False
    manifest: J = {"version": _VERSION, "made_at": now(), "files": entries}
    with whole(path) as target, tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        data = json.dumps(manifest, indent=1).encode()
        _add(archive, MANIFEST, len(data), io.BytesIO(data))
        for entry, place in zip(entries, (place for _address, place in sorted(files.items()))):
            with open(place, "rb") as stream:
                _add(archive, entry["name"], entry["size"], stream)
    return entries, True


def _add(archive: tarfile.TarFile, name: str, size: int, stream: t.BinaryIO) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    archive.addfile(member, stream)


class Bundle:
    """A bundle that is read."""

    def __init__(self, text: str) -> None:
        """Raises ScapError bundle_unreadable, content_changed or option_wrong."""
        named = parse(text)
        if named.remote or named.signature or named.interval:
            raise ScapError("option_wrong", f"{text}: a bundle is a path, with nothing but its sha256 behind #")
        self._path, self._pinned = named.address, bool(named.sha256)
        try:
            found = sha256_file(self._path) if named.sha256 else ""
            if found != named.sha256:
                raise ScapError("content_changed", f"{self._path}: its sha256 is {found}, not {named.sha256}")
            with tarfile.open(self._path, "r:") as archive:
                member = archive.next()
                stream = archive.extractfile(member) if member is not None and member.isreg() else None
                if member is None or stream is None or member.name != MANIFEST or member.size > _MAX_MANIFEST:
                    raise ScapError("bundle_unreadable", f"{self._path}: does not begin with {MANIFEST}")
                manifest = json.loads(stream.read())
            if field(manifest, "version", int) != _VERSION:
                raise ScapError("bundle_unreadable", f"{self._path}: is of another version of this collection")
            self._files = {field(entry, "source", str): entry for entry in field(manifest, "files", list)}
        except (OSError, tarfile.TarError, ValueError, RecursionError, RecordError) as error:
            raise ScapError("bundle_unreadable", f"{self._path}: cannot be read: {error}") from error

    def whole_with(self, entries: t.Sequence[J]) -> bool:
        """Whether these are its files, undamaged."""
        if list(self._files.values()) != list(entries):
            return False
        try:
            with tarfile.open(self._path, "r:") as archive:
                for entry in entries:
                    stream = archive.extractfile(entry["name"])
                    digest = hashlib.sha256()
                    for block in iter(lambda: stream.read(1 << 20) if stream is not None else b"", b""):  # noqa: B023
                        digest.update(block)
                    if digest.hexdigest() != entry["sha256"]:
                        return False
        except (OSError, KeyError, tarfile.TarError):
            return False
        return True

    def take(self, source: Source, folder: str) -> str | None:
        """Put the file of that address into `folder`; None where the bundle has none. Raises ScapError."""
        entry = self._files.get(source.address)
        if entry is None:
            return None
        if source.signature and not self._pinned:
            raise ScapError(
                "option_wrong",
                f"{source.address}: its signature is not in the bundle, it was checked when that was made; "
                f"name the bundle with its sha256: {self._path}#sha256=...",
            )
        try:
            with tarfile.open(self._path, "r:") as archive:
                member = archive.getmember(field(entry, "name", str))
                stream = archive.extractfile(member) if member.isreg() and member.size <= MAX_BYTES else None
                if stream is None:
                    raise ScapError("bundle_unreadable", f"{self._path}: {member.name} is no file of moderate size")
                path, found = put(stream, source.address, folder)
        except (OSError, KeyError, tarfile.TarError, RecordError) as error:
            raise ScapError("bundle_unreadable", f"{self._path}: {source.address}: {error}") from error
        if found != field(entry, "sha256", str):
            os.unlink(path)
            raise ScapError("content_changed", f"{self._path}: {source.address} is damaged, its sha256 is {found}")
        return path
