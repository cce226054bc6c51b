# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Content from where users have it to plain files, each once a run: with a history, and not every new one is taken.

One that is broken, wrongly signed, much smaller or older than the one before is not used; the one before is, with a
warning. What a person has said yes to, by its sha256, is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import typing as t

from ..files import read_json, sha256_file, write_json
from ..model import J, RecordError, ScapError, field, now
from ..scanner.contentinfo import content_info
from . import bundle, signature
from .fetch import Fetched, Validators, fetch, key, packed, unpack
from .source import Source, parse

OPTIONS: J = {
    "accept_content": {"type": "list", "elements": "str", "default": []},
    "keyring": {"type": "path", "no_log": False},
    "bundle": {"type": "str"},
}
"""Of modules that take content; documented in doc_fragments/content.py."""
KEEP = 10
"""Versions of one URL."""
SHRINK = 0.2


@dataclasses.dataclass(frozen=True)
class Terms:
    """What a run takes content by."""

    folder: str
    """Where plain files and histories are kept."""
    accepted: t.Sequence[str] = ()
    """sha256 of the plain files that a person has said yes to."""
    keyring: str = ""
    bundle: str = ""
    """Path of a bundle, as `source.parse` reads it."""
    timeout: float = 120.0

    @classmethod
    def of(cls, params: J, folder: str) -> Terms:
        """From a module's OPTIONS."""
        accepted = [sha256.lower() for sha256 in params["accept_content"]]
        return cls(folder, accepted, params["keyring"] or "", params.get("bundle") or "")


@dataclasses.dataclass(frozen=True)
class Version:
    """One file of a URL's history."""

    path: str
    sha256: str
    packed_sha256: str
    size: int
    count: int
    """Of its definitions and rules."""
    generated_at: str
    fetched_at: str
    signed_by: str
    """sha256 of the keyring by which its signature was good; empty: it was not looked at."""
    etag: str
    modified: str

    @classmethod
    def from_json(cls, data: t.Any) -> Version:
        texts = {
            entry.name: field(data, entry.name, str)
            for entry in dataclasses.fields(cls)
            if entry.name not in ("size", "count")
        }
        return cls(size=field(data, "size", int), count=field(data, "count", int), **texts)


class Contents:
    """The content of one run."""

    def __init__(self, terms: Terms) -> None:
        self.warnings: list[str] = []
        self._terms = terms
        self._known: dict[str, str] = {}
        self._bundle = bundle.Bundle(terms.bundle) if terms.bundle else None

    def path(self, text: str, described: bool = True) -> str:
        """Path of a plain file with the content that `text` names; a plain local file is used where it lies.

        `described`: it is a data stream or OVAL, which says of itself how much it holds and how old it is. Raises
        ScapError content_missing, content_malformed, content_unsupported, content_too_large, content_refused,
        content_changed, signature_wrong, option_wrong.
        """
        if text not in self._known:
            self._known[text] = self._take(parse(text), described)
        return self._known[text]

    def _take(self, source: Source, described: bool) -> str:
        path = None
        if self._bundle is not None:
            path = self._bundle.take(source, self._terms.folder)
            if path is None and source.remote:
                raise ScapError("content_missing", f"{source.address}: is not in the bundle {self._terms.bundle}")
        if path is None and source.remote:
            return self._fetched(source, described)
        return self._local(source, path or source.address, path is not None, described)

    def _local(self, source: Source, path: str, bundled: bool, described: bool) -> str:
        try:
            if source.signature and not bundled:
                signature.check(path, source, self._terms.keyring, self._terms.timeout)
            before = sha256_file(path) if source.sha256 else ""
            plain = unpack(path, source.address, self._terms.folder)[0] if packed(path) else os.path.abspath(path)
        except OSError as error:
            said = error.strerror or error
            raise ScapError("content_missing", f"{source.address}: the content cannot be read: {said}") from error
        if source.sha256:
            _pinned(source, (before, sha256_file(plain)))
        elif source.interval:
            self._in_time(source, self._describe(Fetched(plain, sha256_file(plain), "", Validators()), described, ""))
        return plain

    def _fetched(self, source: Source, described: bool) -> str:
        note = os.path.join(self._terms.folder, f"{key(source.address)}.json")
        history = _history(note)
        signer = ""
        if source.signature and self._terms.keyring:
            with contextlib.suppress(OSError):
                signer = sha256_file(self._terms.keyring)
        usable = [version for version in history if not source.signature or (signer and version.signed_by == signer)]
        if source.sha256:
            for version in reversed(usable):
                if source.sha256 in (version.sha256, version.packed_sha256) and _intact(version):
                    return version.path
        last = next((version for version in reversed(usable) if _intact(version)), None)
        try:
            current = self._newer(source, last, described, signer)
        except ScapError as error:
            if last is None or source.sha256 or error.code == "option_wrong":
                raise
            self.warnings.append(f"{error.message}; that of {last.fetched_at} is used, sha256 {last.sha256}")
            current = last
        if current is not last:
            _write(note, source.address, [*(entry for entry in history if entry.sha256 != current.sha256), current])
        if not source.sha256:
            self._in_time(source, current)
        return current.path

    def _newer(self, source: Source, last: Version | None, described: bool, signer: str) -> Version:
        """What the server has, where it is to be used, or `last` where that is the same."""
        known = Validators(last.etag, last.modified) if last is not None else Validators()

        def check(path: str) -> None:
            if source.signature:
                signature.check(path, source, self._terms.keyring, self._terms.timeout)

        there = set(os.listdir(self._terms.folder)) if os.path.isdir(self._terms.folder) else set()
        came = fetch(source.address, self._terms.folder, known, self._terms.timeout, check)
        if came is None:
            if last is None:
                raise ScapError("content_missing", f"{source.address}: the server sends nothing, as if it were known")
            return last
        try:
            version = self._describe(came, described, signer)
            if source.sha256:
                _pinned(source, (version.sha256, version.packed_sha256))
            elif last is not None and version.sha256 not in self._terms.accepted:
                _compare(source, last, version)
        except ScapError as error:
            if os.path.basename(came.path) not in there:
                os.unlink(came.path)
            raise ScapError(error.code, error.message.replace(came.path, source.address)) from error
        return version

    def _describe(self, came: Fetched, described: bool, signer: str) -> Version:
        count, generated = 0, ""
        if described:
            info = content_info(came.path, self._terms.folder)
            count, generated = info.definitions + info.rules, info.generated_at
        said = came.validators
        return Version(
            path=came.path,
            sha256=came.sha256,
            packed_sha256=came.packed_sha256,
            size=os.path.getsize(came.path),
            count=count,
            generated_at=generated,
            fetched_at=now(),
            signed_by=signer,
            etag=said.etag,
            modified=said.modified,
        )

    def _in_time(self, source: Source, version: Version) -> None:
        if not source.interval or version.sha256 in self._terms.accepted:
            return
        moment = _moment(version.generated_at)
        if moment is None:
            raise _refused(source, version, "does not say how old it is")
        days = (datetime.datetime.now(datetime.timezone.utc) - moment).total_seconds() / 86400
        if days > source.interval:
            raise _refused(source, version, f"is {days:.1f} days old, a new one was due after {source.interval:g}")


def _compare(source: Source, last: Version, version: Version) -> None:
    for was, has, what in ((last.count, version.count, "definitions and rules"), (last.size, version.size, "bytes")):
        if was:
            if has < was * (1 - SHRINK):
                raise _refused(source, version, f"has {has} {what}, the one before has {was}")
            break
    before, after = _moment(last.generated_at), _moment(version.generated_at)
    if before is not None and (after is None or after < before):
        said = version.generated_at or "no day that it tells"
        raise _refused(source, version, f"is of {said}, the one before of {last.generated_at}")


def _refused(source: Source, version: Version, why: str) -> ScapError:
    return ScapError(
        "content_refused",
        f"{source.address}: {why}; if that is right, say so by its sha256 in accept_content: {version.sha256}",
    )


def _pinned(source: Source, found: t.Sequence[str]) -> None:
    if source.sha256 not in found:
        raise ScapError("content_changed", f"{source.address}: its sha256 is {found[-1]}, not {source.sha256}")


def _moment(text: str) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=datetime.timezone.utc)


def _intact(version: Version) -> bool:
    try:
        return sha256_file(version.path) == version.sha256
    except OSError:
        return False


def _history(note: str) -> list[Version]:
    """Oldest first; none where it cannot be read."""
    if not os.path.exists(note):
        return []
    try:
        return [Version.from_json(entry) for entry in field(read_json(note), "history", list)]
    except (ScapError, RecordError):
        return []


def _write(note: str, url: str, history: t.Sequence[Version]) -> None:
    kept: J = {"url": url, "history": [dataclasses.asdict(entry) for entry in history[-KEEP:]]}
    write_json(note, kept)
    for gone in {entry.path for entry in history[:-KEEP]} - {entry.path for entry in history[-KEEP:]}:
        with contextlib.suppress(OSError):
            os.unlink(gone)
