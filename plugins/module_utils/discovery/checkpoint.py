# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an earlier run read, kept in `scap_dir/discovery`: lists with resourceVersions, digests with validators.

A checkpoint is an optimisation only: what is missing, damaged, of another server or of another release counts as never
written, and the source is read in full.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import typing as t

from ..files import dumps, read_jsonl, whole
from ..model import ScapError

BATCH = 200
"""Rows of one line."""

_LAST = 64 * 1024
"""Bytes of the last line, at most."""

FORMAT = 3
"""Changes whenever the rows of any source change their shape."""


class Saved:
    """A checkpoint while it is written: lines of rows, and at the end one that says what they are."""

    def __init__(self, stream: t.BinaryIO | None) -> None:
        self.state: dict[str, t.Any] = {}
        self._stream = stream
        self._keys: set[str] = set()

    def add(self, rows: t.Mapping[str, t.Any]) -> None:
        """More rows; one whose key was there before takes its place."""
        if self._stream is not None:
            self._keys.update(rows)
            pairs = iter(rows.items())
            while batch := list(itertools.islice(pairs, BATCH)):
                self._stream.write(dumps(batch) + b"\n")

    def clear(self) -> None:
        """Forget the rows so far."""
        if self._stream is not None:
            self._keys.clear()
            self._stream.seek(0)
            self._stream.truncate()

    def end(self, identity: t.Mapping[str, t.Any]) -> None:
        if self._stream is not None:
            last = {"identity": identity, "state": self.state, "rows": len(self._keys)}
            self._stream.write(dumps(last) + b"\n")


class Checkpoints:
    """The checkpoints of one `scap_dir`; without a folder it remembers nothing."""

    def __init__(self, folder: str | None, writable: bool = True) -> None:
        self.folder = os.path.join(folder, "discovery") if folder else None
        self.writable = writable

    def state(self, identity: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """The state that was saved, without its rows; empty where there is none."""
        path = self._path(identity)
        try:
            with open(path or os.devnull, "rb") as stream:
                stream.seek(max(0, os.fstat(stream.fileno()).st_size - _LAST))
                last = json.loads(stream.read().rpartition(b"\n")[0].rpartition(b"\n")[2])
            return dict(last["state"]) if last["identity"] == self._identity(identity) else {}
        except (OSError, LookupError, TypeError, ValueError):
            return {}

    def load(self, identity: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], dict[str, t.Any]] | None:
        """(state, rows by key) as they were saved, or None."""
        path = self._path(identity)
        if path is None or not os.path.isfile(path):
            return None
        try:
            rows: dict[str, t.Any] = {}
            last: t.Any = None
            for line in read_jsonl(path):
                if isinstance(line, list):
                    rows.update(line)
                last = line
            if last["identity"] != self._identity(identity) or last["rows"] != len(rows):
                return None
            return dict(last["state"]), rows
        except (ScapError, LookupError, TypeError, ValueError):
            return None

    def save(self, identity: t.Mapping[str, t.Any], state: t.Mapping[str, t.Any], rows: t.Mapping[str, t.Any]) -> None:
        """Keep `state` (small) and `rows` (JSON values by key) until the next run; written whole, mode 0600."""
        with self.saving(identity) as saved:
            saved.add(rows)
            saved.state.update(state)

    @contextlib.contextmanager
    def saving(self, identity: t.Mapping[str, t.Any]) -> t.Iterator[Saved]:
        """To keep rows as they come; what was kept before stays where the block ends with an exception."""
        path = self._path(identity)
        if path is None or not self.writable:
            yield Saved(None)
            return
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with whole(path, durable=False) as stream:
            saved = Saved(stream)
            yield saved
            saved.end(self._identity(identity))

    def forget(self, identity: t.Mapping[str, t.Any]) -> None:
        path = self._path(identity)
        if path is not None and self.writable:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    @staticmethod
    def _identity(identity: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return {**identity, "format": FORMAT}

    def _path(self, identity: t.Mapping[str, t.Any]) -> str | None:
        if self.folder is None:
            return None
        name = hashlib.sha256(dumps(self._identity(identity))).hexdigest()[:16]
        return os.path.join(self.folder, f"{name}.jsonl")
