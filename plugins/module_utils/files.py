# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files written whole and read within bounds."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import tempfile
import typing as t

from .model import ScapError

MAX_JSON = 256 * 1024 * 1024
"""Bytes of one JSON file after decompression; a larger one is refused."""

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)


@contextlib.contextmanager
def whole(path: str, mode: int = 0o600, durable: bool = True) -> t.Iterator[t.BinaryIO]:
    """A file to write that takes `path`'s place only when the block ends without an exception.

    Temporary name in the same folder, fsync, rename: a reader sees the old file or the new one. Without `durable` this
    is not so after the host itself has failed: for what is made again then, or made durable later (sync_files).
    """
    folder = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=folder)
    try:
        with os.fdopen(handle, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            yield stream
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if durable:
        sync_folder(folder)


def sync_folder(folder: str) -> None:
    """Make the renames in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_files(folder: str) -> None:
    """Make the plain files of a folder, and their names, durable."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                handle = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)
    sync_folder(folder)


def write_whole(path: str, data: bytes, mode: int = 0o600, durable: bool = True) -> None:
    with whole(path, mode, durable) as stream:
        stream.write(data)


def dumps(value: t.Any) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8; equal values give equal bytes."""
    return _CANONICAL.encode(value).encode("utf-8", "surrogateescape")


def write_json(path: str, value: t.Any, mode: int = 0o600, durable: bool = True) -> None:
    """`value` as JSON, gzip compressed where the name ends in .gz (same value, same bytes)."""
    data = dumps(value) + b"\n"
    if path.endswith(".gz"):
        packed = io.BytesIO()
        with gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=packed, mtime=0) as stream:
            stream.write(data)
        data = packed.getvalue()
    write_whole(path, data, mode, durable)


def read_bounded(path: str, limit: int = MAX_JSON) -> bytes:
    """The bytes of a file (unpacked where its name ends in .gz), at most `limit`."""
    try:
        with gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb") as stream:
            data = stream.read(limit + 1)
    except (OSError, EOFError) as error:
        raise ScapError("file_unreadable", f"{path}: cannot be read: {error}") from error
    if len(data) > limit:
        raise ScapError("file_too_large", f"{path}: larger than {limit} bytes; it was not read")
    return data


def read_json(path: str, limit: int = MAX_JSON) -> t.Any:
    data = read_bounded(path, limit)
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ScapError("file_malformed", f"{path}: not JSON: {error}; remove it and run the step again") from error


def write_jsonl(path: str, rows: t.Iterable[t.Any], mode: int = 0o600) -> int:
    """One JSON value a line, streamed; returns their number."""
    count = 0
    with whole(path, mode) as stream:
        for row in rows:
            stream.write(dumps(row) + b"\n")
            count += 1
    return count


def read_jsonl(path: str, line_limit: int = 16 * 1024 * 1024) -> t.Iterator[t.Any]:
    """The values of a JSON Lines file, one at a time; ScapError names the line that is damaged."""
    try:
        with open(path, "rb") as stream:
            number = 0
            while True:
                line = stream.readline(line_limit + 1)
                if not line:
                    return
                number += 1
                if len(line) > line_limit:
                    raise ScapError("file_too_large", f"{path}: line {number} is longer than {line_limit} bytes")
                if line.strip():
                    try:
                        yield json.loads(line.decode("utf-8"))
                    except (ValueError, RecursionError) as error:
                        raise ScapError("file_malformed", f"{path}: line {number} is not JSON: {error}") from error
    except OSError as error:
        raise ScapError("file_unreadable", f"{path}: cannot be read: {error}") from error


def sha256_file(path: str) -> str:
    """Hex sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
