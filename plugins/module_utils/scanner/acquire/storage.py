# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way `storage`: layers are pulled and unpacked once into a containers storage of our own and shared.

The root is buildah's mount of a throw-away container: writable, gone in the end. Several scanners use one storage at a
time; each holds a shared lock, so that only a storage that nobody uses is swept.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import typing as t

from ...model import ScapError
from ...process import run
from .records import Resolved
from .tools import Tools

_LOCK = "in-use.lock"
_USED = "last-used"


@contextlib.contextmanager
def mounted(resolved: Resolved, tools: Tools, storage: str, limit: int) -> t.Iterator[str]:
    """The path of the image's root; ScapError where it cannot be pulled or mounted."""
    text = resolved.reference
    with _in_use(storage):
        options = storage_options(storage)
        image = _pulled(resolved, tools, options, storage)
        container = tools.buildah(
            options, ["from", "--pull-never", image], what="making a throw-away container", reference=text
        )
        try:
            path = tools.buildah(options, ["mount", container], what="mounting it", reference=text)
            yield path
        finally:
            run(["buildah", *options, "rm", container], timeout=120, env=dict(os.environ))
    shrink(storage, limit)


def storage_options(storage: str) -> list[str]:
    """The options with which podman and buildah work in our own storage."""
    return [
        "--root",
        os.path.join(storage, "root"),
        "--runroot",
        os.path.join(storage, "run"),
        "--storage-driver",
        "overlay",
    ]


def _pulled(resolved: Resolved, tools: Tools, options: list[str], storage: str) -> str:
    """The id of the image in the storage; pulled where it is not there yet."""
    note = os.path.join(storage, _USED, resolved.digest.rpartition(":")[2])
    os.makedirs(os.path.dirname(note), mode=0o700, exist_ok=True)
    image = _known(note)
    if (
        image
        and run(["buildah", *options, "inspect", "--type", "image", "--format", "x", image], timeout=60).returncode == 0
    ):
        os.utime(note)
        return image
    image = _copied(resolved, tools, storage) if resolved.layout else _fetched(resolved, tools, options)
    found = tools.buildah(
        options,
        ["inspect", "--type", "image", "--format", "{{.FromImageDigest}}", image],
        what="checking what was pulled",
        reference=resolved.reference,
    )
    if found != resolved.digest:
        raise ScapError("digest_mismatch", f"{resolved.reference}: {resolved.digest} was asked for, {found} was pulled")
    with open(note, "w", encoding="ascii") as stream:
        stream.write(image)
    return image


def _fetched(resolved: Resolved, tools: Tools, options: list[str]) -> str:
    arguments = ["pull", "--quiet", *tools.registry_options("--tls-verify"), resolved.source]
    lines = tools.buildah(options, arguments, what="pulling it", reference=resolved.reference).splitlines()
    return lines[-1] if lines else ""


def _copied(resolved: Resolved, tools: Tools, storage: str) -> str:
    """From a layout, under a name of our own: buildah would make one of the path, which not every path allows."""
    name = f"localhost/scap-images/{resolved.digest.rpartition(':')[2]}:latest"
    place = f"[overlay@{os.path.join(storage, 'root')}+{os.path.join(storage, 'run')}]"
    tools.skopeo(
        ["copy", "--quiet", resolved.source, f"containers-storage:{place}{name}"],
        what="copying it",
        reference=resolved.reference,
        registry=False,
    )
    return name


def _known(note: str) -> str:
    try:
        with open(note, encoding="ascii") as stream:
            return stream.read(128).strip()
    except OSError:
        return ""


@contextlib.contextmanager
def _in_use(storage: str) -> t.Iterator[None]:
    os.makedirs(storage, mode=0o700, exist_ok=True)
    with open(os.path.join(storage, _LOCK), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def shrink(storage: str, limit: int) -> None:
    """Remove the containers of dead runs, and the images used longest ago until the rest fits; while nobody uses it."""
    with open(os.path.join(storage, _LOCK), "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        options = storage_options(storage)
        sizes = _sizes(options)
        total = sum(sizes.values())
        if not limit or total <= limit:
            return
        run(["buildah", *options, "rm", "--all"], timeout=300)
        folder = os.path.join(storage, _USED)
        notes = sorted((os.path.join(folder, name) for name in os.listdir(folder)), key=os.path.getmtime)
        for note in notes:
            if total <= limit:
                return
            image = _known(note)
            if image in sizes and run(["buildah", *options, "rmi", "--force", image], timeout=300).returncode == 0:
                total -= sizes[image]
            os.unlink(note)


def _sizes(options: list[str]) -> dict[str, int]:
    """Image id to bytes, as podman counts them (layers that images share are counted for each)."""
    done = run(["podman", *options, "images", "--format", "json"], timeout=120)
    try:
        entries = json.loads(done.stdout or b"[]")
        return {str(entry["Id"]): int(entry["Size"]) for entry in entries}
    except (ValueError, KeyError, TypeError):
        return {}
