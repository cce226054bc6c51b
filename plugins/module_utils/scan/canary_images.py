# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two canary images: an OCI archive (OCI image spec 1.1) of a few kilobytes, the same bytes each time."""

from __future__ import annotations

import gzip
import hashlib
import io
import stat
import tarfile
import typing as t

from ..files import dumps, write_whole
from ..model import J

FAIL, PASS = "fail", "pass"
"""The tags of the image that must fail, and of the one that must pass."""
_FILES = {
    "etc/os-release": b'ID=scap-images-canary\nVERSION_ID="1"\nPRETTY_NAME="scap.images canary 1"\n',
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
    "lib/apk/db/installed": b"P:canary\nV:1-r0\nA:noarch\n\n",
}
_DIFFERENT = {
    FAIL: (b"PermitEverything yes\n", 0o6755),
    PASS: (b"PermitEverything no\n", 0o755),
}
"""Tag to the text of etc/canary.conf and the mode of usr/bin/canary."""
_GROUP = 42
"""Of what is setgid: a scanner that may not keep the bit for groups that are not its own loses it."""
_TYPE = "application/vnd.oci.image"


def write_archive(path: str, platform: str) -> dict[str, str]:
    """Write the archive; tag to manifest digest. `platform`: os/architecture."""
    files: dict[str, bytes] = {"oci-layout": dumps({"imageLayoutVersion": "1.0.0"})}
    manifests = []
    for tag in (FAIL, PASS):
        plain = _layer(*_DIFFERENT[tag])
        layer = _blob(files, f"{_TYPE}.layer.v1.tar+gzip", gzip.compress(plain, 1, mtime=0))
        system, architecture = platform.split("/")[:2]
        config: J = {
            "os": system,
            "architecture": architecture,
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(plain).hexdigest()}"]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{_TYPE}.manifest.v1+json",
            "config": _blob(files, f"{_TYPE}.config.v1+json", dumps(config)),
            "layers": [layer],
        }
        found = _blob(files, f"{_TYPE}.manifest.v1+json", dumps(manifest))
        manifests.append({**found, "annotations": {"org.opencontainers.image.ref.name": tag}})
    files["index.json"] = dumps({"schemaVersion": 2, "manifests": manifests})
    write_whole(path, _tar([(name, data, 0o644) for name, data in files.items()]))
    return {tag: t.cast(str, manifest["digest"]) for tag, manifest in zip((FAIL, PASS), manifests)}


def _layer(text: bytes, mode: int) -> bytes:
    files = [(name, data, 0o644) for name, data in _FILES.items()]
    files += [("etc/canary.conf", text, 0o644), ("usr/bin/canary", b"", mode)]
    return _tar(files, ("etc", "lib", "lib/apk", "lib/apk/db", "proc", "run", "usr", "usr/bin"))


def _tar(files: t.Iterable[tuple[str, bytes, int]], folders: t.Iterable[str] = ()) -> bytes:
    """`files`: name, content, mode."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in folders:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, data, mode in files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.gid = len(data), mode, _GROUP if mode & stat.S_ISGID else 0
            tar.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def _blob(files: dict[str, bytes], media_type: str, data: bytes) -> J:
    digest = hashlib.sha256(data).hexdigest()
    files[f"blobs/sha256/{digest}"] = data
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}
