# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scanner as the main program of a pod: makes the root that its rung allows, scans, holds the evidence until it is
acknowledged.

One argument, a JSON object: `request` (scanner.request.Request without root and folders), `rung`, `content`
({name: {sha256, pieces: [paths], path}}, gzip compressed pieces of one file), `known` (names of files that the
controller's cache of content has) and `deadline` (seconds that the evidence is held).
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import re
import shutil
import sys
import tarfile
import time
import typing as t

from ..files import read_json, sha256_file, write_json, write_whole
from ..model import J, ScapError, field, strings
from ..process import run
from . import mounts, program
from .places import ACKNOWLEDGED, ARCHIVE, IMAGE, PULL_SECRETS, READY, WORK
from .request import Request

USERNS, COPY, PULL = "image_volume_userns", "image_volume", "pull"
RUNGS = (USERNS, COPY, PULL)
"""The privilege ladder, lowest privileges first."""

MAX_CONTENT = 2 * 1024 * 1024 * 1024
_POLL = 0.05
_NO_DEVICE = b"cp: cannot create special file "
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")


class RungError(Exception):
    """This rung does not work here; another may."""


def main(argv: t.Sequence[str]) -> int:
    """The pod's exit status: 0 only where the evidence was acknowledged."""
    spec = json.loads(argv[0])
    os.umask(0o077)
    with contextlib.suppress(FileExistsError):
        os.symlink("/proc/self/mounts", "/etc/mtab")
    try:
        answer = _scan(spec)
    except RungError as error:
        answer = {"unusable": str(error)}
    except ScapError as error:
        answer = {"problem": error.message, "code": error.code}
    write_json(READY, answer, durable=False)
    if spec.get("rung") != USERNS:  # where it is the image volume itself
        shutil.rmtree(f"{WORK}/root", ignore_errors=True)
    return _wait(time.monotonic() + field(spec, "deadline", int))


def killed_for_memory() -> bool:
    """Whether the kernel has ended a program of this container because of its memory limit (cgroups(7))."""
    for name in ("memory.events", "memory/memory.oom_control"):
        with contextlib.suppress(OSError), open(f"/sys/fs/cgroup/{name}", encoding="ascii") as counts:
            for line in counts:
                word, _space, number = line.partition(" ")
                if word == "oom_kill":
                    return int(number) > 0
    return False


def _scan(spec: J) -> J:
    cache = f"{WORK}/cache"
    for folder in (cache, f"{WORK}/scratch", f"{WORK}/evidence"):
        os.makedirs(folder, exist_ok=True)
    known = [name for name in strings(spec, "known") if _NAME.fullmatch(name)]
    for name in known:
        write_whole(f"{cache}/{name}", b"", durable=False)
    for entry in field(spec, "content", dict).values():
        assemble(f"{WORK}/{field(entry, 'path', str)}", field(entry, "sha256", str), strings(entry, "pieces"))
    rung = field(spec, "rung", str)
    request = dict(field(spec, "request", dict), cache=cache, evidence=f"{WORK}/evidence", rung=rung, confined=True)
    if rung == PULL:
        request["way"] = "unpack"
        request["access"] = dict(field(request, "access", dict), authfile=_authfile(f"{WORK}/auth.json"))
    else:
        request["way"], request["root"] = "root", f"{WORK}/root"
        started = time.monotonic()
        (_overlay if rung == USERNS else _copy)(f"{WORK}/root")
        program.tell({"step": "made the root", "seconds": round(time.monotonic() - started, 3)})
    answer = program.scan(Request.from_json(request), f"{WORK}/scratch")
    problem = read_json(os.path.join(answer["staging"], "evidence.json")).get("error")
    if problem and killed_for_memory():
        raise ScapError("out_of_memory", field(problem, "message", str))
    _pack(answer["staging"], cache, known)
    return {"key": answer["key"], "size": os.path.getsize(ARCHIVE), "sha256": sha256_file(ARCHIVE)}


def _authfile(path: str) -> str:
    """One containers-auth.json(5) of all secrets that were mounted; its path, empty where there is none."""
    auths: dict[str, t.Any] = {}
    for folder, _folders, names in os.walk(PULL_SECRETS):
        for name in names:
            if name not in (".dockerconfigjson", ".dockercfg"):
                continue
            with open(os.path.join(folder, name), "rb") as stream, contextlib.suppress(ValueError, AttributeError):
                known = json.load(stream)
                auths.update(known.get("auths") or {} if name == ".dockerconfigjson" else known)
    if auths:
        write_json(path, {"auths": auths}, durable=False)
    return path if auths else ""


def assemble(path: str, sha256: str, pieces: t.Sequence[str]) -> None:
    """One content file of its compressed pieces, checked against its digest."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with open(path, "wb") as out, _Joined(pieces) as joined, gzip.GzipFile(fileobj=t.cast(t.Any, joined)) as plain:
        while chunk := plain.read(1 << 20):
            size += len(chunk)
            if size > MAX_CONTENT:
                raise ScapError("content_too_large", f"{path}: longer than {MAX_CONTENT} bytes")
            digest.update(chunk)
            out.write(chunk)
    if digest.hexdigest() != sha256:
        raise ScapError("content_damaged", f"{path}: sha256 {digest.hexdigest()}, expected {sha256}")


class _Joined:
    """Several files read as one."""

    def __init__(self, paths: t.Sequence[str]) -> None:
        self._paths = list(paths)
        self._file: t.BinaryIO | None = None

    def read(self, size: int = -1) -> bytes:
        while True:
            if self._file is None:
                if not self._paths:
                    return b""
                self._file = open(self._paths.pop(0), "rb")  # noqa: SIM115
            data = self._file.read(size)
            if data:
                return data
            self._file.close()
            self._file = None

    def __enter__(self) -> _Joined:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._file is not None:
            self._file.close()


def _overlay(root: str) -> None:
    """The image's root with a throw-away writable layer, on which nothing can be executed."""
    upper, work = f"{WORK}/upper", f"{WORK}/overlay"
    for folder in (root, upper, work):
        os.makedirs(folder, mode=0o755, exist_ok=True)
    try:
        mounts.overlay([IMAGE], upper, work, root)
    except OSError as error:
        raise RungError(
            f"an overlay of the image volume cannot be mounted in the pod's user namespace: {error.strerror}"
        ) from error


def _copy(root: str) -> None:
    environment = {**os.environ, "LC_ALL": "C"}
    done = run(["cp", "-a", "--", f"{IMAGE}/.", root], timeout=3600, env=environment)
    if done.returncode != 0 and (done.truncated or not only_devices(done.stderr)):
        if "No space left" in done.error:
            raise ScapError("disk_full", f"the image does not fit into the pod's ephemeral storage: {done.error}")
        raise RungError(f"the image volume cannot be copied: {done.error}")


def only_devices(said: bytes) -> bool:
    """Whether all that cp could not copy are device nodes, which no scan needs. It quotes names: a line is a file."""
    lines = said.splitlines()
    return bool(lines) and all(line.startswith(_NO_DEVICE) for line in lines)


def _pack(staging: str, cache: str, known: t.Sequence[str]) -> None:
    """The evidence's files, and below cache/ what was found valid and the controller does not know yet."""
    with tarfile.open(ARCHIVE, "w") as archive:
        for name in sorted(os.listdir(staging)):
            archive.add(os.path.join(staging, name), name, recursive=False)
        for name in sorted(os.listdir(cache)):
            if ".valid-" in name and name not in known:
                archive.add(os.path.join(cache, name), f"cache/{name}", recursive=False)


def _wait(deadline: float) -> int:
    while time.monotonic() < deadline:
        if os.path.exists(ACKNOWLEDGED):
            return 0
        time.sleep(_POLL)
    sys.stderr.write("the evidence was not fetched in time\n")
    return 1
