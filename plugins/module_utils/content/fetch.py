# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Content files from where users have them (a path or a URL, plain or compressed) to a plain file on disk."""

from __future__ import annotations

import bz2
import contextlib
import email.utils
import gzip
import hashlib
import lzma
import os
import tempfile
import typing as t
import urllib.error
import urllib.parse

from ansible.module_utils.urls import open_url

from ..files import read_json, sync_folder, write_json
from ..model import ScapError

MAX_BYTES = 512 * 1024 * 1024
"""Bytes of a content file after decompression."""
_MAGIC: t.Sequence[tuple[bytes, t.Callable[[t.BinaryIO], t.Any]]] = (
    (b"\x1f\x8b", lambda stream: gzip.GzipFile(fileobj=stream)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
)


def materialise(source: str, folder: str, timeout: float = 120) -> str:
    """Path of a plain file with the content that `source` names; a plain local file is used where it lies.

    What is fetched or unpacked is kept in `folder`, named by the source and the sha256 of its bytes; a URL is
    asked again each run with its validators (ETag, Last-Modified), so that an unchanged feed is not fetched again.
    Raises ScapError content_missing, content_malformed or content_too_large.
    """
    if urllib.parse.urlsplit(source).scheme in ("http", "https"):
        return _fetch(source, folder, timeout)
    try:
        with open(source, "rb") as stream:
            head = stream.read(8)
            if not any(head.startswith(magic) for magic, _unused in _MAGIC):
                return os.path.abspath(source)
            stream.seek(0)
            return _keep(stream, source, folder)
    except OSError as error:
        raise ScapError(
            "content_missing", f"{source}: the content cannot be read: {error.strerror or error}"
        ) from error


def _fetch(url: str, folder: str, timeout: float) -> str:
    os.makedirs(folder, mode=0o700, exist_ok=True)
    note = os.path.join(folder, f"url-{hashlib.sha256(url.encode()).hexdigest()[:24]}.json")
    known: dict[str, str] = {}
    if os.path.exists(note):
        with contextlib.suppress(ScapError):
            known = read_json(note)
    headers = {}
    if known and os.path.exists(known.get("path", "")):
        if known.get("etag"):
            headers["If-None-Match"] = known["etag"]
        if known.get("modified"):
            headers["If-Modified-Since"] = known["modified"]
    try:
        response = open_url(url, headers=headers, timeout=timeout, follow_redirects="safe")
    except urllib.error.HTTPError as error:
        if error.code == 304:
            return known["path"]
        raise ScapError("content_missing", f"{url}: the server answers {error.code} {error.reason}") from error
    except (OSError, ValueError) as error:
        raise ScapError("content_missing", f"{url}: cannot be fetched: {error}") from error
    with contextlib.closing(response), tempfile.TemporaryFile(dir=folder) as spool:
        _copy(response, spool, url)
        wanted = response.headers.get("Content-Length")
        if wanted and not response.headers.get("Content-Encoding") and int(wanted) != spool.tell():
            raise ScapError("content_missing", f"{url}: {spool.tell()} of {wanted} bytes came; try again")
        spool.seek(0)
        path = _keep(spool, url, folder)
        modified = response.headers.get("Last-Modified", "")
        if modified and email.utils.parsedate_tz(modified) is None:
            modified = ""
        write_json(note, {"url": url, "path": path, "etag": response.headers.get("ETag", ""), "modified": modified})
    return path


def _keep(stream: t.Any, source: str, folder: str) -> str:
    """Unpack into the folder; the name carries the sha256 of the unpacked bytes."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    head = stream.read(8)
    stream.seek(0)
    for magic, opener in _MAGIC:
        if head.startswith(magic):
            stream = opener(stream)
            break
    name = os.path.basename(urllib.parse.urlsplit(source).path) or "content"
    for ending in (".gz", ".bz2", ".xz"):
        name = name[: -len(ending)] if name.endswith(ending) else name
    handle, temporary = tempfile.mkstemp(prefix=".content-", dir=folder)
    try:
        with os.fdopen(handle, "wb") as plain:
            digest = _copy(stream, plain, source)
            plain.flush()
            os.fsync(plain.fileno())
        path = os.path.join(folder, f"{digest[:12]}-{name}")
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_folder(folder)
    return path


def _copy(source: t.Any, target: t.BinaryIO, name: str) -> str:
    digest, count = hashlib.sha256(), 0
    try:
        for block in iter(lambda: source.read(1 << 18), b""):
            count += len(block)
            if count > MAX_BYTES:
                raise ScapError("content_too_large", f"{name}: more than {MAX_BYTES} bytes")
            digest.update(block)
            target.write(block)
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise ScapError("content_malformed", f"{name}: cannot be unpacked: {error}; fetch it again") from error
    return digest.hexdigest()
