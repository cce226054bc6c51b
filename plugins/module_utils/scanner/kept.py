# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an evidence keeps of an image, so that a later feed can be judged without it: a small root in a tar archive.

The package database as oscap was given it, the files that say which system it is, and the files that the feeds of
the scan read. A list says which paths were looked at: what is in it and not in the archive was not there.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import os
import tarfile
import typing as t
import zlib

from ..files import read_bounded, write_whole
from ..model import ScapError
from .packages import Inventory
from .packages.deb822 import STATUS, STATUS_FOLDER
from .rootpath import list_in_root, make_in_root, open_in_root, read_in_root, stat_in_root

NAME = "kept.tar.compressed"
"""gzip, or, where that is too large, xz."""
MAX_BYTES = 2 * 1024 * 1024
"""Of the archive as it is stored."""
_MAX_PLAIN = 64 * 1024 * 1024
_MAX_FILE = 1024 * 1024
_LIST = ".looked-at.json"
RPMDB = "var/lib/rpm/rpmdb.sqlite"
RELEASE = (
    "etc/os-release",
    "usr/lib/os-release",
    "etc/redhat-release",
    "etc/system-release",
    "etc/centos-release",
    "etc/almalinux-release",
    "etc/oracle-release",
    "etc/SuSE-release",
    "etc/debian_version",
    "etc/lsb-release",
    "etc/issue",
)


def keep(root: str, inventory: Inventory, paths: t.Iterable[str], staging: str) -> str:
    """Write NAME into `staging`; `paths`: absolute ones that the feeds read. Returns why nothing is kept, or nothing.

    The root is the one that oscap was given, its rpm database rebuilt.
    """
    databases = _databases(root, inventory)
    if not databases:
        return "there is no package database that could be kept"
    files: dict[str, bytes] = {}
    looked = sorted({*RELEASE, *(path.lstrip("/") for path in paths)})
    try:
        for path in databases:
            data = read_in_root(root, path, _MAX_PLAIN)
            if data is None:
                return f"/{path} cannot be read"
            files[path] = data
        known = [path for path in looked if _look(root, path, files)]
    except ScapError as error:
        return error.message
    if sum(map(len, files.values())) > _MAX_PLAIN:
        return f"it is larger than {_MAX_PLAIN} bytes"
    files[_LIST] = json.dumps(known).encode()
    plain = _tar(files)
    packed = gzip.compress(plain, 6, mtime=0)
    if len(packed) > MAX_BYTES:
        packed = lzma.compress(plain, preset=3)
    if len(packed) > MAX_BYTES:
        return f"{len(packed)} bytes, {MAX_BYTES} are allowed"
    write_whole(os.path.join(staging, NAME), packed, durable=False)
    return ""


def _databases(root: str, inventory: Inventory) -> list[str]:
    if inventory.manager == "rpm":
        return [RPMDB]
    if inventory.format == "status":
        return [STATUS]
    if inventory.format == "status.d":
        return [
            f"{STATUS_FOLDER}/{name}" for name in list_in_root(root, STATUS_FOLDER) if not name.endswith(".md5sums")
        ]
    return []


def _look(root: str, path: str, files: dict[str, bytes]) -> bool:
    """Put the file among `files` where there is one; False where it is no plain file of moderate size."""
    if stat_in_root(root, path) is None:
        return True
    try:
        with os.fdopen(open_in_root(root, path), "rb") as stream:
            data = stream.read(_MAX_FILE + 1)
    except OSError:
        return False
    if len(data) > _MAX_FILE:
        return False
    files[path] = data
    return True


def _tar(files: t.Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def unpack(path: str, sha256: str, root: str) -> set[str]:
    """Make the small root in the empty folder `root`; the absolute paths that were looked at.

    `sha256`: what the evidence says of the archive.

    Raises ScapError not_kept where the archive is missing or is none of ours.
    """
    try:
        packed = read_bounded(path, MAX_BYTES)
        if hashlib.sha256(packed).hexdigest() != sha256:
            raise ScapError("not_kept", f"{path}: is not what the evidence says of it")
        if packed.startswith(b"\x1f\x8b"):
            unzip = zlib.decompressobj(31)
            data, whole = unzip.decompress(packed, 2 * _MAX_PLAIN), unzip.eof
        else:
            unxz = lzma.LZMADecompressor(memlimit=256 * 1024 * 1024)
            data, whole = unxz.decompress(packed, 2 * _MAX_PLAIN), unxz.eof
        if not whole:
            raise ScapError("not_kept", f"{path}: is not whole")
        looked: set[str] = set()
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for entry in archive:
                stream = archive.extractfile(entry) if entry.isreg() else None
                if stream is None or entry.size > _MAX_PLAIN:
                    raise ScapError("not_kept", f"{path}: holds {entry.name!r}, which is no plain file")
                if entry.name == _LIST:
                    looked = {f"/{name}" for name in json.loads(stream.read())}
                else:
                    make_in_root(root, entry.name, stream.read())
    except (OSError, zlib.error, lzma.LZMAError, tarfile.TarError, ValueError, TypeError) as error:
        raise ScapError("not_kept", f"{path}: cannot be used: {error}") from error
    except ScapError as error:
        raise ScapError("not_kept", error.message) from error
    return looked
