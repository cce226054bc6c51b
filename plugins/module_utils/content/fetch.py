# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file from a URL (validators, resumed where it was cut, bounded), and compressed files to plain ones."""

from __future__ import annotations

import bz2
import contextlib
import dataclasses
import email.utils
import fcntl
import gzip
import hashlib
import http.client
import lzma
import os
import re
import tempfile
import typing as t
import urllib.error
import urllib.parse

from ansible.module_utils.urls import open_url

from ..files import read_json, sha256_file, sync_folder, write_json
from ..model import ScapError

MAX_BYTES = 512 * 1024 * 1024
"""Bytes of a content file, as it is fetched and after decompression."""
ATTEMPTS = 3
_MAGIC: t.Sequence[tuple[bytes, t.Callable[[t.BinaryIO], t.Any]]] = (
    (b"\x1f\x8b", lambda stream: gzip.GzipFile(fileobj=stream)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
)


@dataclasses.dataclass(frozen=True)
class Validators:
    """What a server said of a file, in its own spelling (RFC 9110, section 8.8)."""

    etag: str = ""
    modified: str = ""

    @property
    def strong(self) -> str:
        """What `If-Range` may hold."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


@dataclasses.dataclass(frozen=True)
class Fetched:
    """A file that came."""

    path: str
    """Of the plain file."""
    sha256: str
    """Of the plain file."""
    packed_sha256: str
    """Of the bytes as they were fetched."""
    validators: Validators


class _CutError(Exception):
    """The connection ended before the file did."""


def key(url: str) -> str:
    """What files about a URL are named by."""
    return f"url-{hashlib.sha256(url.encode()).hexdigest()[:24]}"


def fetch(
    url: str, folder: str, known: Validators, timeout: float, check: t.Callable[[str], None], limit: int = MAX_BYTES
) -> Fetched | None:
    """Fetch into `folder`, or None where the server has nothing newer than `known`.

    What came before the connection was cut is kept, so that the next attempt, of this run or of a later one, asks for
    the rest. `check` is given the path of the file as it was fetched, before anything reads it, and raises where it is
    not to be used. Raises ScapError content_missing, content_malformed or content_too_large.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    part = os.path.join(folder, f"{key(url)}.part")
    with open(part, "a+b") as spool:
        fcntl.flock(spool, fcntl.LOCK_EX)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                validators = _attempt(url, spool, f"{part}.json", known, timeout, limit)
                break
            except _CutError as error:
                if attempt == ATTEMPTS:
                    raise ScapError("content_missing", f"{url}: {error}; try again") from error
        if validators is None:
            return None
        try:
            check(part)
            plain = unpack(part, url, folder)
            return Fetched(*plain, sha256_file(part), validators)
        finally:
            spool.truncate(0)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{part}.json")


def _attempt(
    url: str, spool: t.BinaryIO, note: str, known: Validators, timeout: float, limit: int
) -> Validators | None:
    """One request; its bytes are appended to what is in the spool, or take its place."""
    have, part = spool.seek(0, os.SEEK_END), ""
    if have:
        with contextlib.suppress(ScapError, AttributeError):
            part = str(read_json(note).get("validator", ""))
    headers = {"Accept-Encoding": "identity"}
    if have and part:
        headers.update({"Range": f"bytes={have}-", "If-Range": part})
    else:
        if known.etag:
            headers["If-None-Match"] = known.etag
        if known.modified:
            headers["If-Modified-Since"] = known.modified
    try:
        response = open_url(url, headers=headers, timeout=timeout, follow_redirects="safe", decompress=False)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 304:
            return None
        spool.truncate(0)
        if error.code == 416:
            raise _CutError("the server has no rest of what it began to send") from error
        raise ScapError("content_missing", f"{url}: the server answers {error.code} {error.reason}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ScapError("content_missing", f"{url}: cannot be fetched: {error}") from error
    with contextlib.closing(response):
        total = _total(response, have)
        if response.status != 206 or "Range" not in headers or total is None:
            spool.truncate(0)
            have = 0
            if response.status != 200:
                raise _CutError(f"the server answers {response.status} where 200 was expected")
            total = _number(response.headers.get("Content-Length"))
        said = _validators(response)
        write_json(note, {"url": url, "validator": said.strong})
        count = _receive(response, spool, url, have, limit)
    if total is not None and count != total:
        raise _CutError(f"{count} of {total} bytes came")
    return said


def _receive(response: t.Any, spool: t.BinaryIO, url: str, have: int, limit: int) -> int:
    try:
        while True:
            block = response.read(1 << 18)
            if not block:
                break
            have += len(block)
            if have > limit:
                spool.truncate(0)
                raise ScapError("content_too_large", f"{url}: more than {limit} bytes")
            spool.write(block)
    except (OSError, http.client.HTTPException) as error:
        raise _CutError(f"the connection ended after {have} bytes: {error}") from error
    finally:
        spool.flush()
    return have


def _total(response: t.Any, have: int) -> int | None:
    """Bytes of the whole file, where the answer is the rest of it from `have` on."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    return int(found[2]) if found and int(found[1]) == have else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _validators(response: t.Any) -> Validators:
    modified = response.headers.get("Last-Modified", "")
    if modified and email.utils.parsedate_tz(modified) is None:
        modified = ""
    return Validators(response.headers.get("ETag", ""), modified)


def packed(path: str) -> bool:
    """Whether the file is compressed in a way that is known here."""
    with open(path, "rb") as stream:
        return _opener(stream) is not None


def unpack(path: str, source: str, folder: str) -> tuple[str, str]:
    """Path and sha256 of the plain file, put into `folder` under a name made of that sha256 and the source's name."""
    with open(path, "rb") as stream:
        opener = _opener(stream)
        return put(opener(stream) if opener else stream, source, folder)


def _opener(stream: t.BinaryIO) -> t.Callable[[t.BinaryIO], t.Any] | None:
    """What unpacks the stream, by how it begins; it is at its beginning again."""
    head = stream.read(8)
    stream.seek(0)
    return next((opener for magic, opener in _MAGIC if head.startswith(magic)), None)


def put(stream: t.Any, source: str, folder: str) -> tuple[str, str]:
    """What `unpack` does, of a plain stream."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
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
    return path, digest


def _copy(source: t.Any, target: t.BinaryIO, name: str) -> str:
    digest, count = hashlib.sha256(), 0
    try:
        for block in iter(lambda: source.read(1 << 18), b""):
            count += len(block)
            if count > MAX_BYTES:
                raise ScapError("content_too_large", f"{name}: more than {MAX_BYTES} bytes")
            digest.update(block)
            target.write(block)
    except (EOFError, OSError, lzma.LZMAError) as error:
        raise ScapError("content_malformed", f"{name}: cannot be unpacked: {error}; fetch it again") from error
    return digest.hexdigest()
