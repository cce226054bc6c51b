# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches a pod's evidence: streamed to disk, checked against its digest, unpacked with every name looked at."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tarfile
import tempfile
import typing as t

from ..files import write_whole
from ..kube import execute
from ..kube.client import Client
from ..kube.errors import KubeError
from ..model import J, RecordError, ScapError, field
from .kubernetes_job import CONTAINER, HANDOVER

MAX_ARCHIVE = 1024 * 1024 * 1024
MAX_FILES = 200
MAX_HEADER = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
_VALID = re.compile(r"cache/([0-9a-f]{64}\.valid-[0-9.]{1,20})")
"""An empty file that says: this oscap found this content valid. Nothing else of a pod's cache is believed."""
_COPY = 1 << 20


class Fetched(t.NamedTuple):
    """What the pod said, and where its files are."""

    answer: J
    staging: str
    """Hidden folder below settings.evidence; empty where the pod has no evidence."""
    acknowledge: t.Callable[[], None]
    """Tell the pod that its evidence is stored; without it the pod goes on holding it. It may be gone already."""


@contextlib.contextmanager
def fetch(
    client: Client,
    namespace: str,
    pod: str,
    evidence: str,
    cache: str,
    timeout: float,
    closes: t.Callable[[t.Callable[[], None]], t.ContextManager[None]],
) -> t.Iterator[Fetched]:
    """Wait until the pod has its evidence, and get it. KubeError `kube_exec` where the stream broke off.

    `closes(f)`: while it is open, f may be called from another thread to end the waiting.
    """
    with execute.run(client, namespace, pod, CONTAINER, HANDOVER, timeout) as running, closes(running.close):
        pieces = running.output()
        answer, rest = _header(pieces, f"{namespace}/{pod}")
        staging = ""
        if "sha256" in answer:
            with tempfile.TemporaryFile(dir=evidence) as archive:
                _receive(answer, rest, pieces, archive, f"{namespace}/{pod}")
                staging = _unpack(archive, evidence, cache, f"{namespace}/{pod}")

        def acknowledge() -> None:
            with contextlib.suppress(KubeError):
                running.write(b"ok\n")

        yield Fetched(answer, staging, acknowledge)


def _header(pieces: t.Iterator[bytes], pod: str) -> tuple[J, bytes]:
    read = b""
    for piece in pieces:
        read += piece
        line, newline, rest = read.partition(b"\n")
        if newline:
            try:
                answer = json.loads(line)
            except ValueError as error:
                raise ScapError("evidence_malformed", f"pod {pod}: its first line is not JSON: {error}") from error
            if not isinstance(answer, dict):
                raise ScapError("evidence_malformed", f"pod {pod}: its first line is no JSON object")
            return answer, rest
        if len(read) > MAX_HEADER:
            break
    raise KubeError("kube_exec", f"pod {pod}: nothing came before the stream ended", 0)


def _receive(answer: J, rest: bytes, pieces: t.Iterator[bytes], archive: t.IO[bytes], pod: str) -> None:
    try:
        size, sha256 = field(answer, "size", int), field(answer, "sha256", str)
    except RecordError as error:
        raise ScapError("evidence_malformed", f"pod {pod}: {error}") from error
    if size > MAX_ARCHIVE:
        raise ScapError("evidence_too_large", f"pod {pod}: {size} bytes of evidence; the limit is {MAX_ARCHIVE}")
    digest, got = hashlib.sha256(rest), len(rest)
    archive.write(rest)
    while got < size:
        piece = next(pieces, b"")
        if not piece:
            raise KubeError("kube_exec", f"pod {pod}: {got} of {size} bytes of evidence came", 0)
        got += len(piece)
        digest.update(piece)
        archive.write(piece)
    if got != size or digest.hexdigest() != sha256:
        raise KubeError("kube_exec", f"pod {pod}: the evidence was damaged on its way (sha256 differs)", 0)


def _unpack(archive: t.IO[bytes], evidence: str, cache: str, pod: str) -> str:
    staging = tempfile.mkdtemp(prefix=".scan-", dir=evidence)
    archive.seek(0)
    try:
        with tarfile.open(fileobj=archive, mode="r:") as tar:
            for number, member in enumerate(tar):
                valid = _VALID.fullmatch(member.name)
                if not member.isreg() or number >= MAX_FILES or not (valid or _NAME.fullmatch(member.name)):
                    raise ScapError("evidence_malformed", f"pod {pod}: {member.name!r} does not belong into evidence")
                if valid:
                    write_whole(os.path.join(cache, valid[1]), b"", durable=False)
                else:
                    _write(tar.extractfile(member), os.path.join(staging, member.name))
    except tarfile.TarError as error:
        raise ScapError("evidence_malformed", f"pod {pod}: its archive cannot be read: {error}") from error
    return staging


def _write(source: t.IO[bytes] | None, path: str) -> None:
    if source is None:
        return
    with open(path, "xb") as out:
        while chunk := source.read(_COPY):
            out.write(chunk)
